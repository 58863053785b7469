-- What the READMEs say is tried: every Lua block runs, every command exists,
-- and what is printed from tables is what the tables hold.
local core = require "lunate.core"
local fences = require "support.fences"
local host = require "support.host"
local live = require "support.live"
local pg = require "support.pg"
local sh = require "support.sh"

local PROGRAMS = { "README.md", "lua/README.md", "examples/README.md" }
local ALL = { "README.md", "lua/README.md", "examples/README.md",
  "runtime/README.md", "tests/README.md", "policies/README.md",
  "tests/bench/README.md" }

-- In front of a `lua fragment`, without a line of its own.
local PRELUDE = 'local lunate = require "lunate"; '
  .. "local db = assert(lunate.open()); "

local function read_sources()
  local list = sh.ok { "find", "runtime", "lua", "-name", "*.[ch]", "-o",
    "-name", "*.lua" }
  local all = {}
  for path in list:gmatch("[^\n]+") do all[path] = sh.read(path) end
  return all
end

-- ---- running ---------------------------------------------------------------

local function name_of(fence)
  return ("%s:%d"):format(fence.file, fence.line)
end

local function run_sql(fence, url)
  local db = live.open(url, { schema = "healthcare" })
  assert(db:script(fence.text))
  live.close()
end

-- A `lua luajit` block is run by plain luajit, from the root of the tree.
local function argv_of(fence)
  local text = fence.text:gsub("build/", sh.build .. "/")
  if fence.info[2] == "luajit" then
    return { "luajit", sh.tmpfile(text, ".lua") }
  end
  if fence.info[2] == "fragment" then
    text = PRELUDE .. text
  end
  return { sh.build .. "/lunate", "run", sh.tmpfile(text, ".lua") }
end

-- The file that a block of a policy file is: it begins with "-- NAME.lua:", or
-- is isolation.lua.
local function save_policy(fence, folder)
  local name = fence.text:match("^%-%- (%l+)%.lua:") or "isolation"
  sh.write(folder .. "/" .. name .. ".lua", fence.text)
end

-- `lua policy` is a file, and `lua isolated` a program under those so far.
local function run_lua(fence, url, folder)
  if fence.info[2] == "policy" then
    save_policy(fence, folder)
    return
  end
  local argv = argv_of(fence)
  argv.timeout = 60
  argv.env = { DATABASE_URL = url, LUA_PATH = false, LUA_CPATH = false,
    LUNATE_CONTROL_SOCKET = "false", LUNATE_STATE_DIR = folder,
    LUNATE_POLICIES = fence.info[2] == "isolated" and folder or nil }
  local r = sh.run(argv)
  assert.equal(0, r.code, name_of(fence) .. "\n" .. r.err .. r.out)
end

-- A program in C, against the header and library of this build.
local function run_c(fence, url)
  local source = sh.tmpfile(fence.text, ".c")
  host.run { host.compile(source), env = { DATABASE_URL = url } }
end

local RUN = { sql = run_sql, lua = run_lua, c = run_c }

for i, file in ipairs(PROGRAMS) do
  describe("what " .. file .. " shows", function()
    local url, folder
    setup(function()
      url, folder = pg.database("readme_" .. i), sh.tmpdir()
    end)
    teardown(live.close)

    for _, fence in ipairs(fences.only(fences.of(file), "lua", "sql",
      "c")) do
      it("works: " .. name_of(fence), function()
        RUN[fence.info[1]](fence, url, folder)
      end)
    end
  end)
end

local function tests_in(text)
  return select(2, text:gsub('\ntest "', ""))
end

