--- Everything that `:Goal` can do is one row of `M.verbs`: parsing, completion, the menu and the help
--- test read it.  Every `act` is called in a flow, and loaded when it is.
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
---@field task? string Whose log the person reads.

---@class goalproof.Verb
---@field title string What it does, for menus and completion.
---@field fits? string[] The statuses of the goals it is for; without it, it is about no goal.
---@field act fun(call: goalproof.Call)

local WAITING =
  { 'paused', 'blocked_on_human', 'blocked_on_external', 'needs_more_budget', 'failed_infra' }
local OPEN = vim.list_extend({ 'planned', 'running', 'not_ready', 'ready' }, WAITING)
local STILL = vim.list_extend({ 'planned', 'not_ready', 'ready', 'delivered', 'cancelled' }, WAITING)
local ALL = vim.list_extend({ 'delivered', 'cancelled' }, OPEN)
local JUDGED = { 'ready', 'not_ready', 'blocked_on_human' }
local CHANGED = vim.list_extend({ 'delivered' }, JUDGED)

--- What can be opened of a goal.
M.openable = { 'plan', 'proof', 'task' }

---@param module string
---@param name string
---@return fun(call: goalproof.Call)
local function act(module, name)
  return function(call)
    require('goalproof.' .. module)[name](call)
  end
end

---@type table<string, goalproof.Verb>
M.verbs = {
  new = {
    title = 'State a new goal, and choose whether to see its plan first',
    act = act('work', 'new'),
  },
  run = { title = 'Plan a goal, work on it and judge the result', act = act('work', 'run') },
  plan = { title = 'Plan a goal, start nothing and open the plan', act = act('work', 'plan') },
  edit = {
    title = 'Open the plan to edit',
    fits = { 'planned', 'blocked_on_human' },
    act = act('work', 'edit'),
  },
  revise = {
    title = 'Give it another plan: one of an agent, or as you edited it',
    fits = { 'planned', 'blocked_on_human' },
    act = act('work', 'revise'),
  },
  execute = {
    title = 'Work on it',
    fits = { 'planned', 'ready', 'not_ready' },
    act = act('work', 'execute'),
  },
  pause = {
    title = 'Stop it; it can go on later',
    fits = { 'running' },
    act = act('work', 'pause'),
  },
  resume = { title = 'Let it go on', fits = WAITING, act = act('work', 'resume') },
  budget = {
    title = 'Show what it used of its limits, or add to them',
    fits = ALL,
    act = act('work', 'budget'),
  },
  cancel = { title = 'End it for good', fits = OPEN, act = act('work', 'cancel') },
  list = { title = 'Choose among all goals', act = act('around', 'list') },
  show = { title = 'Show it in a window that follows it', fits = ALL, act = act('around', 'show') },
  watch = { title = 'The same as show', fits = { 'running' }, act = act('around', 'show') },
  diagnose = {
    title = 'Say why it stands there, and what to do',
    fits = vim.list_extend({ 'not_ready' }, WAITING),
    act = act('findings', 'diagnose'),
  },
  replay = {
    title = 'Tell what happened to it, entry by entry',
    fits = vim.list_extend({ 'damaged' }, ALL),
    act = act('findings', 'replay'),
  },
  diff = { title = 'Show the change, file by file', fits = CHANGED, act = act('outcome', 'diff') },
  review = {
    title = 'Look through the change for what a reader should see',
    fits = CHANGED,
    act = act('findings', 'review'),
  },
  apply = {
    title = 'Put the change into the open files',
    fits = { 'ready', 'delivered' },
    act = act('outcome', 'apply'),
  },
  undo = {
    title = 'Take the applied change out again',
    fits = { 'not_ready', 'ready', 'delivered' },
    act = act('outcome', 'undo'),
  },
  deliver = { title = 'Make one branch of it', fits = { 'ready' }, act = act('outcome', 'deliver') },
  proof = { title = 'Read the proof', fits = CHANGED, act = act('outcome', 'proof') },
  verify = {
    title = 'Run the proof again in a clean checkout',
    fits = CHANGED,
    act = act('outcome', 'verify'),
  },
  again = {
    title = 'Run the gates again on the same tree, and judge it anew',
    fits = JUDGED,
    act = act('work', 'again'),
  },
  rebase = {
    title = 'Put it onto the newest commits of its branch, and judge it anew there',
    fits = JUDGED,
    act = act('work', 'rebase'),
  },
  hunks = {
    title = 'Take each hunk away, to see which no gate notices',
    fits = { 'ready', 'blocked_on_human' },
    act = act('findings', 'hunks'),
  },
  answer = {
    title = 'Answer a question of it, or what its agent asks',
    fits = { 'blocked_on_human', 'running' },
    act = act('work', 'answer'),
  },
  allow = {
    title = 'Allow what its agent asks',
    fits = { 'running' },
    act = act('asks', 'allow'),
  },
  deny = {
    title = 'Say no to what its agent asks, and why',
    fits = { 'running' },
    act = act('asks', 'deny'),
  },
  tell = {
    title = 'Say a word to its agent',
    fits = { 'running' },
    act = act('asks', 'tell'),
  },
  accept = {
    title = 'Accept a criterion that only a person can judge',
    fits = { 'blocked_on_human', 'not_ready' },
    act = act('work', 'accept'),
  },
  reject = {
    title = 'Say no to the result; the reason is worked on next',
    fits = CHANGED,
    act = act('work', 'reject'),
  },
  submit = {
    title = 'Hand in the task you did by hand',
    fits = { 'running', 'paused', 'blocked_on_human' },
    act = act('work', 'submit'),
  },
  open = {
    title = 'Open its plan, its proof or the folder of a task',
    fits = ALL,
    act = act('around', 'open'),
  },
  log = { title = 'Follow the log of a task or gate', fits = ALL, act = act('around', 'log') },
  failures = {
    title = 'List what fails in the quickfix window',
    fits = ALL,
    act = act('outcome', 'failures'),
  },
  gates = { title = 'Show the checks that goals are judged by', act = act('around', 'gates') },
  doctor = {
    title = 'Show what goals need on this machine, and what to do next',
    act = act('around', 'doctor'),
  },
  agents = { title = 'Choose who does new goals', act = act('around', 'agents') },
  archive = {
    title = 'Put it out of the lists; nothing of it goes',
    fits = STILL,
    act = act('keeping', 'archive'),
  },
  unarchive = {
    title = 'Take an archived goal back into the lists',
    act = act('keeping', 'unarchive'),
  },
  gc = {
    title = 'Show what takes room and can go, and let it go',
    act = act('keeping', 'gc'),
  },
  adopt = {
    title = 'Work with goals that were moved, copied or came from elsewhere',
    act = act('around', 'adopt'),
  },
  trust = { title = 'Trust this repository', act = act('around', 'trust') },
  untrust = { title = 'Trust this repository no more', act = act('around', 'untrust') },
  restart = { title = 'Restart the language server', act = act('around', 'restart') },
}

