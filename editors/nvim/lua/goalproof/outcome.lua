--- Verbs about what comes of a goal: its change, its proof and its failures.
local flow = require('goalproof.flow')
local goals = require('goalproof.goal')
local operate = require('goalproof.operate')
local plain = require('goalproof.plain')

local M = {}

local about = goals.about

---@param call goalproof.Call
function M.diff(call)
  require('goalproof.diff').open(call.root, call.goal, call.path, call.words[1])
end

---@param call goalproof.Call
function M.apply(call)
  require('goalproof.edit').touched = {}
  local goal = about(call, 'apply')
  vim.cmd.checktime() -- files that are not open were written
  local count = type(goal.change) == 'table' and #goal.change.files or 0
  local unsaved = vim.iter(require('goalproof.edit').touched):any(function(path)
    local buffer = vim.fn.bufnr('^' .. vim.fn.escape(path, '*?[]{},\\') .. '$')
    return buffer ~= -1 and vim.bo[buffer].modified
  end)
  local hint = unsaved and '; `:wall` writes them' or ''
  flow.say(
    ('applied, %s%s. `u` or `:Goal undo` takes it back.'):format(plain.count(count, 'file'), hint)
  )
end

---@param call goalproof.Call
function M.undo(call)
  about(call, 'apply', { undo = true })
  vim.cmd.checktime()
  flow.say('the change is taken out again.')
end

---@param call goalproof.Call
function M.deliver(call)
  local goal = about(call, 'deliver')
  flow.say(('delivered as the branch %s'):format(plain.line(goal.branch)))
end

---@param call goalproof.Call
function M.proof(call)
  local place = about(call, 'open', { what = 'proof' })
  vim.cmd('tab sview ' .. vim.fn.fnameescape(place.path))
end

--- Runs a proof again.  Somebody else's is shown first: what it runs is theirs.
---@param call goalproof.Call
function M.verify(call)
  local bundle = call.words[1]
  local named = bundle and vim.fn.fnamemodify(vim.fn.expand(bundle), ':p') or call.goal
  if bundle then
    local seen = operate.operate(call.root, 'verifyProof', { proof = named })
    local prompt = 'This proof runs\n  '
      .. table.concat(vim.tbl_map(plain.line, seen.gates), '\n  ')
    flow.choose({ 'Run it in a clean checkout' }, prompt)
  end
  flow.say('running the proof again, in a clean checkout …')
  local found = operate.operate(call.root, 'verifyProof', { proof = named, run = true })
  local lines = { plain.line(found.outcome), '' }
  for _, part in ipairs({ found.gates, found.differences, found.missing }) do
    vim.list_extend(
      lines,
      vim.tbl_map(function(line)
        return '  ' .. plain.line(line)
      end, part)
    )
  end
  if found.note ~= '' then
    vim.list_extend(lines, { '', plain.line(found.note) })
  end
  require('goalproof.page').float('goalproof://verification', 'proof', lines)
  flow.say('the proof: ' .. plain.line(found.outcome))
end

---@param call goalproof.Call
function M.failures(call)
  if require('goalproof.failures').show(about(call, 'show')) == 0 then
    flow.say('nothing fails.')
  end
end

return M
