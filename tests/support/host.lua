-- host - programs in C against lunate.h and the built library, for live specs.
--
--   local program = host.compile "tests/live/capi/guest.c"
--   host.run { program, "fork", env = { DATABASE_URL = url } }
--   host.valgrind { program }
local assert = require "luassert"
local sh = require "support.sh"

local M = {}

-- A sanitized library wants a sanitized host.
local SANITIZERS = { asan = "-fsanitize=address,undefined",
  tsan = "-fsanitize=thread" }
M.sanitizer = sh.build:match("/(%lsan)$")

local function words(text)
  local all = {}
  for word in text:gmatch("%S+") do all[#all + 1] = word end
  return all
end

local function libraries()
  local out = sh.ok { "pkg-config", "--libs", "libpq", "hiredis", "libxxhash",
    "jansson", "libzstd", "openssl", "luajit" }
  return words(out .. " -lev -lpg_query -lprotobuf-c -lpthread -lm")
end

local function append(list, more)
  for _, v in ipairs(more) do list[#list + 1] = v end
  return list
end

--- Compiles and links it with the static library of this build.
---@param source string
---@return string program
function M.compile(source)
  local program = sh.tmpdir() .. "/" .. source:match("([^/]+)%.c$")
  local argv = { "cc", "-std=gnu11", "-g", "-O1", "-Wall", "-Wextra",
    "-Werror", "-D_GNU_SOURCE", "-Iruntime", source, "-o", program }
  if M.sanitizer then argv[#argv + 1] = SANITIZERS[M.sanitizer] end
  append(argv, { sh.build .. "/liblunate.a" })
  sh.ok(append(argv, libraries()))
  return program
end

--- Runs it; the options are those of sh.run. It has to end with `code`, 0
--- unless told, and a sanitizer has to be content.
---@return support.Result
function M.run(argv)
  argv.timeout = argv.timeout or 110
  argv.env = argv.env or {}
  argv.env.ASAN_OPTIONS = "detect_leaks=1"
  local r = sh.run(argv)
  assert.equal(argv.code or 0, r.code, r.err .. r.out)
  assert.is_nil(r.err:find("WARNING: ThreadSanitizer", 1, true), r.err)
  return r
end

--- Runs it under valgrind, where there is no sanitizer: no invalid access,
--- nothing definitely lost.
--- LuaJIT's string compares look at bytes nobody wrote, which is left unsaid
--- when argv.lua is set.
---@return support.Result
function M.valgrind(argv)
  local all = { "valgrind", "-q", "--leak-check=full",
    "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite",
    "--keep-debuginfo=yes", "--error-exitcode=99",
    "--undef-value-errors=" .. (argv.lua and "no" or "yes") }
  append(all, argv)
  all.env, all.cwd = argv.env, argv.cwd
  local r = M.run(all)
  assert.is_nil(r.err:find("definitely lost", 1, true), r.err)
  return r
end

return M
