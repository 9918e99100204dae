--- Asking, waiting and answering in the order in which a person meets them.
---
--- A flow is a coroutine: `await` leaves it until a callback is called, and Neovim goes on meanwhile.
local M = {}

---@class goalproof.Stop Ends a flow without a word: the person changed their mind.
local Stop = {}

--- Says something to the person.
---@param words string
---@param level? integer One of |vim.log.levels|.
function M.say(words, level)
  vim.notify('goalproof: ' .. words, level or vim.log.levels.INFO)
end

--- Runs `work` as a flow.  A refusal that it raises is told to the person.
---@param work fun()
function M.run(work)
  local thread = coroutine.create(work)
  local step
  function step(...)
    local went_well, begin = coroutine.resume(thread, ...)
    if not went_well then
      M.report(begin, thread)
    elseif coroutine.status(thread) ~= 'dead' then
      begin(step)
    end
  end
  step()
end

---@param fault any
---@param thread thread
function M.report(fault, thread)
  if fault == Stop then
    return
  end
  if type(fault) == 'table' and fault.message then
    M.say(fault.message, vim.log.levels.ERROR)
  else
    error(debug.traceback(thread, tostring(fault)), 0)
  end
end

--- Leaves the flow until `begin`'s callback is called; returns what it is called with.
---@param begin fun(done: fun(...))
function M.await(begin)
  return coroutine.yield(begin)
end

--- Ends the flow with a sentence for the person.
---@param message string
function M.refuse(message)
  error({ message = message }, 0)
end

--- Ends the flow; what there was to say has been said.
function M.stop()
  error(Stop, 0)
end

--- Lets the person choose one of `items`; ends the flow when they choose none.
---@generic T
---@param items T[]
---@param prompt string
---@param format? fun(item: T): string
---@return T
function M.choose(items, prompt, format)
  local options = { prompt = prompt, kind = 'goalproof', format_item = format }
  local item = M.await(function(done)
    vim.ui.select(items, options, function(chosen)
      done(chosen)
    end)
  end)
  if item == nil then
    M.stop()
  end
  return item
end

--- Asks the person for a line; ends the flow when they give none.
---@param prompt string
---@param default? string
---@return string
function M.input(prompt, default)
  local text = M.await(function(done)
    vim.ui.input({ prompt = prompt, default = default }, function(typed)
      done(typed)
    end)
  end)
  text = vim.trim(text or '')
  if text == '' then
    M.stop()
  end
  return text
end

return M
