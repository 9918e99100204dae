--- Changes that the server makes: all of them or none, each buffer one step of undo.
---
--- Neovim's own handler says "applied" of an edit that it left out because the buffer is newer; a
--- change that is half there is worse than one that is not.  So versions are looked at first.
local config = require('goalproof.config')

local M = {}

---@param edit lsp.WorkspaceEdit
---@return string[] uris Of the files whose text the edit changes.
local function find_changed(edit)
  local uris = {}
  for _, change in ipairs(edit.documentChanges or {}) do
    if change.textDocument then
      uris[#uris + 1] = change.textDocument.uri
    end
  end
  return vim.list_extend(uris, vim.tbl_keys(edit.changes or {}))
end

--- Why a change does not fit the buffers as they are, nil when it does.
---@param edit lsp.WorkspaceEdit
---@return string?
local function find_misfit(edit)
  for _, change in ipairs(edit.documentChanges or {}) do
    local document = change.textDocument
    local version = document and document.version
    if type(version) == 'number' and version > 0 then
      local buffer = vim.uri_to_bufnr(document.uri)
      local now = vim.lsp.util.buf_versions[buffer]
      if now and now > version then
        return vim.uri_to_fname(document.uri) .. ' was edited meanwhile'
      end
    end
  end
  return nil
end

---@param uri string
local function save(uri)
  local buffer = vim.uri_to_bufnr(uri)
  if vim.api.nvim_buf_is_loaded(buffer) and vim.bo[buffer].modified then
    vim.api.nvim_buf_call(buffer, function()
      vim.cmd.write({ mods = { silent = true, noautocmd = false } })
    end)
  end
end

---@param params lsp.ApplyWorkspaceEditParams
---@param client_id integer
---@return lsp.ApplyWorkspaceEditResult
function M.apply(params, client_id)
  local client = vim.lsp.get_client_by_id(client_id)
  local misfit = not client and 'the client is gone' or find_misfit(params.edit)
  if misfit then
    return { applied = false, failureReason = misfit }
  end
  ---@cast client vim.lsp.Client
  local done, fault = pcall(vim.lsp.util.apply_workspace_edit, params.edit, client.offset_encoding)
  if not done then
    return { applied = false, failureReason = tostring(fault) }
  end
  local uris = find_changed(params.edit)
  M.touched = vim.tbl_map(vim.uri_to_fname, uris)
  if config.get().save_on_apply then
    vim.iter(uris):each(save)
  end
  return { applied = true }
end

---@type string[] The files that the last edit changed.
M.touched = {}

return M
