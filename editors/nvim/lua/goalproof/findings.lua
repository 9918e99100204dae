--- Verbs that look into a goal: why it stands where it stands, what happened to it, what a review of
--- its change finds, and what nothing notices when a hunk of it is gone.
local flow = require('goalproof.flow')
local goals = require('goalproof.goal')
local plain = require('goalproof.plain')

local M = {}

---@param out string[]
---@param heading string
---@param texts string[]
local function add(out, heading, texts)
  for index, text in ipairs(texts) do
    vim.list_extend(out, index == 1 and { '', heading } or {})
    out[#out + 1] = '  ' .. plain.line(text)
  end
end

---@param path any
---@param line any
---@return string place `calc.py:3`; empty where there is none.
local function place_of(path, line)
  if type(path) ~= 'string' then
    return ''
  end
  return type(line) == 'number' and ('%s:%d'):format(path, line) or path
end

---@param fact goalproof.SeenView
---@return string
local function render_seen(fact)
  local place = place_of(fact.path, fact.line)
  return ('%s: %s%s'):format(fact.source, place ~= '' and place .. ' ' or '', fact.text)
end

---@param found goalproof.FindingView
---@return string
local function render_finding(found)
  local excerpt = found.excerpt ~= '' and (': ' .. found.excerpt) or ''
  local place = place_of(found.path, found.line)
  return ('%s %s %s %s%s'):format(found.severity, found.rule, place, found.message, excerpt)
end

---@param word string
---@param texts string[]
---@return string[]
local function named(word, texts)
  return vim.tbl_map(function(text)
    return word .. ': ' .. text
  end, texts)
end

---@param section goalproof.ReviewSectionView
---@return string[]
local function render_section(section)
  local texts = vim.tbl_map(render_finding, section.findings)
  vim.list_extend(texts, section.more > 0 and { ('and %d more'):format(section.more) } or {})
  vim.list_extend(texts, named('risk', section.risks))
  vim.list_extend(texts, named('not looked at', section.gaps))
  return vim.list_extend(texts, section.next ~= '' and { 'next: ' .. section.next } or {})
end

---@param hunk goalproof.HunkView
---@return string
local function render_hunk(hunk)
  return ('%s %s: %s'):format(hunk.standing, place_of(hunk.path, hunk.line), hunk.reason)
end

---@param name string
---@param goal string
---@param lines string[]
local function show(name, goal, lines)
  require('goalproof.page').float(('goalproof://%s/%s'):format(goal, name), name, lines)
end

---@param call goalproof.Call
function M.diagnose(call)
  local found = goals.about(call, 'diagnose')
  local out = { plain.line(found.text), '', (found.status:gsub('_', ' ')) }
  add(out, 'Why', found.why ~= '' and { found.why } or {})
  add(out, 'Likely cause', found.cause ~= '' and { found.cause } or {})
  add(out, 'What to do', found.advice ~= '' and { found.advice } or {})
  add(out, 'Seen', vim.tbl_map(render_seen, found.evidence))
  add(out, 'Tried', found.tried)
  show('diagnosis', found.goal, out)
end

---@param moment goalproof.MomentView
---@return string
local function render_moment(moment)
  local by = moment.by ~= '' and (' — by ' .. moment.by) or ''
  local said = moment.text:find(moment.reason, 1, true) -- a stop says why by itself
  local reason = not said and (': ' .. moment.reason) or ''
  local moved = moment.status ~= moment.was and (' [%s]'):format(moment.status) or ''
  local at = moment.at:sub(1, 19):gsub('T', ' ')
  return ('%d  %s  %s%s%s%s'):format(moment.seq, at, moment.text, by, reason, moved)
end

--- Tells a goal's history.
---@param call goalproof.Call
function M.replay(call)
  local found = goals.about(call, 'replay')
  local out = { plain.line(found.text), '', (found.status:gsub('_', ' ')) }
  add(out, 'Damaged', found.damage ~= '' and { found.damage } or {})
  add(out, 'Note', found.note ~= '' and { found.note } or {})
  add(out, 'Not what is shown elsewhere', found.defects)
  add(out, 'Earlier', found.earlier > 0 and { ('%d more'):format(found.earlier) } or {})
  add(out, 'What happened (UTC)', vim.tbl_map(render_moment, found.moments))
  show('replay', found.goal, out)
end

--- Looks through the change; with `reviewer=NAME` that agent does first, as far as it can.
---@param call goalproof.Call
function M.review(call)
  local reviewer = call.options.reviewer
  if reviewer then
    flow.say(('%s reviews the change …'):format(plain.line(reviewer)))
  end
  local found = goals.about(call, 'review', { reviewer = reviewer })
  local out = { found.status, 'tree ' .. found.tree:sub(1, 12) }
  for _, section in ipairs(found.sections) do
    local heading = ('%s: %s'):format(section.name, (section.status:gsub('_', ' ')))
    local texts = render_section(section)
    add(out, heading, #texts > 0 and texts or { 'nothing was found' })
  end
  show('review', found.goal, out)
end

--- Takes each hunk away and runs the gates: their time, once for each hunk.
---@param call goalproof.Call
function M.hunks(call)
  flow.say('taking each hunk away and running the gates …')
  local found = goals.about(call, 'hunks')
  local counts = {}
  for word, number in pairs(found.count) do
    counts[#counts + 1] = ('%d %s'):format(number, plain.line(word))
  end
  table.sort(counts)
  local said = #counts > 0 and table.concat(counts, ', ') or 'none'
  local out = { said }
  add(out, 'Without each hunk', vim.tbl_map(render_hunk, found.hunks))
  show('hunks', found.goal, out)
  flow.say('the hunks: ' .. said)
end

return M
