--- Everything that `:Goal` can do is one row of `M.verbs`: parsing, completion, the menu and the help
--- test read it.  Every `act` is called in a flow.
local client = require('goalproof.client')
local flow = require('goalproof.flow')
local operate = require('goalproof.operate')
local plain = require('goalproof.plain')

local M = {}

---@class goalproof.Call What a person asked for.
---@field root string The repository.
---@field goal? string Set for the verbs that are about a goal.
---@field words string[] What else was typed.
---@field options table<string, string|integer> `key=value`.
---@field context? string The selected lines, with where they are.
---@field path? string Only this file, from a lens.
---@field document? string The URI of the open plan, from a lens.
---@field criterion? string From a code action.

---@class goalproof.Verb
---@field title string What it does, for menus and completion.
---@field fits? string[] The statuses of the goals it is for; without it, it is about no goal.
---@field act fun(call: goalproof.Call)

-- stylua: ignore start
local WAITING = { 'paused', 'blocked_on_human', 'blocked_on_external', 'needs_more_budget',
  'failed_infra' }
-- stylua: ignore end
local OPEN = vim.list_extend({ 'planned', 'running', 'not_ready', 'ready' }, WAITING)
local ALL = vim.list_extend({ 'delivered', 'cancelled' }, OPEN)
local CHANGED = { 'ready', 'not_ready', 'delivered' }

--- Tells in one line how a goal stands.
---@param goal goalproof.GoalView
local function tell(goal)
  local words = goal.status:gsub('_', ' ')
  local why = goal.blocker ~= '' and (': ' .. plain.line(goal.blocker)) or ''
  flow.say(('“%s” is %s%s'):format(plain.short(goal.text, 60), words, why))
end

--- Tells that a goal is worked on, or why it is not.
---@param goal goalproof.GoalView
local function tell_start(goal)
  if goal.status ~= 'planned' and goal.status ~= 'running' then
    return tell(goal)
  end
  flow.say(('“%s” is under way; `:Goal show` follows it'):format(plain.short(goal.text, 60)))
end

---@param call goalproof.Call
---@param operation string
---@param params? table
---@return goalproof.GoalView goal
local function about(call, operation, params)
  local given = vim.tbl_extend('force', { goal = call.goal }, params or {})
  return operate.operate(call.root, operation, given)
end

--- Opens the plan of a goal as a file to edit.
---@param call goalproof.Call
local function edit_plan(call)
  local place = about(call, 'open', { what = 'plan' })
  vim.cmd.edit(vim.fn.fnameescape(place.path))
end

