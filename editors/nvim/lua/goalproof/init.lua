--- Goalproof in Neovim.  Nothing has to be called; see |goalproof|.
local M = {}

--- Changes defaults; see |goalproof-config|.  What is wrong in it `:checkhealth goalproof` says.
---@param options? goalproof.Config Only what differs.
function M.setup(options)
  require('goalproof.config').set(options)
  require('goalproof.client').tell_settings()
end

--- The goal that was told of last in this window's repository: phase, done of all, what blocks it.
---@return string
function M.statusline()
  local root = require('goalproof.client').find_here()
  local progress = require('goalproof.progress')
  return progress.line(progress.latest(root))
end

--- The same as data, nil when no goal was told of.
---@param root? string The folder of a repository; this window's when left out.
---@return goalproof.Snapshot?
function M.progress(root)
  return require('goalproof.progress').latest(root or require('goalproof.client').find_here())
end

return M
