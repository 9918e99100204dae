--- The log of a task or a gate, followed while it runs.
local client = require('goalproof.client')
local flow = require('goalproof.flow')
local operate = require('goalproof.operate')
local page = require('goalproof.page')
local plain = require('goalproof.plain')

local M = {}

local PAUSE = 300 -- milliseconds between two looks at a log that runs

---@class goalproof.Follow
---@field root string
---@field buffer integer
---@field params table What is asked for, with the next offset.
---@field name? string Whose log is shown.
---@field rest string The beginning of a line whose end has not come.

---@param follow goalproof.Follow
---@param lines string[]
local function append(follow, lines)
  local buffer = follow.buffer
  local at_end = {}
  for _, window in ipairs(vim.fn.win_findbuf(buffer)) do
    at_end[window] = vim.api.nvim_win_get_cursor(window)[1] == vim.api.nvim_buf_line_count(buffer)
  end
  vim.bo[buffer].modifiable = true
  vim.api.nvim_buf_set_lines(buffer, -2, -1, false, lines)
  vim.bo[buffer].modifiable = false
  for window, stays in pairs(at_end) do
    if stays then
      vim.api.nvim_win_set_cursor(window, { vim.api.nvim_buf_line_count(buffer), 0 })
    end
  end
end

--- Writes what a look at the log brought; a log of another name begins under a heading.
---@param follow goalproof.Follow
---@param part {name: string, text: string, offset: integer, live: boolean}
---@return boolean fits Whether the part belongs to the offset that was asked for.
function M.take(follow, part)
  if follow.name ~= part.name then
    local heading = follow.name and { follow.rest, '', '── ' .. plain.line(part.name), '' }
      or { '── ' .. plain.line(part.name), '' }
    local asked_from_start = (follow.params.offset or 0) == 0
    append(follow, heading)
    follow.name, follow.rest, follow.params.offset = part.name, '', 0
    if not asked_from_start then
      return false
    end
  end
  local lines = plain.lines(follow.rest .. part.text)
  append(follow, lines)
  follow.rest, follow.params.offset = lines[#lines], part.offset
  return true
end

---@param follow goalproof.Follow
local function look(follow)
  flow.run(function()
    while vim.api.nvim_buf_is_valid(follow.buffer) do
      local part, refusal = client.try(follow.root, 'log', follow.params)
      if refusal or not vim.api.nvim_buf_is_valid(follow.buffer) then
        return
      end
      local fits = M.take(follow, part)
      local snapshot = require('goalproof.progress').find(follow.root, part.goal)
      local runs = part.live or (snapshot and snapshot.status == 'running')
      if fits and not runs then
        return
      end
      flow.await(function(done)
        vim.defer_fn(done, fits and PAUSE or 0)
      end)
    end
  end)
end

--- Opens the log in a split and follows it.  Call it in a flow.
---@param root string
---@param id string
---@param task? string
---@param gate? string
---@return integer buffer
function M.open(root, id, task, gate)
  local params = { goal = id, task = task, gate = gate }
  local part = operate.operate(root, 'log', params)
  local buffer = page.make(('goalproof://%s/log'):format(part.goal), { '' }, nil)
  vim.cmd('botright sbuffer ' .. buffer)
  vim.b[buffer].goalproof_root = root
  page.map(buffer, 'q', '<Cmd>close<CR>', 'Close the log')
  params.goal = part.goal
  look({ root = root, buffer = buffer, params = params, rest = '' })
  return buffer
end

return M
