-- Runs the `lunate` command line as a process of its own, from the Lua files of
-- this tree under plain luajit.
local M = {}

local function quote(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

local LOADER = "package.path = 'lua/?.lua;lua/?/init.lua;' .. package.path; "
local MAIN = " os.exit(require('lunate.cli').main(arg))"

---The shell words that run the command line.
---@param words string[]
---@param opts? { env?: table<string, string|boolean>, before?: string } false
---unsets a variable; before is Lua to run first
---@return string
function M.line(words, opts)
  opts = opts or {}
  local parts = { "env" }
  for name, value in pairs(opts.env or {}) do
    if not value then
      table.insert(parts, 2, "-u " .. name)
    else
      parts[#parts + 1] = name .. "=" .. quote(value)
    end
  end
  parts[#parts + 1] = "luajit -e " .. quote(LOADER .. (opts.before or "")
    .. MAIN) .. " /dev/null"
  for _, word in ipairs(words) do
    parts[#parts + 1] = quote(word)
  end
  return table.concat(parts, " ")
end

---Runs a shell command, without what a sanitizer preloads into the tests.
---@param line string
---@return integer code
---@return string out
---@return string err
function M.shell(line)
  local errors = os.tmpname()
  local pipe = assert(io.popen(("unset LD_PRELOAD; { %s; } </dev/null 2>%s; "
    .. "echo \" $?\""):format(line, errors)))
  local out, code = pipe:read("*a"):match("^(.*) (%d+)\n$")
  pipe:close()
  local file = assert(io.open(errors))
  local err = file:read("*a")
  file:close()
  os.remove(errors)
  return tonumber(code), out, err
end

---Runs `lunate WORDS...`.
---@return integer code
---@return string out
---@return string err
function M.run(words, opts)
  return M.shell(M.line(words, opts))
end

return M
