--- A goal as it stands, in a floating window that follows it.
local client = require('goalproof.client')
local flow = require('goalproof.flow')
local operate = require('goalproof.operate')
local page = require('goalproof.page')
local plain = require('goalproof.plain')

local M = {}

-- stylua: ignore
local MARKS = {
  pending = '·', running = '▸', done = '✓', failed = '✗', blocked = '–', cancelled = '–',
  verified = '✓', implemented_unverified = '?', partial = '◐', not_addressed = '·',
}

local function mark(state)
  return MARKS[state] or '·'
end

---@param out string[]
---@param heading string
---@param lines string[]
local function add(out, heading, lines)
  if #lines > 0 then
    vim.list_extend(out, { '', heading })
    vim.list_extend(out, lines)
  end
end

local function render_task(task)
  local why = task.reason ~= '' and (' (%s)'):format(plain.line(task.reason)) or ''
  local folder = type(task.folder) == 'string'
      and ('\n    yours: do it in %s, then `:Goal submit`'):format(plain.line(task.folder))
    or ''
  return ('  %s %s%s%s'):format(mark(task.status), plain.line(task.title), why, folder)
end

local function render_criterion(criterion)
  local why = criterion.reason ~= '' and (': ' .. plain.line(criterion.reason)) or ''
  return ('  %s %s%s'):format(mark(criterion.state), plain.line(criterion.text), why)
end

local function render_gate(gate)
  local state = gate.met == true and '✓' or gate.met == false and '✗' or '·'
  local outcome = type(gate.outcome) == 'string' and gate.outcome or 'has not run'
  local why = gate.met == false and gate.verdict ~= '' and (': ' .. plain.line(gate.verdict)) or ''
  return ('  %s %s %s%s'):format(state, plain.line(gate.name), outcome, why)
end

local function render_spend(spend)
  local parts = { ('%.1f s'):format(spend.wallMs / 1000), plain.count(spend.attempts, 'attempt') }
  if type(spend.tokens) == 'number' then
    parts[#parts + 1] = plain.count(spend.tokens, 'token')
  end
  if type(spend.usd) == 'string' then
    parts[#parts + 1] = ('%s USD'):format(plain.line(spend.usd))
  end
  return table.concat(parts, ', ')
end

local function render_question(question)
  return '  ? ' .. plain.line(question.text)
end

--- The commands that make sense now.
---@param goal goalproof.GoalView
---@return string[]
local function list_next(goal)
  local verbs = require('goalproof.verbs')
  return vim.tbl_map(function(name)
    return ('  :Goal %-8s  %s'):format(name, verbs.verbs[name].title)
  end, verbs.find_next(goal))
end

--- The lines of the page of a goal.
---@param goal goalproof.GoalView
---@return string[]
function M.lines(goal)
  local out = { plain.line(goal.text), '' }
  out[#out + 1] = ('%s · %s · %s'):format(goal.status:gsub('_', ' '), goal.phase, goal.id)
  out[#out + 1] = 'spent ' .. render_spend(goal.spend)
  if type(goal.change) == 'table' then
    local change = goal.change
    local files = plain.count(#change.files, 'file')
    out[#out + 1] = ('change +%d −%d in %s'):format(change.additions, change.deletions, files)
  end
  if goal.blocker ~= '' then
    out[#out + 1] = 'stands still: ' .. plain.line(goal.blocker)
  end
  add(out, 'Questions', vim.tbl_map(render_question, goal.questions))
  add(out, 'Agents ask', vim.tbl_map(render_question, goal.asks))
  add(out, 'Criteria', vim.tbl_map(render_criterion, goal.criteria))
  add(out, 'Tasks', vim.tbl_map(render_task, goal.tasks))
  add(out, 'Gates', vim.tbl_map(render_gate, goal.gates))
  add(
    out,
    'Why it is not ready',
    vim.tbl_map(function(reason)
      return '  ' .. plain.line(reason)
    end, goal.reasons)
  )
  if type(goal.proof) == 'table' then
    add(
      out,
      'Proof',
      { '  ' .. plain.line(goal.proof.digest), '  ' .. plain.line(goal.proof.path) }
    )
  end
  add(out, 'Next', list_next(goal))
  vim.list_extend(out, { '', 'q close · p pause · r resume · d diff · l log' })
  return vim.split(table.concat(out, '\n'), '\n')
end

local KEYS = { p = 'pause', r = 'resume', d = 'diff', l = 'log' }

---@class goalproof.Watch
---@field root string
---@field goal string
---@field buffer integer
---@field window integer
---@field busy boolean
---@field stale boolean

---@param watch goalproof.Watch
local function refresh(watch)
  if watch.busy then
    watch.stale = true
    return
  end
  watch.busy, watch.stale = true, false
  flow.run(function()
    local goal = client.try(watch.root, 'show', { goal = watch.goal })
    watch.busy = false
    if goal and vim.api.nvim_buf_is_valid(watch.buffer) then
      local lines = M.lines(goal)
      page.fill(watch.buffer, lines)
      if vim.api.nvim_win_is_valid(watch.window) then
        page.resize(watch.window, 'goal', lines)
      end
      if watch.stale then
        refresh(watch)
      end
    end
  end)
end

---@param watch goalproof.Watch
local function follow(watch)
  local id = vim.api.nvim_create_autocmd('User', {
    pattern = 'GoalproofProgress',
    desc = 'Show how the goal moves on',
    callback = function(event)
      local data = event.data
      if data.root == watch.root and data.snapshot.goalId == watch.goal then
        refresh(watch)
      end
    end,
  })
  vim.api.nvim_create_autocmd('BufWipeout', {
    buffer = watch.buffer,
    once = true,
    callback = function()
      vim.api.nvim_del_autocmd(id)
    end,
  })
end

--- Opens the page of a goal and keeps it up to date.  Call it in a flow.
---@param root string
---@param id string
---@return integer buffer
function M.open(root, id)
  local goal = operate.operate(root, 'show', { goal = id })
  local buffer, window = page.float('goalproof://' .. goal.id, 'goal', M.lines(goal))
  vim.b[buffer].goalproof_root = root
  for key, verb in pairs(KEYS) do
    page.map(buffer, key, function()
      if verb == 'diff' or verb == 'log' then
        vim.api.nvim_win_close(window, true)
      end
      require('goalproof.commands').start(verb, { root = root, goal = goal.id })
    end, verb)
  end
  follow({
    root = root,
    goal = goal.id,
    buffer = buffer,
    window = window,
    busy = false,
    stale = false,
  })
  return buffer
end

return M
