--- What a person can set, what it is when they set nothing, and what is wrong with what they set.
---
--- Both `vim.g.goalproof` and `setup()` are read; `setup()` wins.  Nothing here fails: a value that
--- does not fit is reported by `:checkhealth goalproof` and its default is used.
local M = {}

---@class goalproof.Config
---@field cmd string[] How the language server is started.
---@field autostart boolean Whether it starts with the first file of a git repository.
---@field save_on_apply boolean Whether buffers are written after a change was applied to them.
---@field notify 'all'|'needed'|'off' What is told by `vim.notify`; errors always are.
---@field border string Border of floating windows, as |nvim_open_win()| takes it.
---@field settings goalproof.Settings What the server is told; see `protocol.lua`.

---@type goalproof.Config
M.defaults = {
  cmd = { 'goalproof', 'lsp' },
  autostart = true,
  save_on_apply = false,
  notify = 'all',
  border = 'rounded',
  settings = {},
}

local function is_command(value)
  return vim.islist(value)
    and #value > 0
    and vim.iter(value):all(function(word)
      return type(word) == 'string'
    end)
end

local function is_boolean(value)
  return type(value) == 'boolean'
end

local function is_string(value)
  return type(value) == 'string'
end

local function is_table(value)
  return type(value) == 'table'
end

local function is_count(value)
  return type(value) == 'number' and value > 0 and value % 1 == 0
end

local function one_of(...)
  local words = { ... }
  return function(value)
    return vim.list_contains(words, value)
  end
end

---@class goalproof.Rule
---@field fits fun(value: any): boolean
---@field wanted string What fits, in words.

---@type table<string, goalproof.Rule>
M.rules = {
  cmd = { fits = is_command, wanted = 'a list of words, e.g. { "goalproof", "lsp" }' },
  autostart = { fits = is_boolean, wanted = 'true or false' },
  save_on_apply = { fits = is_boolean, wanted = 'true or false' },
  notify = { fits = one_of('all', 'needed', 'off'), wanted = '"all", "needed" or "off"' },
  border = { fits = is_string, wanted = 'the name of a border' },
  settings = { fits = is_table, wanted = 'a table' },
}

---@type table<string, goalproof.Rule>
M.setting_rules = {
  lens = { fits = one_of('all', 'summary', 'off'), wanted = '"all", "summary" or "off"' },
  diagnostics = { fits = is_boolean, wanted = 'true or false' },
  worker = { fits = is_string, wanted = 'the name of a worker' },
  agent = { fits = is_string, wanted = 'the name of an agent' },
  maxAgents = { fits = is_count, wanted = 'a whole number above 0' },
  wallSeconds = { fits = is_count, wanted = 'a whole number above 0' },
}

local given = {} ---@type table<string, any>

---@param options? table<string, any>
function M.set(options)
  given = options or {}
end

--- Takes from `values` what fits `rules` and appends a sentence to `problems` for all else.
---@param values table<string, any>
---@param rules table<string, goalproof.Rule>
---@param prefix string
---@param problems string[]
---@return table<string, any>
local function sift(values, rules, prefix, problems)
  local kept = {}
  for key, value in vim.spairs(values) do
    local rule = rules[key]
    if not rule then
      problems[#problems + 1] = ('`%s%s` is no setting of goalproof.'):format(prefix, key)
    elseif not rule.fits(value) then
      local words = '`%s%s` is not %s; the default is used.'
      problems[#problems + 1] = words:format(prefix, key, rule.wanted)
    else
      kept[key] = value
    end
  end
  return kept
end

--- Changes what the server is told, for this session.
---@param settings goalproof.Settings
function M.prefer(settings)
  given.settings = vim.tbl_extend('force', given.settings or {}, settings)
end

---@return goalproof.Config config
---@return string[] problems What was not understood, one sentence each.
function M.read()
  local problems = {}
  local global = vim.g.goalproof
  if global ~= nil and type(global) ~= 'table' then
    problems[#problems + 1] = '`vim.g.goalproof` is not a table; it is ignored.'
    global = nil
  end
  local asked = vim.tbl_deep_extend('force', global or {}, given)
  local kept = sift(asked, M.rules, '', problems)
  kept.settings = sift(kept.settings or {}, M.setting_rules, 'settings.', problems)
  return vim.tbl_extend('force', M.defaults, kept), problems
end

---@return goalproof.Config
function M.get()
  return (M.read())
end

--- What the server is told: every setting, so that none is left to guess.
---@return goalproof.Settings
function M.for_server()
  return vim.tbl_extend('force', require('goalproof.protocol').defaults, M.get().settings)
end

return M
