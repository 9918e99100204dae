--- Which files the language server is attached to: every file of a git repository, nothing else.
local M = {}

---@param buffer integer
---@return string? root Where the server of this buffer belongs, nil when it needs none.
function M.wants(buffer)
  local client = require('goalproof.client')
  if not require('goalproof.config').get().autostart then
    return nil
  end
  local root = client.find_root(buffer)
  return root and not client.has_failed(root) and root or nil
end

---@param buffer integer
function M.attach(buffer)
  local root = vim.api.nvim_buf_is_loaded(buffer) and M.wants(buffer)
  if root then
    require('goalproof.client').start(root, buffer)
  end
end

function M.enable()
  vim.api.nvim_create_autocmd({ 'BufReadPost', 'BufNewFile', 'BufFilePost' }, {
    group = vim.api.nvim_create_augroup('goalproof.attach', {}),
    desc = 'Start the goalproof language server for files of a git repository',
    callback = function(event)
      M.attach(event.buf)
    end,
  })
  if vim.v.vim_did_enter == 1 then
    vim.iter(vim.api.nvim_list_bufs()):each(M.attach)
  end
end

return M