--- The plan that a person named or stands in, as a parameter.
---@param call goalproof.Call
---@return table params
local function find_plan(call)
  local named = call.options.plan or (#call.words == 1 and call.words[1]:match('^.+%.toml$'))
  if not named then
    return {}
  end
  local path = vim.fn.fnamemodify(vim.fn.expand(named), ':p')
  local buffer = vim.fn.bufnr('^' .. vim.fn.escape(path, '*?[]{},\\') .. '$')
  if buffer ~= -1 and vim.bo[buffer].modified then
    return {
      planText = table.concat(vim.api.nvim_buf_get_lines(buffer, 0, -1, false), '\n') .. '\n',
    }
  end
  return { plan = path }
end

--- The parameters of a new goal; a text is asked for when there is neither one nor a plan.
---@param call goalproof.Call
---@return table params
local function describe(call)
  local params = find_plan(call)
  local text = next(params) and '' or table.concat(call.words, ' ')
  if text == '' and not next(params) then
    text = flow.input('What is to be true afterwards? ')
  end
  if call.context then
    text = text .. '\n\n' .. call.context
  end
  local limits = vim.tbl_extend('force', {}, call.options)
  limits.plan = nil
  return vim.tbl_extend('force', limits, params, text ~= '' and { text = text } or {})
end

---@param call goalproof.Call
---@param params goalproof.RunParams
local function run_with(call, params)
  tell_start(operate.operate(call.root, 'run', params))
end

--- Plans and opens the plan as a file, when there is one to edit.
---@param call goalproof.Call
---@param params goalproof.RunParams
local function plan_with(call, params)
  local goal = operate.operate(call.root, 'plan', params)
  tell(goal)
  if goal.status == 'planned' then
    call.goal = goal.id
    edit_plan(call)
  end
end

---@param call goalproof.Call
local function run(call)
  run_with(call, describe(call))
end

---@param call goalproof.Call
local function plan(call)
  plan_with(call, describe(call))
end

---@param call goalproof.Call
local function new(call)
  local params = describe(call)
  local ways = { ['Show me the plan first'] = plan_with, ['Run it at once'] = run_with }
  local choices = { 'Show me the plan first', 'Run it at once' }
  ways[flow.choose(choices, plain.short(params.text or 'A new goal', 60))](call, params)
end

---@param call goalproof.Call
local function execute(call)
  tell_start(about(call, 'execute', { document = call.document }))
end

local LIMITS = {
  { key = 'wallSeconds', words = 'Seconds of work' },
  { key = 'attempts', words = 'Attempts of tasks' },
  { key = 'changedLines', words = 'Changed lines' },
  { key = 'tokens', words = 'Tokens' },
  { key = 'usd', words = 'US dollars' },
}

---@param call goalproof.Call
local function resume(call)
  local options = call.options
  local goal = about(call, 'show')
  if goal.status == 'needs_more_budget' and not next(options) then
    local limit = flow.choose(LIMITS, 'Which limit is to be higher?', function(one)
      return one.words
    end)
    local value = flow.input(limit.words .. ', in all: ')
    options = { [limit.key] = limit.key == 'usd' and value or tonumber(value) or value }
  end
  tell_start(about(call, 'resume', options))
end

---@param operation string
---@return fun(call: goalproof.Call)
local function stop(operation)
  return function(call)
    local reason = table.concat(call.words, ' ')
    tell(about(call, operation, reason ~= '' and { reason = reason } or nil))
  end
end

---@param call goalproof.Call
local function list(call)
  local goals = operate.operate(call.root, 'list').goals
  if #goals == 0 then
    flow.refuse('there is no goal yet; `:Goal new` makes one.')
  end
  local goal = flow.choose(goals, 'Goals, the newest first', M.render_line)
  require('goalproof.view').open(call.root, goal.id)
end

---@param call goalproof.Call
local function show(call)
  require('goalproof.view').open(call.root, call.goal)
end

---@param call goalproof.Call
local function diff(call)
  require('goalproof.diff').open(call.root, call.goal, call.path, call.words[1])
end

---@param call goalproof.Call
local function apply(call)
  local goal = about(call, 'apply')
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
local function undo(call)
  about(call, 'apply', { undo = true })
  flow.say('the change is taken out again.')
end

---@param call goalproof.Call
local function deliver(call)
  local goal = about(call, 'deliver')
  flow.say(('delivered as the branch %s'):format(plain.line(goal.branch)))
end

---@param call goalproof.Call
local function proof(call)
  local place = about(call, 'open', { what = 'proof' })
  vim.cmd('tab sview ' .. vim.fn.fnameescape(place.path))
end

--- Runs a proof again.  Somebody else's is shown first: what it runs is theirs.
---@param call goalproof.Call
local function verify(call)
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
local function answer(call)
  local goal = about(call, 'show')
  if #goal.questions == 0 then
    flow.refuse('this goal asks nothing.')
  end
  local question = #goal.questions == 1 and goal.questions[1]
    or flow.choose(goal.questions, 'Which question?', function(one)
      return plain.line(one.text)
    end)
  local text = #call.words > 0 and table.concat(call.words, ' ')
    or flow.input(plain.line(question.text) .. ' ')
  local after = about(call, 'answer', { question = question.id, text = text })
  if #after.questions == 0 and vim.list_contains(WAITING, after.status) then
    flow.choose({ 'Go on with the goal' }, 'Every question is answered')
    after = about(call, 'resume')
  end
  tell(after)
end

---@param call goalproof.Call
local function accept(call)
  local goal = about(call, 'show')
  local open = vim.tbl_filter(function(one)
    return one.state ~= 'verified' and (not call.criterion or one.id == call.criterion)
  end, goal.criteria)
  if #open == 0 then
    flow.refuse('every criterion of this goal is verified.')
  end
  local criterion = #open == 1 and open[1]
    or flow.choose(open, 'Which criterion?', function(one)
      return ('%s (%s)'):format(plain.line(one.text), one.state:gsub('_', ' '))
    end)
  local reason = #call.words > 0 and table.concat(call.words, ' ')
    or flow.input(('Why is “%s” met? '):format(plain.short(criterion.text, 60)))
  tell(about(call, 'accept', { criterion = criterion.id, reason = reason }))
end

--- The task of a goal that waits for the person, chosen when there are several.
---@param call goalproof.Call
---@return string? task
local function find_manual_task(call)
  if call.words[1] then
    return call.words[1]
  end
  local tasks = vim.tbl_filter(function(task)
    return type(task.folder) == 'string'
  end, about(call, 'show').tasks)
  if #tasks > 1 then
    return flow.choose(tasks, 'Which task?', function(task)
      return plain.line(task.title)
    end).id
  end
  return tasks[1] and tasks[1].id
end

---@param call goalproof.Call
local function submit(call)
  tell(about(call, 'submit', { task = find_manual_task(call) }))
end

---@type table<string, fun(call: goalproof.Call)>
local OPENERS = {
  plan = edit_plan,
  proof = proof,
  task = function(call)
    local task = find_manual_task({ root = call.root, goal = call.goal, words = {}, options = {} })
    local place = about(call, 'open', { what = 'task', task = call.words[2] or task })
    vim.cmd.tabnew(vim.fn.fnameescape(place.path))
    vim.cmd.tcd(vim.fn.fnameescape(place.path))
  end,
}
M.openable = { 'plan', 'proof', 'task' }

---@param call goalproof.Call
local function open(call)
  local what = call.words[1] or flow.choose(M.openable, 'Open what?')
  local opener = OPENERS[what]
  if not opener then
    flow.refuse(('“%s” cannot be opened; %s can.'):format(what, table.concat(M.openable, ', ')))
  end
  opener(call)
end

---@param call goalproof.Call
local function log(call)
  require('goalproof.log').open(call.root, call.goal, call.words[1])
end

---@param call goalproof.Call
local function failures(call)
  if require('goalproof.failures').show(about(call, 'show')) == 0 then
    flow.say('nothing fails.')
  end
end

---@param call goalproof.Call
local function gates(call)
  local view = operate.operate(call.root, 'gates')
  local lines = {}
  for _, gate in ipairs(view.gates) do
    local trusted = gate.trusted == false and '  (not approved)' or ''
    vim.list_extend(lines, {
      plain.line(gate.name) .. trusted,
      '  ' .. operate.render_gate(gate),
      '  ' .. plain.line(gate.reason),
    })
  end
  if #lines == 0 then
    flow.refuse('there is no gate here; write one into goalproof.toml.')
  end
  require('goalproof.page').float('goalproof://gates', 'gates', lines)
end

--- Lets the person choose who does new goals, for this session.
---@param call goalproof.Call
local function agents(call)
  local view = operate.operate(call.root, 'agents')
  local items = {}
  for _, agent in ipairs(view.agents or {}) do
    items[#items + 1] =
      { key = 'agent', name = agent.name, title = agent.title, there = agent.available }
  end
  for _, worker in ipairs(view.workers) do
    items[#items + 1] =
      { key = 'worker', name = worker.name, title = worker.title, there = worker.available }
  end
  local chosen = flow.choose(items, 'Who does new goals?', function(item)
    return ('%s: %s%s'):format(
      item.name,
      plain.line(item.title),
      item.there and '' or ' (not installed)'
    )
  end)
  require('goalproof.config').prefer(chosen.key, chosen.name)
  client.tell_settings()
  flow.say(('new goals are for %s from now on, in this session.'):format(plain.line(chosen.name)))
end

---@param call goalproof.Call
local function trust(call)
  operate.ask_trust(call.root)
  flow.say(('%s is trusted.'):format(plain.line(call.root)))
end

---@param call goalproof.Call
local function untrust(call)
  require('goalproof.trust').forget(call.root)
  client.tell_trust(call.root)
  flow.say(('%s is not trusted any more.'):format(plain.line(call.root)))
end

---@param call goalproof.Call
local function restart(call)
  client.restart(call.root)
  flow.say('the language server runs.')
end

--- One line of a list of goals.
---@param line goalproof.GoalLine
---@return string
function M.render_line(line)
  if line.damage ~= '' then
    return ('%s  damaged: %s'):format(line.id, plain.line(line.damage))
  end
  local status = line.status:gsub('_', ' ')
  return ('%s  %s  %d/%d'):format(plain.short(line.text, 60), status, line.done, line.total)
end

---@type table<string, goalproof.Verb>
M.verbs = {
  new = { title = 'State a new goal, and choose whether to see its plan first', act = new },
  run = { title = 'Plan a goal, work on it and judge the result', act = run },
  plan = { title = 'Plan a goal, start nothing and open the plan', act = plan },
  edit = {
    title = 'Open the plan to edit',
    fits = { 'planned', 'blocked_on_human' },
    act = edit_plan,
  },
  execute = { title = 'Work on it', fits = { 'planned', 'ready', 'not_ready' }, act = execute },
  pause = { title = 'Stop it; it can go on later', fits = { 'running' }, act = stop('pause') },
  resume = { title = 'Let it go on', fits = WAITING, act = resume },
  cancel = { title = 'End it for good', fits = OPEN, act = stop('cancel') },
  list = { title = 'Choose among all goals', act = list },
  show = { title = 'Show it in a window that follows it', fits = ALL, act = show },
  watch = { title = 'The same as show', fits = { 'running' }, act = show },
  diff = { title = 'Show the change, file by file', fits = CHANGED, act = diff },
  apply = {
    title = 'Put the change into the open files',
    fits = { 'ready', 'delivered' },
    act = apply,
  },
  undo = {
    title = 'Take the applied change out again',
    fits = { 'ready', 'delivered' },
    act = undo,
  },
  deliver = { title = 'Make one branch of it', fits = { 'ready' }, act = deliver },
  proof = { title = 'Read the proof', fits = CHANGED, act = proof },
  verify = { title = 'Run the proof again in a clean checkout', fits = CHANGED, act = verify },
  answer = { title = 'Answer a question of it', fits = { 'blocked_on_human' }, act = answer },
  accept = {
    title = 'Accept a criterion that only a person can judge',
    fits = { 'blocked_on_human', 'not_ready' },
    act = accept,
  },
  submit = {
    title = 'Hand in the task you did by hand',
    fits = { 'running', 'paused', 'blocked_on_human' },
    act = submit,
  },
  open = { title = 'Open its plan, its proof or the folder of a task', fits = ALL, act = open },
  log = { title = 'Follow the log of a task or gate', fits = ALL, act = log },
  failures = { title = 'List what fails in the quickfix window', fits = ALL, act = failures },
  gates = { title = 'Show the checks that goals are judged by', act = gates },
  agents = { title = 'Choose who does new goals', act = agents },
  trust = { title = 'Trust this repository', act = trust },
  untrust = { title = 'Trust this repository no more', act = untrust },
  restart = { title = 'Restart the language server', act = restart },
}

--- The order of menus and completion: a goal's way from start to end, then the rest.
-- stylua: ignore
M.order = {
  'new', 'run', 'plan', 'edit', 'execute', 'show', 'watch', 'log', 'pause', 'resume', 'answer',
  'accept', 'submit', 'diff', 'apply', 'undo', 'proof', 'verify', 'deliver', 'failures', 'open',
  'cancel', 'list', 'gates', 'agents', 'trust', 'untrust', 'restart',
}

--- Verbs that fit every goal, or that a page of the goal itself has keys for.
local ASIDE = { 'show', 'watch', 'open', 'log', 'failures', 'cancel' }

--- The verbs to name for a goal of this status, the likeliest first.
---@param status string
---@return string[]
function M.find_next(status)
  return vim.tbl_filter(function(name)
    local fits = M.verbs[name].fits
    return fits and vim.list_contains(fits, status) and not vim.list_contains(ASIDE, name) or false
  end, M.order)
end

return M
