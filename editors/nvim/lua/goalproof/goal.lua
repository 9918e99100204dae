--- What most verbs share: to carry out an operation on a goal, and to tell how the goal stands.
local flow = require('goalproof.flow')
local operate = require('goalproof.operate')
local plain = require('goalproof.plain')

local M = {}

--- Tells in one line how a goal stands.
---@param goal goalproof.GoalView
function M.tell(goal)
  local words = goal.status:gsub('_', ' ')
  local why = goal.blocker ~= '' and (': ' .. plain.line(goal.blocker)) or ''
  flow.say(('“%s” is %s%s'):format(plain.short(goal.text, 60), words, why))
end

--- Tells that a goal is worked on, or why it is not.
---@param goal goalproof.GoalView
function M.tell_start(goal)
  if goal.status ~= 'planned' and goal.status ~= 'running' then
    return M.tell(goal)
  end
  flow.say(('“%s” is under way; `:Goal show` follows it'):format(plain.short(goal.text, 60)))
end

---@param call goalproof.Call
---@param operation string
---@param params? table
---@return goalproof.GoalView goal
function M.about(call, operation, params)
  local given = vim.tbl_extend('force', { goal = call.goal }, params or {})
  return operate.operate(call.root, operation, given)
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

return M
