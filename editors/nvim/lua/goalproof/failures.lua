--- What fails, in the quickfix list: tests at their lines, gates that did not meet their bar.
local plain = require('goalproof.plain')

local M = {}

---@param goal? string Only of this goal.
---@return table[] entries Of the quickfix list.
local function find_tests(goal)
  local found = vim.tbl_filter(function(diagnostic)
    local data = vim.tbl_get(diagnostic, 'user_data', 'lsp', 'data')
    local of = type(data) == 'table' and data.goal or nil
    return diagnostic.source == 'goalproof' and (not goal or not of or of == goal)
  end, vim.diagnostic.get())
  return vim.diagnostic.toqflist(found)
end

---@param goal goalproof.GoalView
---@return table[] entries
local function find_gates(goal)
  local entries = {}
  for _, gate in ipairs(goal.gates) do
    if gate.met == false then
      local text = ('gate %s: %s'):format(plain.line(gate.name), plain.line(gate.verdict))
      entries[#entries + 1] = { text = text, type = 'E' }
    end
  end
  for _, criterion in ipairs(goal.criteria) do
    if criterion.state ~= 'verified' and goal.status == 'not_ready' then
      local text = ('criterion %s: %s'):format(
        plain.line(criterion.text),
        plain.line(criterion.reason)
      )
      entries[#entries + 1] = { text = text, type = 'W' }
    end
  end
  return entries
end

--- Fills the quickfix list and opens it when there is something in it.
---@param goal? goalproof.GoalView All diagnostics of the server when left out.
---@return integer entries
function M.show(goal)
  local items = find_tests(goal and goal.id)
  if goal then
    vim.list_extend(items, find_gates(goal))
  end
  vim.fn.setqflist({}, ' ', { title = 'Goalproof: what fails', items = items })
  if #items > 0 then
    vim.cmd('botright copen')
  end
  return #items
end

return M
