--- `:Goal`: from what was typed, clicked or pressed to a verb and its goal.
local client = require('goalproof.client')
local flow = require('goalproof.flow')
local operate = require('goalproof.operate')
local plain = require('goalproof.plain')
local verbs = require('goalproof.verbs')

local M = {}

local COUNTS =
  { 'wallSeconds', 'attempts', 'changedLines', 'tokens', 'turns', 'maxAgents', 'repairs' }
local WORDS = { 'usd', 'worker', 'agent', 'plan', 'planner', 'reviewer', 'kind' }
local ADDED = { 'addSeconds', 'addAttempts', 'addLines', 'addTokens', 'addUsd', 'addTurns' }
local MENU_GOALS = 5 -- goals that the menu offers verbs for

---@param root string
---@return table[] goals GoalLines, the newest first.
local function list_goals(root)
  return operate.operate(root, 'list').goals
end

---@param goals table[]
---@param name string
---@return table[]
local function find_fitting(goals, name)
  return vim.tbl_filter(function(goal)
    return verbs.is_possible(name, goal)
  end, goals)
end

--- The goal of the plan file that a person stands in.
---@return string? goal
local function find_planned_here()
  return vim.api.nvim_buf_get_name(0):match('/%.goalproof/goals/([^/]+)/plan%.toml$')
end

--- The goal that a verb is for: the only one that fits, or the one that the person chooses.
---@param root string
---@param name string
---@return string goal
local function pick_goal(root, name)
  local verb = verbs.verbs[name]
  local fitting = find_fitting(list_goals(root), name)
  if #fitting == 0 then
    flow.refuse(('no goal here can be used with `%s` now; `:Goal list` shows them.'):format(name))
  end
  if #fitting == 1 then
    return fitting[1].id
  end
  return flow.choose(fitting, verb.title, require('goalproof.goal').render_line).id
end