-- A block of a policy file is what `lunate policy test` accepts; it is that of
-- isolation.lua, or begins with "-- NAME.lua:".  access.lua stands beside the
-- first one of isolation.lua, whose tables it is about.
describe("the policies that policies/README.md shows", function()
  local blocks = fences.only(fences.of("policies/README.md"), "lua", "policy")
  for _, fence in ipairs(blocks) do
    it("hold: " .. name_of(fence), function()
      local folder = sh.tmpdir()
      local name = fence.text:match("^%-%- (%l+)%.lua:") or "isolation"
      local tests = tests_in(fence.text)
      if name == "access" then
        sh.write(folder .. "/isolation.lua", blocks[1].text)
        tests = tests + tests_in(blocks[1].text)
      end
      sh.write(folder .. "/" .. name .. ".lua", fence.text)
      local r = sh.run { sh.build .. "/lunate", "policy", "test", folder }
      assert.equal(0, r.code, r.out .. r.err)
      assert.truthy(r.out:find(tests .. " passed, 0 failed", 1, true), r.out)
    end)
  end
end)

describe("the policies of the clinic example", function()
  it("are in order, and each of their tests passes", function()
    local r = sh.run { sh.build .. "/lunate", "policy", "test", "policies" }
    assert.equal(0, r.code, r.out .. r.err)
    local n = tonumber(r.out:match("(%d+) passed, 0 failed\n$"))
    assert.is_true(n >= 18, r.out)
  end)
end)

describe("a block that is broken", function()
  it("does not pass for one that works", function()
    local url = pg.database("readme_broken")
    for _, text in ipairs { "error 'x'", "assert(db:query 'selec')",
      "for for", "assert(db:query('select 1')[1].one == 1)" } do
      assert.has_error(function()
        run_lua({ file = "x", line = 1, info = { "lua", "fragment" },
          text = text }, url)
      end)
    end
  end)
end)

-- ---- commands --------------------------------------------------------------

local function targets()
  local all = {}
  local list = sh.ok { "find", "Makefile", "runtime/package", "-name",
    "*.mk", "-o", "-name", "Makefile" }
  for path in list:gmatch("[^\n]+") do
    for name in ("\n" .. sh.read(path)):gmatch("\n([%l][%l-]*):[^\n=]*## ") do
      all[name] = true
    end
  end
  return all
end

local function commands()
  local out = sh.ok { sh.build .. "/lunate", "help" }
  local all = {}
  for name in out:match("Commands:(.*)$"):gmatch("\n   (%l+)") do
    all[name] = true
  end
  return all
end

local function check_make(words, known)
  for i = 2, #words do
    if not words[i]:find("=", 1, true) then
      assert.is_true(known.targets[words[i]], "make " .. words[i])
    end
  end
end

-- These are run as they stand, with the exit codes they may have: nothing runs
-- that `status` or `ctl` could ask.
local HARMLESS = { query = 0, config = 0, doctor = 0, help = 0, version = 0,
  completion = 0, status = 1, ctl = 1 }

local function run_line(line, most)
  local r = sh.run { "sh", "-c", (line:gsub("build/lunate", sh.build
    .. "/lunate")), timeout = 60, env = { NO_COLOR = "1",
    DATABASE_URL = pg.database("readme_commands"),
    LUNATE_STATE_DIR = sh.tmpdir() } }
  assert.is_true(r.code and r.code <= most, line .. "\n" .. r.err)
end

local function check_lunate(words, known)
  assert.is_true(known.commands[words[2]], "lunate " .. words[2])
  if words[1] == "build/lunate" and HARMLESS[words[2]] then
    run_line(words.line, HARMLESS[words[2]])
  end
  if words[2] == "dev" then
    local help = sh.ok { sh.build .. "/lunate", "help", "dev" }
    assert.truthy(help:find("\n   " .. words[3], 1, true), words[3])
  end
  if words[2] == "run" and words[3]:find("^examples/") then
    assert.not_equal("", sh.read(words[3]), words[3])
  end
end

local function check_file(words)
  assert.not_equal("", sh.read(words[2]), words[2])
end

local function check_rock(words)
  check_file { words[2], words[3] }
end