--- The order of menus and completion: a goal's way from start to end, then the rest.
-- stylua: ignore
M.order = {
  'new', 'run', 'plan', 'edit', 'revise', 'execute', 'show', 'watch', 'log', 'pause', 'resume', 'budget',
  'diagnose', 'answer', 'allow', 'deny', 'tell', 'accept', 'reject', 'submit', 'diff', 'review', 'apply', 'undo', 'proof', 'verify',
  'again', 'rebase', 'hunks', 'deliver', 'replay', 'failures', 'open', 'cancel', 'archive', 'list', 'unarchive', 'gates', 'doctor', 'agents',
  'adopt', 'gc', 'trust', 'untrust', 'restart',
}

--- The operations of verbs that are called otherwise.
local OPERATION = {
  edit = 'revise', watch = 'show', allow = 'answer', deny = 'answer', failures = 'show', verify = 'proof', again = 'verify',
}

--- Whether a verb can be used with a goal as it stands, as the server says.
---@param name string
---@param goal goalproof.GoalLine|goalproof.GoalView
---@return boolean
function M.is_possible(name, goal)
  local here = vim.list_contains(M.verbs[name].fits or {}, goal.status)
  local unread = goal.status == 'damaged' -- nobody can say what is possible with it
  return here and (unread or vim.list_contains(goal.possible, OPERATION[name] or name))
end

--- Verbs that fit every goal, or that a page of the goal itself has keys for.
local ASIDE = { 'show', 'watch', 'open', 'log', 'budget', 'replay', 'failures', 'cancel', 'archive' }

---@param name string
---@param goal goalproof.GoalView
---@return boolean
local function is_next(name, goal)
  local again = name == 'execute' and goal.status == 'ready' -- possible, and hardly what is wanted
  return M.is_possible(name, goal) and not vim.list_contains(ASIDE, name) and not again
end

--- The verbs to name for a goal as it stands, the likeliest first.
---@param goal goalproof.GoalView
---@return string[]
function M.find_next(goal)
  return vim.tbl_filter(function(name)
    return is_next(name, goal)
  end, M.order)
end

return M
