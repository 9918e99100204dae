--- Text from repositories, agents and goals as plain text: nothing in it moves, colours or runs.
local M = {}

--- One line: control and direction characters are shown, not obeyed.
---@param text any
---@return string
function M.line(text)
  local line = tostring(text or ''):gsub('%s+', ' ')
  return vim.fn.strtrans(line)
end

---@param text string
---@return string[]
function M.lines(text)
  return vim.tbl_map(function(line)
    return (line:gsub('\27%[[%d;?]*%a', ''):gsub('[%z\1-\8\11-\31\127]', ''))
  end, vim.split(text:gsub('\r\n?', '\n'), '\n', { plain = true }))
end

--- A command as a person would type it, every word quoted that needs it.
---@param argv string[]
---@return string
function M.command(argv)
  local words = vim.tbl_map(function(word)
    if word:match('^[%w@%%_+=:,./{}-]+$') then
      return word
    end
    return "'" .. vim.fn.strtrans(word):gsub("'", "'\\''") .. "'"
  end, argv)
  return table.concat(words, ' ')
end

--- A beginning of `text` that is at most `width` cells wide.
---@param text any
---@param width integer
---@return string
function M.short(text, width)
  local line = M.line(text)
  if vim.fn.strdisplaywidth(line) <= width then
    return line
  end
  return vim.fn.strcharpart(line, 0, width - 1) .. '…'
end

--- "1 file", "2 files".
---@param number integer
---@param noun string
---@return string
function M.count(number, noun)
  return ('%d %s%s'):format(number, noun, number == 1 and '' or 's')
end

return M
