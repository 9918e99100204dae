--- Verbs that put goals out of sight or take them back, and make room on the disk.
local flow = require('goalproof.flow')
local goals = require('goalproof.goal')
local operate = require('goalproof.operate')
local plain = require('goalproof.plain')

local M = {}

---@param goal goalproof.GoalView
local function say(goal, what)
  flow.say(('“%s” %s'):format(plain.short(goal.text, 60), what))
end

--- Puts a goal that stands still out of the lists.
---@param call goalproof.Call
function M.archive(call)
  local reason = table.concat(call.words, ' ')
  say(goals.about(call, 'archive', { reason = reason }), 'is archived; nothing of it went')
end

--- Takes a goal of the archive back.
---@param call goalproof.Call
function M.unarchive(call)
  local lines = operate.operate(call.root, 'list', { archived = true }).goals
  local away = vim.tbl_filter(function(line)
    return line.archived
  end, lines)
  if #away == 0 then
    flow.refuse('no goal is archived here.')
  end
  local chosen = flow.choose(away, 'Take which goal out of the archive?', goals.render_line)
  say(operate.operate(call.root, 'unarchive', { goal = chosen.id }), 'is in the lists again')
end

---@param bytes integer
---@return string
local function size(bytes)
  return bytes >= 2 ^ 20 and ('%.1f MiB'):format(bytes / 2 ^ 20)
    or ('%d KiB'):format(math.ceil(bytes / 1024))
end

--- Shows what takes room and can go; a yes lets it go.
---@param call goalproof.Call
function M.gc(call)
  local shown = operate.operate(call.root, 'gc')
  local lines = {}
  for _, room in ipairs(shown.rooms) do
    if room.count > 0 then
      lines[#lines + 1] = ('  %s: %d, %s'):format(room.words, room.count, size(room.bytes))
    end
  end
  local used = ('%s are kept in %s.'):format(size(shown.used), plain.line(shown.folder))
  if #lines == 0 then
    return flow.say('nothing can go; ' .. used)
  end
  local prompt = ('%s\n%s\nFree %s?'):format(used, table.concat(lines, '\n'), size(shown.bytes))
  if flow.choose({ 'Free it', 'No' }, prompt) == 'Free it' then
    flow.say(('%s went.'):format(size(operate.operate(call.root, 'gc', { yes = true }).bytes)))
  end
end

return M
