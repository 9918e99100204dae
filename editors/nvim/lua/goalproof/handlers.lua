--- What the server tells and asks of its own accord.
local client = require('goalproof.client')

local M = {}

local function on_progress(_, snapshot, context)
  local root = client.root_of(context.client_id)
  if root then
    require('goalproof.progress').take(root, snapshot)
  end
end

local function on_lens_refresh(_, _, context)
  for _, buffer in ipairs(vim.lsp.get_buffers_by_client_id(context.client_id)) do
    require('goalproof.lens').refresh(buffer)
  end
  return vim.NIL
end

local function on_apply_edit(_, params, context)
  return require('goalproof.edit').apply(params, context.client_id)
end

---@type table<string, lsp.Handler>
M.handlers = {
  ['goal/progress'] = on_progress,
  ['workspace/applyEdit'] = on_apply_edit,
}
if vim.fn.has('nvim-0.12') == 0 then
  M.handlers['workspace/codeLens/refresh'] = on_lens_refresh
end

return M
