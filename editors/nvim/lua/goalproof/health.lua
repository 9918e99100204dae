--- `:checkhealth goalproof`: what has to be there, what is, and what to do about the rest.
local M = {}

local client = require('goalproof.client')
local config = require('goalproof.config')
local trust = require('goalproof.trust')

local WANTED_GIT = { 2, 38 }

local function check_neovim()
  local version = tostring(vim.version())
  if vim.fn.has('nvim-0.10') == 1 then
    vim.health.ok('Neovim ' .. version)
  else
    vim.health.error(('Neovim %s is too old'):format(version), 'Install Neovim 0.10 or newer')
  end
end

--- The version of the program that starts the server, nil when it cannot be asked.
---@param cmd string[]
---@return string?
local function ask_version(cmd)
  local words = vim.list_slice(cmd)
  if words[#words] ~= 'lsp' then
    return nil
  end
  words[#words] = '--version'
  local started, process = pcall(vim.system, words, { text = true, timeout = 10000, cwd = '/' })
  local ended = started and process:wait() or nil
  return ended and ended.code == 0 and vim.trim(ended.stdout) or nil
end

---@param cmd string[]
local function check_program(cmd)
  local fault = client.find_fault(cmd)
  if fault then
    return vim.health.error(fault)
  end
  vim.health.ok(('the server is started with `%s`'):format(table.concat(cmd, ' ')))
  local version = ask_version(cmd)
  if version then
    vim.health.ok('it is ' .. version)
  else
    vim.health.warn(
      'its version cannot be asked for',
      'See whether the command works in a terminal'
    )
  end
end

local function check_git()
  local started, process = pcall(vim.system, { 'git', '--version' }, { text = true })
  local said = started and process:wait().stdout or ''
  local major, minor = said:match('(%d+)%.(%d+)')
  if not major then
    return vim.health.error('git cannot be run', 'Install git 2.38 or newer')
  end
  local there = { tonumber(major), tonumber(minor) }
  if vim.version.ge(there, WANTED_GIT) then
    vim.health.ok(vim.trim(said))
  else
    vim.health.error(vim.trim(said) .. ' is too old', 'Install git 2.38 or newer')
  end
end

local function check_clients()
  local clients = vim.lsp.get_clients({ name = client.NAME })
  if #clients == 0 then
    vim.health.warn(
      'no language server runs',
      'Open a file of a git repository, or `:Goal restart`'
    )
  end
  for _, one in ipairs(clients) do
    local root = one.config.root_dir
    local info = one.server_info or {}
    local buffers = vim.tbl_count(one.attached_buffers)
    vim.health.ok(
      ('%s %s serves %s (%d buffers)'):format(
        info.name or 'a server',
        info.version or '',
        root,
        buffers
      )
    )
    if trust.is_trusted(root) then
      vim.health.ok(root .. ' is trusted')
    else
      vim.health.info(
        root .. ' is not trusted: nothing of it is executed, and no lens is shown. `:Goal trust` changes that'
      )
    end
  end
end

local function check_config()
  local _, problems = config.read()
  if #problems == 0 then
    vim.health.ok('every setting is understood')
  end
  for _, problem in ipairs(problems) do
    vim.health.warn(problem, 'See |goalproof-config|')
  end
end

function M.check()
  vim.health.start('goalproof')
  check_neovim()
  check_git()
  check_program(config.get().cmd)
  check_clients()
  check_config()
end

return M