--- Splits `key=value` off what was typed.
---@param typed string[]
---@return string[] words
---@return table<string, string|integer> options
function M.split(typed)
  local words, options = {}, {}
  for _, word in ipairs(typed) do
    local key, value = word:match('^(%a+)=(.+)$')
    if key and vim.list_contains(COUNTS, key) and tonumber(value) then
      options[key] = tonumber(value)
    elseif key and (vim.list_contains(WORDS, key) or vim.list_contains(ADDED, key)) then
      options[key] = value
    else
      words[#words + 1] = word
    end
  end
  return words, options
end

---@param word? string
---@return boolean
local function is_goal(word)
  return word ~= nil and (word == 'latest' or word:match('^goal%-') ~= nil)
end

--- Carries out a verb.
---@param name string
---@param call goalproof.Call|{root: string}
function M.start(name, call)
  flow.run(function()
    local verb = verbs.verbs[name]
    call.words, call.options = call.words or {}, call.options or {}
    if verb.fits and not call.goal and is_goal(call.words[1]) then
      call.goal = table.remove(call.words, 1)
    end
    local foreign_proof = name == 'verify' and #call.words > 0
    if verb.fits and not call.goal and not foreign_proof then
      local here = vim.list_contains({ 'execute', 'revise' }, name) and find_planned_here()
      local as_it_stands = here and not next(call.options)
      call.document = as_it_stands and vim.uri_from_bufnr(0) or call.document
      call.goal = here or pick_goal(call.root, name)
    end
    verb.act(call)
  end)
end

---@return string? root
local function find_root()
  local root = client.find_here()
  if not root then
    flow.say(
      'this is no git repository; open a file of one, or `:cd` into one.',
      vim.log.levels.ERROR
    )
  end
  return root
end

---@param first integer
---@param last integer
---@return string context
local function select_lines(first, last)
  local name = vim.fn.fnamemodify(vim.api.nvim_buf_get_name(0), ':.')
  local lines = vim.api.nvim_buf_get_lines(0, first - 1, last, false)
  return ('In %s, lines %d to %d:\n%s'):format(name, first, last, table.concat(lines, '\n'))
end

--- What the user command calls.
---@param command vim.api.keyset.create_user_command.command_args
function M.run(command)
  local root = find_root()
  if not root then
    return
  end
  local typed = vim.list_slice(command.fargs)
  local name = table.remove(typed, 1)
  if not name then
    return M.menu(root)
  end
  if not verbs.verbs[name] then
    local known = table.concat(verbs.order, ', ')
    return flow.say(
      ('there is no `:Goal %s`; there are %s.'):format(name, known),
      vim.log.levels.ERROR
    )
  end
  local words, options = M.split(typed)
  local context = command.range > 0 and select_lines(command.line1, command.line2) or nil
  M.start(name, { root = root, words = words, options = options, context = context })
end

--- What a `<Plug>` map calls.
---@param name string
function M.press(name)
  local root = find_root()
  if not root then
    return
  end
  if name == 'menu' then
    return M.menu(root)
  end
  local context
  if vim.fn.mode():match('^[vV\22]') then
    local from, to = vim.fn.line('v'), vim.fn.line('.')
    context = select_lines(math.min(from, to), math.max(from, to))
    vim.api.nvim_feedkeys(vim.keycode('<Esc>'), 'nx', false)
  end
  M.start(name, { root = root, context = context })
end

---@param goals table[]
---@return {name: string, goal?: table}[] items
local function list_possible(goals)
  local items = {}
  for index = 1, math.min(MENU_GOALS, #goals) do
    for _, name in ipairs(verbs.order) do
      if name ~= 'watch' and verbs.is_possible(name, goals[index]) then
        items[#items + 1] = { name = name, goal = goals[index] }
      end
    end
  end
  for _, name in ipairs(verbs.order) do
    if not verbs.verbs[name].fits then
      items[#items + 1] = { name = name }
    end
  end
  return items
end

--- Offers what is possible now.
---@param root string
function M.menu(root)
  flow.run(function()
    local item = flow.choose(list_possible(list_goals(root)), 'Goalproof', function(one)
      local title = ('%s: %s'):format(one.name, verbs.verbs[one.name].title)
      return one.goal and ('%s (%s)'):format(title, plain.short(one.goal.text, 40)) or title
    end)
    M.start(item.name, { root = root, goal = item.goal and item.goal.id })
  end)
end

--- Carries out the verb of a lens or a code action.
---@param name string
---@param command lsp.Command
---@param context {client_id: integer}
function M.click(name, command, context)
  local given = (command.arguments or {})[1] or {}
  local root = given.root and vim.uri_to_fname(given.root) or client.root_of(context.client_id)
  if root then
    M.start(name, {
      root = root,
      goal = given.goal,
      path = given.path,
      document = given.document,
      criterion = given.criterion,
      words = given.task and { given.task } or {},
    })
  end
end

--- Begins a goal from a selection or a diagnostic, as a code action hands it over.
---@param given {text?: string, uri?: string}
function M.new_goal_from(given)
  local root = given.uri and vim.fs.root(vim.uri_to_fname(given.uri), '.git') or client.find_here()
  if not root then
    return
  end
  flow.run(function()
    local text = flow.input('What is to be true afterwards? ', plain.line(given.text))
    require('goalproof.work').new({ root = root, words = { text }, options = {} })
  end)
end

local known = {} ---@type table<string, goalproof.GoalLine[]>

--- Looks for the goals of a repository, so that completion has them without waiting.
---@param root string
local function look_for_goals(root)
  if client.find(root) then
    flow.run(function()
      local found = client.try(root, 'list')
      known[root] = found and found.goals or known[root]
    end)
  end
end

---@param candidates string[]
---@param lead string
---@return string[]
local function matching(candidates, lead)
  return vim.tbl_filter(function(candidate)
    return vim.startswith(candidate, lead)
  end, candidates)
end

--- Returns ids of goals that fit a verb; waits a moment for them the first time.
---@param root string
---@param name string
---@return string[]
local function complete_goals(root, name)
  look_for_goals(root)
  if not known[root] then
    vim.wait(500, function()
      return known[root] ~= nil
    end, 20)
  end
  local fitting = find_fitting(known[root] or {}, name)
  return vim.list_extend(
    vim.tbl_map(function(goal)
      return goal.id
    end, fitting),
    { 'latest' }
  )
end

local NEW = vim.list_extend(vim.list_slice(COUNTS), WORDS)
--- What verbs take as `key=value`.
---@type table<string, string[]>
local OPTIONS = {
  run = NEW,
  plan = NEW,
  new = NEW,
  revise = { 'planner', 'agent', 'plan' },
  review = { 'reviewer' },
  resume = { 'wallSeconds', 'attempts', 'changedLines', 'tokens', 'turns', 'repairs', 'usd' },
  budget = ADDED,
}

local function complete_agents(root)
  return require('goalproof.agents').complete(root)
end

--- What values there are, for the keys of which that is known.
---@type table<string, fun(root: string): string[]>
local VALUES = {
  agent = complete_agents,
  reviewer = complete_agents,
  planner = function()
    return { 'agent', 'scaffold' }
  end,
  worker = function()
    return { 'recipe', 'acp', 'wire', 'cli', 'manual' }
  end,
  plan = function()
    return vim.fn.glob('*.toml', false, true)
  end,
}

--- Returns the keys that a verb takes, or with a key what can stand after it.
---@param root string
---@param name string
---@param key? string
---@return string[]
local function complete_options(root, name, key)
  local keys = OPTIONS[name] or {}
  if not key then
    return vim.tbl_map(function(one)
      return one .. '='
    end, keys)
  end
  local values = vim.list_contains(keys, key) and VALUES[key]
  return vim.tbl_map(function(value)
    return ('%s=%s'):format(key, value)
  end, values and values(root) or {})
end

---@param lead string What stands before the cursor, of the word there.
---@param line string
---@param position integer
---@return string[]
function M.complete(lead, line, position)
  local before = line:sub(1, position)
  local words = vim.split(before:match('Goal!?%s*(.*)$') or '', '%s+')
  if #words <= 1 then
    return matching(verbs.order, lead)
  end
  local verb = verbs.verbs[words[1]]
  local root = client.find_here()
  if not verb or not root then
    return {}
  end
  if verb.fits and #words == 2 then
    local candidates = complete_goals(root, words[1])
    return matching(
      words[1] == 'open' and vim.list_extend(candidates, verbs.openable) or candidates,
      lead
    )
  end
  if words[1] == 'open' then
    return matching(verbs.openable, lead)
  end
  return matching(complete_options(root, words[1], lead:match('^(%a+)=')), lead)
end

return M
