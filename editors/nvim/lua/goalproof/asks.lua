--- What agents ask leave for while they work, and what a person says to them.
local flow = require('goalproof.flow')
local goals = require('goalproof.goal')
local plain = require('goalproof.plain')

local M = {}

local QUESTION = 'question'
local HEARS = { 'acp', 'wire' }

---@param ask goalproof.AskView
---@return string
local function render_ask(ask)
  return ('%s: %s'):format(plain.line(ask.task), plain.line(ask.text))
end

--- The ask that an answer is for, chosen where there are several.
---@param goal goalproof.GoalView
---@return goalproof.AskView
local function pick_ask(goal)
  if #goal.asks == 0 then
    flow.refuse('no agent of this goal asks anything.')
  end
  return #goal.asks == 1 and goal.asks[1] or flow.choose(goal.asks, 'Which one?', render_ask)
end

---@param call goalproof.Call
---@param ask goalproof.AskView
---@param text string
local function hand_over(call, ask, text)
  goals.tell(goals.about(call, 'answer', { question = ask.key, text = text }))
end

--- Asks a person what to say to an agent, and says it.
---@param call goalproof.Call
---@param goal goalproof.GoalView
function M.answer(call, goal)
  local ask = pick_ask(goal)
  local text = table.concat(call.words, ' ')
  if text == '' and ask.action ~= QUESTION then
    text = flow.choose({ 'allow', 'deny' }, render_ask(ask))
  elseif text == '' and #ask.choices > 0 then
    text = flow.choose(ask.choices, render_ask(ask), plain.line)
  elseif text == '' then
    text = flow.input(render_ask(ask) .. ' ')
  end
  hand_over(call, ask, text)
end

---@param verb string
---@return fun(call: goalproof.Call)
local function settle(verb)
  return function(call)
    local ask = pick_ask(goals.about(call, 'show'))
    if ask.action == QUESTION then
      flow.refuse(render_ask(ask) .. ' `:Goal answer` answers it.')
    end
    local chosen = flow.choose({ verb, 'No, wait' }, render_ask(ask))
    if chosen == verb then
      hand_over(call, ask, table.concat({ verb, unpack(call.words) }, ' '))
    end
  end
end

--- The person sees what they allow before they do: it may be another one than they were told of.
M.allow = settle('allow')
M.deny = settle('deny')

--- Says something to an agent while it works.
---@param call goalproof.Call
function M.tell(call)
  local tasks = vim.tbl_filter(function(task)
    return task.status == 'running' and vim.list_contains(HEARS, task.worker)
  end, goals.about(call, 'show').tasks)
  if #tasks == 0 then
    flow.refuse('no agent of this goal works now that can hear you.')
  end
  local reads = vim.iter(tasks):find(function(task)
    return task.id == call.task
  end)
  local task = reads
    or #tasks == 1 and tasks[1]
    or flow.choose(tasks, 'Which agent?', function(one)
      return plain.line(one.title)
    end)
  local text = #call.words > 0 and table.concat(call.words, ' ')
    or flow.input('What should it know? ')
  goals.about(call, 'tell', { task = task.id, text = text })
  flow.say(('the agent of %s is told.'):format(plain.line(task.id)))
end

return M