-- tests/lua/install_spec.lua compiles with the same words.
local function check_cc(words)
  local tried = sh.read("tests/lua/install_spec.lua"):gsub('"%s*%.%. "', "")
  assert.truthy(tried:find(table.concat(words, " ", 3), 1, true))
end

local function check_source(words)
  assert.equal("<(build/lunate completion bash)",
    table.concat(words, " ", 2))
end

local CHECKS = { make = check_make, lunate = check_lunate,
  ["build/lunate"] = check_lunate, luajit = check_file, cc = check_cc,
  luarocks = check_rock, source = check_source }
local KNOWN = { git = true, cd = true, busted = true, export = true }

local function check_line(line, known)
  local words = { line = line }
  for word in (line:gsub("#.*$", "")):gmatch("%S+") do
    if #words > 0 or not word:find("^[%u_]+=") then
      words[#words + 1] = word
    end
  end
  if #words == 0 or KNOWN[words[1]] then return end
  assert.truthy(CHECKS[words[1]], "what is " .. words[1])
  CHECKS[words[1]](words, known)
end

describe("the commands in", function()
  local known
  setup(function() known = { targets = targets(), commands = commands() } end)

  for _, file in ipairs(ALL) do
    it(file .. " exist", function()
      for _, fence in ipairs(fences.only(fences.of(file), "sh")) do
        for line in fence.text:gmatch("[^\n]+") do
          check_line(line, known)
        end
      end
    end)
  end

  it("a README are refused when they do not exist", function()
    for _, line in ipairs { "make tea", "lunate fly", "build/lunate dev fly",
      "luajit no/such.lua", "rm x" } do
      assert.has_error(function() check_line(line, known) end)
    end
  end)
end)

-- ---- tables ----------------------------------------------------------------

describe("README.md", function()
  it("has the table of options that the runtime reads", function()
    assert.equal(core.config_markdown(),
      fences.between("README.md", "options"))
  end)

  -- An option is used where the runtime's own copy of it is looked at.
  it("names the options that have no effect yet, and only those", function()
    local named, used = {}, {}
    for key in fences.between("README.md", "unused"):gmatch("`([%l_]+)`") do
      named[key] = true
    end
    for path, text in pairs(read_sources()) do
      if not path:find("/config[%l_]*%.[ch]$") then
        for key in text:gmatch("config[%.%->]+([%l_]+)") do
          used[key] = true
        end
        if path:find("runtime/engine/%l+%.c$") then
          for key in text:gmatch("%f[%w]c%->([%l_]+)") do used[key] = true end
        end
      end
    end
    for key in core.config_markdown():gmatch("| `([%l_]+)` |") do
      assert.equal(not used[key], named[key] == true, key)
    end
  end)

  it("and policies/README.md tell every reason of a refusal, in its words",
    function()
      local told, n = fences.between("policies/README.md", "reasons"), 0
      local list = sh.read("runtime/sql/refusal.h")
      for word, meaning in list:gmatch('X%([%u_]+, "([^"]+)", "([^"]+)"%)') do
        n = n + 1
        assert.truthy(told:find(("\n| %s | %s |"):format(word, meaning), 1,
          true), word)
      end
      assert.equal(n + 1, select(2, told:gsub("\n|", "\n|")), "and no other")
    end)

  it("quotes only texts that lunate has", function()
    local all = {}
    for _, text in pairs(read_sources()) do
      all[#all + 1] = text:gsub('"[%s%.]*"', "")
    end
    local source, n = table.concat(all, "\n"), 0
    for row in fences.between("README.md", "troubles"):gmatch("[^\n]+") do
      local symptom = row:match("^| (.-) |") or ""
        for quote in symptom:gmatch("`([^`]+)`") do
        n = n + 1
        assert.truthy(source:find(quote, 1, true), quote)
      end
    end
    assert.is_true(n >= 20)
  end)
end)
