-- install - runs make as a user does, from within a test.
local sh = require "support.sh"

local M = {}

--- The build folder as make was told it: files of it are known to be made.
M.B = os.getenv("LUNATE_BUILD") or "build"

-- What the make that runs the tests tells its children is not for this one.
local function environment(more)
  local env = { MAKEFLAGS = false, MFLAGS = false, MAKELEVEL = false,
    DESTDIR = false, PREFIX = false, LIBDIR = false }
  for name, value in pairs(more or {}) do env[name] = value end
  return env
end

--- `make -C ROOT ...` from a foreign folder.
---@param words string[] with env, for changes of the environment
---@return support.Result
function M.make(words)
  return sh.run { "make", "-s", "--no-print-directory", "-C", sh.root,
    "B=" .. M.B, cwd = "/", timeout = 300, env = environment(words.env),
    unpack(words) }
end

--- The same; it has to work.
---@return string out
function M.ok(words)
  local r = M.make(words)
  if r.code ~= 0 then
    error(("make %s: %s%s"):format(table.concat(words, " "), r.out, r.err), 2)
  end
  return r.out
end

--- Files and links below a folder, sorted, by their path in it.
---@param dir string
---@param ... string more words for find
---@return string[]
function M.files(dir, ...)
  local all = {}
  local out = sh.ok { "find", dir, "(", "-type", "f", "-o", "-type", "l", ")",
    "-printf", "%P\n", ... }
  for path in out:gmatch("[^\n]+") do all[#all + 1] = path end
  table.sort(all)
  return all
end

--- The version that the Makefile names.
---@return string
function M.version()
  return sh.read("Makefile"):match("\nVERSION := (%S+)")
end

return M
