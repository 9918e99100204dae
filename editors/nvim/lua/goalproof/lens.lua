--- Code lenses: asked for when a buffer or a goal has changed, and what a click on one does.
---
--- Neovim 0.10 and 0.11 leave both to plugins, and their `refresh` drops what is asked for while an
--- answer is awaited; here it is asked for again.  0.12 does all of it by itself.
local M = {}

local OWN = vim.fn.has('nvim-0.12') == 1
local QUIET = 150 -- milliseconds without a change until lenses are asked for

---@class goalproof.LensState
---@field busy boolean Whether an answer is awaited.
---@field stale boolean Whether something has changed since it was asked for.
---@field timer? uv.uv_timer_t

---@type table<integer, goalproof.LensState>
local buffers = {}

---@param buffer integer
local function ask(buffer)
  local state = buffers[buffer]
  local client = vim.lsp.get_clients({ name = 'goalproof', bufnr = buffer })[1]
  if not state or not client or not vim.api.nvim_buf_is_loaded(buffer) then
    return
  end
  if state.busy then
    state.stale = true
    return
  end
  state.busy, state.stale = true, false
  local params = { textDocument = { uri = vim.uri_from_bufnr(buffer) } }
  local function take(refusal, lenses, context)
    state.busy = false
    if not refusal and vim.api.nvim_buf_is_loaded(buffer) then
      vim.lsp.codelens.on_codelens(nil, lenses, context)
    end
    if state.stale then
      ask(buffer)
    end
  end
  local send = vim.fn.has('nvim-0.11') == 1 and function(...)
    return client:request(...)
  end or client.request
  if not send('textDocument/codeLens', params, take, buffer) then
    state.busy = false
  end
end

--- Asks for the lenses of a buffer anew.
---@param buffer integer
function M.refresh(buffer)
  if not OWN then
    ask(buffer)
  end
end

--- Asks once typing has stopped for a moment.
---@param buffer integer
local function refresh_soon(buffer)
  local state = buffers[buffer]
  if not state then
    return
  end
  state.timer = state.timer or assert(vim.uv.new_timer())
  state.timer:start(
    QUIET,
    0,
    vim.schedule_wrap(function()
      M.refresh(buffer)
    end)
  )
end

---@param buffer integer
local function let_go(buffer)
  local state = buffers[buffer]
  if state and state.timer then
    state.timer:close()
  end
  buffers[buffer] = nil
end

---@param client vim.lsp.Client
---@param buffer integer
function M.attach(client, buffer)
  if OWN then
    return vim.lsp.codelens.enable(true, { client_id = client.id })
  end
  let_go(buffer)
  buffers[buffer] = { busy = false, stale = false }
  local group = vim.api.nvim_create_augroup('goalproof.lens.' .. buffer, {})
  vim.api.nvim_create_autocmd({ 'BufEnter', 'InsertLeave', 'BufWritePost', 'TextChanged' }, {
    group = group,
    buffer = buffer,
    desc = 'Ask for the code lenses of goals anew',
    callback = function()
      refresh_soon(buffer)
    end,
  })
  vim.api.nvim_create_autocmd({ 'BufUnload', 'LspDetach' }, {
    group = group,
    buffer = buffer,
    callback = function(event)
      if event.event == 'BufUnload' or event.data.client_id == client.id then
        let_go(buffer)
        vim.api.nvim_del_augroup_by_id(group)
      end
    end,
  })
  M.refresh(buffer)
end

--- What the server's lenses and actions do in this editor, by the id of their command.
---@type table<string, fun(command: lsp.Command, context: table)>
local CLICKS = {}
for _, verb in ipairs({ 'diff', 'show', 'apply', 'execute', 'cancel', 'proof' }) do
  CLICKS['goal.' .. verb] = function(command, context)
    require('goalproof.commands').click(verb, command, context)
  end
end
CLICKS['goalproof.newGoalFrom'] = function(command)
  require('goalproof.commands').new_goal_from((command.arguments or {})[1] or {})
end
CLICKS['goalproof.accept'] = function(command, context)
  require('goalproof.commands').click('accept', command, context)
end

for id, act in pairs(CLICKS) do
  vim.lsp.commands[id] = act
end

return M
