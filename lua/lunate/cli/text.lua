-- lunate.cli.text - lines that fit: columns, wrapping, and what was meant.
local M = {}

---Columns of the terminal behind standard output; nil when there is none.
---@return integer?
function M.columns()
  local found, terminal = pcall(require, "lunate.terminal")
  if not found then
    return nil -- the Lua files alone, without the command
  end
  local _, columns = terminal.size(1)
  return columns
end

---The words of a text in lines of at most `columns`; a longer word stands
---alone.
---@param text string
---@param columns integer?  nil: one line
---@return string[]
function M.wrap(text, columns)
  local lines, line = {}, nil
  if not columns then
    return { text }
  end
  for word in text:gmatch("%S+") do
    if line and #line + 1 + #word <= columns then
      line = line .. " " .. word
    else
      lines[#lines + 1] = line
      line = word
    end
  end
  lines[#lines + 1] = line
  return lines
end

---"; did you mean 'x'?", or nothing.
---@param word string
---@param known string[]
---@return string
function M.guess(word, known)
  local found, core = pcall(require, "lunate.core")
  local best = found and core.near(word, known) or nil
  return best and ("; did you mean '%s'?"):format(best) or ""
end

---How long, as a person says it.
---@param seconds number
---@return string
function M.duration(seconds)
  local s = math.floor(seconds)
  if s < 120 then
    return ("%d s"):format(s)
  elseif s < 7200 then
    return ("%d min"):format(s / 60)
  elseif s < 172800 then
    return ("%d h %d min"):format(s / 3600, s % 3600 / 60)
  end
  return ("%d d %d h"):format(s / 86400, s % 86400 / 3600)
end

return M
