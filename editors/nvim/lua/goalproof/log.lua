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
---@param part goalproof.LogView
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

--- Waits until the goal of a log, which stands still, is worked on again.
---@param follow goalproof.Follow
local function await_work(follow)
  local goal = follow.params.goal
  local last = require('goalproof.progress').find(follow.root, goal)
  local stopped = not last or last.status ~= 'running' -- what is told may be behind what was read
  flow.await(function(done)
    vim.api.nvim_create_autocmd('User', {
      pattern = 'GoalproofProgress',
      desc = 'Follow the log of a goal that goes on',
      callback = function(event)
        local told = event.data.snapshot
        if not vim.api.nvim_buf_is_valid(follow.buffer) then
          return true
        end
        if event.data.root ~= follow.root or told.goalId ~= goal then
          return
        end
        if stopped and told.status == 'running' then
          done()
          return true
        end
        stopped = stopped or told.status ~= 'running'
      end,
    })
  end)
end

--- Reads the log of a new attempt: below that of the last one, or in its place where one log was asked for.
---@param follow goalproof.Follow
local function begin_again(follow)
  follow.name, follow.params.offset = '', 0
  if follow.params.task or follow.params.gate then
    page.fill(follow.buffer, { '' })
    follow.name, follow.rest = nil, ''
  end
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
      local is_all = fits and part.text == '' -- an answer holds a part of what there is
      if is_all and not (part.live or part.running) then
        await_work(follow)
        begin_again(follow)
      else
        flow.await(function(done)
          vim.defer_fn(done, is_all and PAUSE or 0)
        end)
      end
    end
  end)
end

--- What can be done about a goal while its log is read; what is not possible now says so.
local KEYS = {
  { key = 't', verb = 'tell', words = 'tell the agent' },
  { key = 'a', verb = 'answer', words = 'answer it' },
  { key = 'p', verb = 'pause', words = 'pause' },
  { key = 'r', verb = 'resume', words = 'resume' },
}

--- Gives the log its keys, and a line above it that names them: below it, the log goes on.
---@param buffer integer
---@param root string
---@param params {goal: string, task?: string} What was asked for.
local function add_keys(buffer, root, params)
  local line = { 'q close' }
  page.map(buffer, 'q', '<Cmd>close<CR>', 'Close the log')
  for _, one in ipairs(KEYS) do
    line[#line + 1] = ('%s %s'):format(one.key, one.words)
    page.map(buffer, one.key, function()
      local call = { root = root, goal = params.goal, task = params.task }
      require('goalproof.commands').start(one.verb, call)
    end, one.words)
  end
  vim.wo[0][0].winbar = table.concat(line, ' · ')
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
  params.goal = part.goal
  add_keys(buffer, root, params)
  look({ root = root, buffer = buffer, params = params, rest = '' })
  return buffer
end

return M
