--- Whether a person said that a repository may be executed.  Without a clear yes it may not.
---
--- The word is kept in Neovim's own trust database (`stdpath('state')/trust`), so that |:trust| and
--- |vim.secure.trust()| know it and can take it back.  The database is read here and not through
--- |vim.secure.read()|, which would ask, in the middle of opening a file.  Writing goes through
--- |vim.secure.trust()| with a buffer of the folder's name: 0.11 and newer note "directory", and
--- 0.10, which knows files alone, notes the digest of the buffer, which holds the sentence below.
local M = {}

local SENTENCE = 'goalproof may execute the gates and plans of this folder'

---@param root string
---@return string? path The real path of a folder, nil when it has none.
local function real(root)
  return vim.uv.fs_realpath(vim.fs.normalize(root))
end

--- What the database says of a path: a digest, "directory", "!" for denied, or nil.
---@param path string
---@return string?
local function find_word(path)
  local file = io.open(vim.fs.joinpath(vim.fn.stdpath('state'), 'trust'), 'r')
  if not file then
    return nil
  end
  local found
  for line in file:lines() do
    local word, of = line:match('^(%S+) (.+)$')
    if of == path then
      found = word
    end
  end
  file:close()
  return found
end

---@param root string
---@return boolean
function M.is_trusted(root)
  local path = real(root)
  local word = path and find_word(path)
  return word ~= nil and (word == 'directory' or word == vim.fn.sha256(SENTENCE .. '\n'))
end

--- Whether the person said that a folder is never to be trusted.
---@param root string
---@return boolean
function M.is_denied(root)
  local path = real(root)
  return path ~= nil and find_word(path) == '!'
end

--- Remembers that a folder is trusted.
---@param root string
---@return boolean remembered
function M.allow(root)
  local path = real(root)
  if not path then
    return false
  end
  local buffer = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_lines(buffer, 0, -1, true, { SENTENCE })
  local done = pcall(function()
    vim.bo[buffer].fileformat = 'unix'
    vim.api.nvim_buf_set_name(buffer, path)
    vim.secure.trust({ action = 'allow', bufnr = buffer })
  end)
  vim.api.nvim_buf_delete(buffer, { force = true })
  return done and M.is_trusted(root)
end

--- Forgets what was said of a folder; `action` "deny" remembers a no.
---@param root string
---@param action? 'remove'|'deny'
function M.forget(root, action)
  local path = real(root)
  if path then
    vim.secure.trust({ action = action or 'remove', path = path })
  end
end

return M
