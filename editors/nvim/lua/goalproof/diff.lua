--- The change of a goal or a task, file by file, in Neovim's own diff mode: before left, after right.
local flow = require('goalproof.flow')
local operate = require('goalproof.operate')
local page = require('goalproof.page')
local plain = require('goalproof.plain')

local M = {}

local WHOLE = 'The whole change as one patch'

---@class goalproof.Change
---@field root string
---@field goal string
---@field task? string
---@field files string[]

---@param change goalproof.Change
---@param side 'base'|'head'
---@param path string
---@return integer buffer
local function make_side(change, side, path)
  local text = operate.request(change.root, 'goal/render', {
    goal = change.goal,
    task = change.task,
    page = side,
    path = path,
  })
  if text.binary then
    flow.refuse(plain.line(path) .. ' is no text; `:Goal open proof` has its digest.')
  end
  local lines = text.exists and vim.split(text.text, '\n', { plain = true }) or {}
  if lines[#lines] == '' then
    lines[#lines] = nil
  end
  local name = ('goalproof://%s/%s%s/%s'):format(
    change.goal,
    change.task and change.task .. '/' or '',
    side,
    path
  )
  return page.make(name, lines, vim.filetype.match({ filename = path }))
end

---@param change goalproof.Change
---@param index integer
local function show_file(change, index)
  local path = change.files[index]
  local base, head = make_side(change, 'base', path), make_side(change, 'head', path)
  vim.cmd.tabnew()
  local blank = vim.api.nvim_get_current_buf()
  vim.api.nvim_win_set_buf(0, base)
  vim.cmd.diffthis()
  vim.cmd('rightbelow vertical sbuffer ' .. head)
  vim.cmd.diffthis()
  vim.api.nvim_buf_delete(blank, { force = true })
  for _, buffer in ipairs({ base, head }) do
    M.map(buffer, change, index)
  end
end

--- In a diff, `q` closes it and `]f` and `[f` go to the next file and the one before.
---@param buffer integer
---@param change goalproof.Change
---@param index integer
function M.map(buffer, change, index)
  vim.b[buffer].goalproof_root = change.root
  local function close()
    if #vim.api.nvim_list_tabpages() > 1 then
      vim.cmd.tabclose()
    end
  end
  local function go(step)
    return function()
      local to = (index - 1 + step) % #change.files + 1
      close()
      flow.run(function()
        show_file(change, to)
      end)
    end
  end
  page.map(buffer, 'q', close, 'Close the diff')
  page.map(buffer, ']f', go(1), 'Next file of the change')
  page.map(buffer, '[f', go(-1), 'File of the change before')
end

---@param change goalproof.Change
local function show_patch(change)
  local view = operate.operate(change.root, 'diff', { goal = change.goal, task = change.task })
  vim.cmd.tabnew()
  local blank = vim.api.nvim_get_current_buf()
  local name = ('goalproof://%s/%spatch'):format(
    change.goal,
    change.task and change.task .. '/' or ''
  )
  local buffer = page.make(name, plain.lines(view.patch), 'diff')
  vim.api.nvim_win_set_buf(0, buffer)
  vim.api.nvim_buf_delete(blank, { force = true })
  vim.b[buffer].goalproof_root = change.root
  page.map(buffer, 'q', '<Cmd>tabclose<CR>', 'Close the diff')
end

---@param root string
---@param id string
---@param task? string
---@return goalproof.Change
local function find_change(root, id, task)
  local goal = operate.operate(root, 'show', { goal = id })
  local files = type(goal.change) == 'table' and goal.change.files or {}
  if task then
    local found = vim.iter(goal.tasks):find(function(one)
      return one.id == task
    end)
    files = found and found.files or {}
  end
  return { root = root, goal = goal.id, task = task, files = files }
end

--- Opens the change of a goal in a tab of its own.  Call it in a flow.
---@param root string
---@param id string
---@param path? string Only this file.
---@param task? string Only what this task changed.
function M.open(root, id, path, task)
  local change = find_change(root, id, task)
  if #change.files == 0 then
    flow.refuse('there is no change yet.')
  end
  if not path and #change.files == 1 then
    path = change.files[1]
  end
  if not path then
    local items = vim.list_extend(vim.list_slice(change.files), { WHOLE })
    path = flow.choose(items, 'Changed files', plain.line)
  end
  if path == WHOLE then
    return show_patch(change)
  end
  for index, file in ipairs(change.files) do
    if file == path then
      return show_file(change, index)
    end
  end
  flow.refuse(plain.line(path) .. ' is not in this change.')
end

return M
