--- What the server told of each goal, and the one line that a statusline shows of it.
---
--- Kept here and not taken from `vim.lsp.status()`, which forgets what it has once returned.
local plain = require('goalproof.plain')

local M = {}

---@class goalproof.Snapshot What `goal/progress` carries.
---@field goalId string
---@field rev integer A lower one is older.
---@field text string
---@field status string
---@field phase string
---@field done integer
---@field total integer
---@field percentage integer
---@field lines string[]
---@field spend table
---@field blocker string
---@field asks string[]

---@type table<string, table<string, goalproof.Snapshot>>
local told = {} -- root → goal → its newest snapshot
---@type table<string, goalproof.Snapshot>
local newest = {} -- root → what was told last

local BLOCKER = 60 -- cells of a blocker in a statusline

--- What a person wants to hear of, by status.
---@type table<string, {level: integer, needed: boolean, words: string}>
local NEWS = {
  ready = { level = vim.log.levels.INFO, words = 'is ready: `:Goal diff` shows the change' },
  not_ready = { level = vim.log.levels.WARN, words = 'is not ready' },
  blocked_on_human = { level = vim.log.levels.WARN, needed = true, words = 'waits for you' },
  blocked_on_external = { level = vim.log.levels.WARN, needed = true, words = 'is blocked' },
  needs_more_budget = { level = vim.log.levels.WARN, needed = true, words = 'used its limits up' },
  failed_infra = { level = vim.log.levels.ERROR, needed = true, words = 'failed' },
}

---@param snapshot goalproof.Snapshot
local function tell_news(snapshot)
  local news = NEWS[snapshot.status]
  local wanted = require('goalproof.config').get().notify
  if not news or wanted == 'off' or (wanted == 'needed' and not news.needed) then
    return
  end
  local why = snapshot.blocker ~= '' and (': ' .. plain.line(snapshot.blocker)) or ''
  local hint = news.needed and ' (`:Goal` shows what can be done)' or ''
  require('goalproof.flow').say(
    ('“%s” %s%s%s'):format(plain.short(snapshot.text, 60), news.words, why, hint),
    news.level
  )
end

--- Tells of what agents began to ask.
---@param before? goalproof.Snapshot
---@param snapshot goalproof.Snapshot
local function tell_asks(before, snapshot)
  local known = before and before.asks or {}
  local new = vim.iter(snapshot.asks or {}):any(function(key)
    return not vim.list_contains(known, key)
  end)
  if new and require('goalproof.config').get().notify ~= 'off' then
    local words = ('“%s”: %s (`:Goal allow`, `:Goal deny`, `:Goal answer`)'):format(
      plain.short(snapshot.text, 60),
      plain.line(snapshot.blocker)
    )
    require('goalproof.flow').say(words, vim.log.levels.WARN)
  end
end

---@param root string
---@param snapshot goalproof.Snapshot
function M.take(root, snapshot)
  local goals = vim.tbl_get(told, root) or {}
  local before = goals[snapshot.goalId]
  if before and before.rev >= snapshot.rev then
    return
  end
  goals[snapshot.goalId] = snapshot
  told[root] = goals
  newest[root] = snapshot
  vim.api.nvim_exec_autocmds('User', {
    pattern = 'GoalproofProgress',
    modeline = false,
    data = { root = root, snapshot = snapshot },
  })
  if before and before.status ~= snapshot.status then
    tell_news(snapshot)
  end
  tell_asks(before, snapshot)
  vim.cmd.redrawstatus({ bang = true })
end

--- The server of `root` is gone: what it told is not known to be so any more.
---@param root? string
function M.forget(root)
  if root then
    told[root], newest[root] = nil, nil
    vim.cmd.redrawstatus({ bang = true })
  end
end

---@param root string
---@param goal string
---@return goalproof.Snapshot?
function M.find(root, goal)
  return vim.tbl_get(told, root, goal)
end

--- What to show of a repository: what runs, or else what was told of last.
---@param root? string
---@return goalproof.Snapshot?
function M.latest(root)
  local last = root and newest[root]
  if not last or last.status == 'running' then
    return last
  end
  return vim.iter(vim.tbl_values(told[root])):find(function(snapshot)
    return snapshot.status == 'running'
  end) or last
end

--- One line for a statusline, without highlighting; empty when nothing was told.
---
--- A per cent sign would be an instruction in a statusline, so there is none in it.
---@param snapshot? goalproof.Snapshot
---@return string
function M.line(snapshot)
  if not snapshot then
    return ''
  end
  local line
  if snapshot.status == 'running' then
    line = ('goal: %s %d/%d'):format(snapshot.phase, snapshot.done, snapshot.total)
  else
    line = 'goal: ' .. snapshot.status:gsub('_', ' ')
  end
  if snapshot.blocker ~= '' then
    line = line .. ' · ' .. plain.short(snapshot.blocker, BLOCKER)
  end
  return (line:gsub('%%', '％'))
end

return M
