--- Verbs to look around with, and those about the repository and the server.
local client = require('goalproof.client')
local flow = require('goalproof.flow')
local goals = require('goalproof.goal')
local operate = require('goalproof.operate')
local plain = require('goalproof.plain')
local verbs = require('goalproof.verbs')
local work = require('goalproof.work')

local M = {}

local about = goals.about

---@param call goalproof.Call
function M.list(call)
  local lines = operate.operate(call.root, 'list').goals
  if #lines == 0 then
    flow.refuse('there is no goal yet; `:Goal new` makes one.')
  end
  local goal = flow.choose(lines, 'Goals, the newest first', goals.render_line)
  require('goalproof.view').open(call.root, goal.id)
end

---@param call goalproof.Call
function M.show(call)
  require('goalproof.view').open(call.root, call.goal)
end

---@type table<string, fun(call: goalproof.Call)>
local OPENERS = {
  plan = work.edit,
  proof = function(call)
    require('goalproof.outcome').proof(call)
  end,
  task = function(call)
    local named = vim.tbl_extend('force', call, { words = { call.words[2] } })
    local place = about(call, 'open', { what = 'task', task = work.find_manual_task(named) })
    client.adopt(place.path, call.root)
    vim.cmd.tabnew(vim.fn.fnameescape(place.path))
    vim.cmd.tcd(vim.fn.fnameescape(place.path))
  end,
}

---@param call goalproof.Call
function M.open(call)
  local what = call.words[1] or flow.choose(verbs.openable, 'Open what?')
  local opener = OPENERS[what]
  if not opener then
    flow.refuse(
      ('“%s” cannot be opened; %s can.'):format(what, table.concat(verbs.openable, ', '))
    )
  end
  opener(call)
end

---@param call goalproof.Call
function M.log(call)
  require('goalproof.log').open(call.root, call.goal, call.words[1])
end

---@param call goalproof.Call
function M.gates(call)
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
  for index, passed in ipairs(view.passedOver or {}) do
    local what = plain.line(passed.what)
    local where = passed.folder == '.' and '' or (' in ' .. plain.line(passed.folder))
    vim.list_extend(lines, index == 1 and { '', 'Not gates' } or {})
    table.insert(lines, '  ' .. what .. where .. ': ' .. plain.line(passed.reason))
  end
  require('goalproof.page').float('goalproof://gates', 'gates', lines)
end

---@param call goalproof.Call
function M.doctor(call)
  local lines = {}
  for _, check in ipairs(operate.operate(call.root, 'doctor').checks) do
    table.insert(lines, ('%s  %s'):format(plain.line(check.standing), plain.line(check.name)))
    table.insert(lines, '  ' .. plain.line(check.said))
    if (check.next or '') ~= '' then
      table.insert(lines, '  → ' .. plain.line(check.next))
    end
  end
  require('goalproof.page').float('goalproof://doctor', 'doctor', lines)
end

--- Makes goals of another place one's own, as far as they can be.
---@param call goalproof.Call
function M.adopt(call)
  local adopted = operate.operate(call.root, 'adopt')
  local rest = adopted.elsewhere > 0
      and (' %d of the %d goals were not made here and can only be looked at.'):format(
        adopted.elsewhere,
        adopted.goals
      )
    or ''
  vim.notify('Goalproof: new goals can be made here.' .. rest)
end

--- Everybody who can do a task: an agent, or a worker that needs none.
---@param view goalproof.AgentsView
---@return {name: string, title: string, available: boolean, settings: goalproof.Settings}[]
local function list_workers(view)
  local items = {}
  local function add(list, make_settings)
    for _, one in ipairs(list) do
      local item = { name = one.name, title = one.title, available = one.available }
      items[#items + 1] = vim.tbl_extend('error', item, { settings = make_settings(one.name) })
    end
  end
  add(view.agents or {}, function(name)
    return { agent = name, worker = '' }
  end)
  local others = vim.tbl_filter(function(worker)
    return not vim.list_contains({ 'acp', 'wire', 'cli' }, worker.name)
  end, view.workers)
  add(others, function(name)
    return { agent = '', worker = name }
  end)
  return items
end

--- Lets the person choose who does new goals, for this session.
---@param call goalproof.Call
function M.agents(call)
  local items = list_workers(operate.operate(call.root, 'agents'))
  local chosen = flow.choose(items, 'Who does new goals?', function(item)
    local missing = item.available and '' or ' (not installed)'
    return ('%s: %s%s'):format(plain.line(item.name), plain.line(item.title), missing)
  end)
  require('goalproof.config').prefer(chosen.settings)
  client.tell_settings()
  flow.say(('new goals are for %s from now on, in this session.'):format(plain.line(chosen.name)))
end

---@param call goalproof.Call
function M.trust(call)
  operate.ask_trust(call.root)
  flow.say(('%s is trusted.'):format(plain.line(call.root)))
end

---@param call goalproof.Call
function M.untrust(call)
  require('goalproof.trust').forget(call.root)
  client.tell_trust(call.root)
  flow.say(('%s is not trusted any more.'):format(plain.line(call.root)))
end

---@param call goalproof.Call
function M.restart(call)
  client.restart(call.root)
  flow.say('the language server runs.')
end

return M
