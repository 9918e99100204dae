--- Verbs that begin a goal, move it and give it what it needs of a person.
local flow = require('goalproof.flow')
local goals = require('goalproof.goal')
local operate = require('goalproof.operate')
local plain = require('goalproof.plain')

local M = {}

local about, tell, tell_start = goals.about, goals.tell, goals.tell_start

---@param path string
---@return integer? buffer
local function find_buffer(path)
  local buffer = vim.fn.bufnr('^' .. vim.fn.escape(path, '*?[]{},\\') .. '$')
  return buffer ~= -1 and buffer or nil
end

--- Opens the plan of a goal as a file to edit.
---@param call goalproof.Call
function M.edit(call)
  local place = about(call, 'open', { what = 'plan' })
  local buffer = find_buffer(place.path)
  if buffer and vim.bo[buffer].modified then
    vim.cmd.buffer(buffer) -- what the person wrote there stays
  else
    vim.cmd.edit(vim.fn.fnameescape(place.path))
  end
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
  local buffer = find_buffer(path)
  if buffer and vim.bo[buffer].modified then
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

--- Opens the plan of a goal as a file, when it is one to edit.
---@param call goalproof.Call
---@param goal goalproof.GoalView
local function show_plan(call, goal)
  tell(goal)
  if goal.status == 'planned' then
    call.goal = goal.id
    M.edit(call)
  end
end

--- The parameters of a plan that an agent makes.
---@param call goalproof.Call
---@return {planner: 'agent', agent?: string}
local function ask_agent(call)
  local agent = require('goalproof.agents').pick(call)
  flow.say(('%s makes the plan …'):format(plain.line(agent or 'an agent')))
  return { planner = 'agent', agent = agent }
end

---@param call goalproof.Call
---@param params goalproof.RunParams
local function plan_with(call, params)
  local made = params.planner == 'agent' and ask_agent(call) or {}
  show_plan(call, operate.operate(call.root, 'plan', vim.tbl_extend('force', params, made)))
end

---@param call goalproof.Call
---@param params goalproof.RunParams
local function plan_by_agent(call, params)
  plan_with(call, vim.tbl_extend('force', params, { planner = 'agent' }))
end

---@param call goalproof.Call
function M.run(call)
  run_with(call, describe(call))
end

---@param call goalproof.Call
function M.plan(call)
  plan_with(call, describe(call))
end

---@param call goalproof.Call
function M.new(call)
  local params = describe(call)
  local ways = {
    { words = 'Show me the plan first', begin = plan_with },
    { words = 'Run it at once', begin = run_with },
    { words = 'Let an agent make the plan, and show it', begin = plan_by_agent },
  }
  local given = params.plan or params.planText
  local way = flow.choose(
    given and vim.list_slice(ways, 1, 2) or ways,
    plain.short(params.text or 'A new goal', 60),
    function(one)
      return one.words
    end
  )
  way.begin(call, params)
end

--- Gives a goal another plan: a file, the goal's own as the person edited it, or one of an agent.
---@param call goalproof.Call
function M.revise(call)
  local params = find_plan(call)
  local by_agent, by_person = 'Let an agent make the plan', 'Take the plan as I edited it'
  local named = next(params) or call.document
  local asked = call.options.planner or call.options.agent
  local chosen = named and by_person
    or asked and by_agent
    or flow.choose({ by_agent, by_person }, 'Which plan?')
  if chosen == by_agent then
    show_plan(call, about(call, 'revise', ask_agent(call)))
  else
    tell(about(call, 'revise', vim.tbl_extend('force', params, { document = call.document })))
  end
end

---@param call goalproof.Call
function M.execute(call)
  tell_start(about(call, 'execute', { document = call.document }))
end

--- Runs the gates again on the tree that was judged.
---@param call goalproof.Call
function M.again(call)
  tell_start(about(call, 'verify'))
end

--- Puts a goal onto the newest commits of its branch and judges it there.
---@param call goalproof.Call
function M.rebase(call)
  tell_start(about(call, 'rebase'))
end

local LIMITS = {
  { key = 'wallSeconds', words = 'Seconds of work' },
  { key = 'attempts', words = 'Attempts of tasks' },
  { key = 'changedLines', words = 'Changed lines' },
  { key = 'tokens', words = 'Tokens' },
  { key = 'usd', words = 'US dollars' },
  { key = 'turns', words = 'Turns of agents' },
}

---@param call goalproof.Call
function M.resume(call)
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

---@param limit goalproof.LimitView
---@return string
local function render_limit(limit)
  if type(limit.limit) ~= 'string' then
    return ('%s: %s used, no limit'):format(plain.line(limit.words), plain.line(limit.used))
  end
  local left = type(limit.left) == 'string' and limit.left or 'unknown'
  return ('%s: %s of %s used, %s left'):format(
    plain.line(limit.words),
    plain.line(limit.used),
    plain.line(limit.limit),
    plain.line(left)
  )
end

--- Tells what the goal used of its limits; `addSeconds=600` and the like add to them.
---@param call goalproof.Call
function M.budget(call)
  local found = about(call, 'budget', next(call.options) and call.options or nil)
  local out = vim.list_extend({ plain.line(found.text), '' }, vim.tbl_map(render_limit, found.limits))
  local name = ('goalproof://%s/budget'):format(found.goal)
  require('goalproof.page').float(name, 'budget', out)
end

---@param operation string
---@return fun(call: goalproof.Call)
local function stop(operation)
  return function(call)
    local reason = table.concat(call.words, ' ')
    tell(about(call, operation, reason ~= '' and { reason = reason } or nil))
  end
end

M.pause = stop('pause')
M.cancel = stop('cancel')

---@param call goalproof.Call
function M.answer(call)
  local goal = about(call, 'show')
  if #goal.asks > 0 then
    return require('goalproof.asks').answer(call, goal)
  end
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
  if #after.questions == 0 and after.status ~= 'running' then
    flow.choose({ 'Go on with the goal' }, 'Every question is answered')
    after = about(call, 'resume')
  end
  tell(after)
end

--- The tree that the person gives their word for: the server refuses it for another.
---@param goal goalproof.GoalView
---@return string?
local function seen_tree(goal)
  return type(goal.tree) == 'string' and goal.tree or nil
end

---@param call goalproof.Call
function M.accept(call)
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
  tell(about(call, 'accept', {
    criterion = criterion.id,
    reason = reason,
    tree = seen_tree(goal),
  }))
end

--- Says no to the result: the reason is what is worked on next.
---@param call goalproof.Call
function M.reject(call)
  local goal = about(call, 'show')
  local reason = #call.words > 0 and table.concat(call.words, ' ')
    or flow.input('What is wrong with the result? ')
  tell(about(call, 'reject', { reason = reason, tree = seen_tree(goal) }))
end

--- The task of a goal that waits for the person, chosen when there are several.
---@param call goalproof.Call
---@return string? task
function M.find_manual_task(call)
  if call.words[1] then
    return call.words[1]
  end
  local tasks = vim.tbl_filter(function(task)
    return task.status == 'running' and type(task.folder) == 'string'
  end, about(call, 'show').tasks)
  if #tasks > 1 then
    return flow.choose(tasks, 'Which task?', function(task)
      return plain.line(task.title)
    end).id
  end
  return tasks[1] and tasks[1].id
end

---@param call goalproof.Call
function M.submit(call)
  tell(about(call, 'submit', { task = M.find_manual_task(call) }))
end

return M
