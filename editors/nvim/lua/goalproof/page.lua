--- Windows that show text and are closed with `q`.
local M = {}

---@param buffer integer
---@param lines string[]
function M.fill(buffer, lines)
  vim.bo[buffer].modifiable = true
  vim.api.nvim_buf_set_lines(buffer, 0, -1, false, lines)
  vim.bo[buffer].modifiable = false
  vim.bo[buffer].modified = false
end

--- A buffer of no file, gone when it is not shown any more.
---@param name string
---@param lines string[]
---@param filetype? string
---@return integer buffer
function M.make(name, lines, filetype)
  local old = vim.fn.bufnr('^' .. vim.fn.escape(name, '*?[]{},\\') .. '$')
  if old ~= -1 then
    vim.api.nvim_buf_delete(old, { force = true })
  end
  local buffer = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_name(buffer, name)
  vim.bo[buffer].bufhidden = 'wipe'
  vim.bo[buffer].swapfile = false
  M.fill(buffer, lines)
  if filetype then
    vim.bo[buffer].filetype = filetype
  end
  return buffer
end

---@param buffer integer
---@param key string
---@param act string|fun()
---@param words string
function M.map(buffer, key, act, words)
  vim.keymap.set('n', key, act, { buffer = buffer, nowait = true, silent = true, desc = words })
end

---@param lines string[]
---@param title string
---@return vim.api.keyset.win_config
local function place(lines, title)
  local widest = vim.fn.strdisplaywidth(title) + 4
  for _, line in ipairs(lines) do
    widest = math.max(widest, vim.fn.strdisplaywidth(line))
  end
  local width = math.max(1, math.min(widest, vim.o.columns - 6))
  local height = math.max(1, math.min(#lines, vim.o.lines - 6))
  return {
    relative = 'editor',
    width = width,
    height = height,
    row = math.max(0, math.floor((vim.o.lines - height) / 2) - 1),
    col = math.max(0, math.floor((vim.o.columns - width) / 2)),
    border = require('goalproof.config').get().border,
    title = (' %s '):format(title),
    title_pos = 'center',
    style = 'minimal',
  }
end

--- Shows lines in a floating window and goes there.
---@param name string
---@param title string
---@param lines string[]
---@param filetype? string
---@return integer buffer
---@return integer window
function M.float(name, title, lines, filetype)
  local buffer = M.make(name, lines, filetype)
  local window = vim.api.nvim_open_win(buffer, true, place(lines, title))
  vim.wo[window].wrap = true
  vim.wo[window].linebreak = true
  M.map(buffer, 'q', '<Cmd>close<CR>', 'Close')
  M.map(buffer, '<Esc>', '<Cmd>close<CR>', 'Close')
  return buffer, window
end

--- Gives a floating window the size of its new lines.
---@param window integer
---@param title string
---@param lines string[]
function M.resize(window, title, lines)
  vim.api.nvim_win_set_config(window, place(lines, title))
end

return M
