-- The C API in somebody else's house: hosts that block signals, close their
-- descriptors and fork; what valgrind says; who can compile the header.
-- What each function does stands in tests/unit/test_capi_*.c.
local host = require "support.host"
local pg = require "support.pg"
local sh = require "support.sh"

local url, guest

setup(function()
  url = pg.database("capi_spec")
  guest = host.compile "tests/live/capi/guest.c"
end)

local function run(what)
  return host.run { guest, what, env = { DATABASE_URL = url } }
end

describe("a runtime inside a host", function()
  it("leaves the host its signals, and its threads get none", function()
    run "signals"
  end)

  it("is not disturbed by handlers that interrupt what waits", function()
    run "interrupts"
  end)

  it("raises no SIGPIPE when connections break", function()
    run "pipe"
  end)

  it("works when standard input, output and error are closed", function()
    run "closed"
  end)

  it("prints nothing on standard output", function()
    local r = run "pipe"
    assert.equal("", r.out)
    assert.truthy(r.err:find("slow query", 1, true), r.err)
  end)

  -- A thread sanitizer ends the child of a process with threads when it
  -- starts threads itself.
  if host.sanitizer ~= "tsan" then
    it("tells a child of fork(), which may open its own, and lives on",
      function() run "fork" end)
  end
end)

describe("a host that did all there is to do", function()
  local SCRIPT = [[
    local lunate = require "lunate"
    return {
      echo = function(...) return ... end,
      fail = function() return assert(lunate.open()):query "select 1/0" end,
    }]]

  it("has given all memory back when it has closed", function()
    local whole = host.compile "tests/live/capi/whole.c"
    local argv = { whole, sh.tmpfile(SCRIPT, ".lua"), lua = true,
      env = { DATABASE_URL = url } }
    if host.sanitizer then
      host.run(argv)
    else
      host.valgrind(argv)
    end
  end)
end)

-- ---- the header ------------------------------------------------------------

local STRICT = { "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only",
  "-Iruntime" }
local COMPILERS = {
  { "gcc", "c11" }, { "gcc", "c17" }, { "clang", "c11" }, { "clang", "c17" },
  { "g++", "c++17" }, { "clang++", "c++17" }, { "g++", "c++20" },
}

-- Everything that the header defines itself is used once.
local USER = [[
#include <lunate.h>
int main(void)
{
	struct lunate_options o = lunate_defaults();
	struct lunate_value v[] = {lunate_int(1), lunate_text("t"),
		lunate_bytes("b", 1), lunate_json("{}"), lunate_null(),
		lunate_bool(1), lunate_real(1.5), lunate_textn("n", 1)};
	struct lunate_call c = lunate_sql("select 1", v, 8);
	struct lunate_who w = lunate_nobody();
	struct lunate_then t = lunate_then_of(0, 0);
	struct lunate_tx_options x = lunate_tx_defaults();
	struct lunate_operations b = lunate_batch_of(&c, 0, 1);
	struct lunate_copy p = lunate_copy_of("copy");
	struct lunate_lua l = lunate_lua_of("f", v, 8);
	return (int)(o.size + c.size + w.size + t.size + x.size + b.size +
		p.size + l.size) == 0;
}
]]

describe("lunate.h", function()
  for _, one in ipairs(COMPILERS) do
    local compiler, standard = one[1], one[2]

    it(("compiles alone as %s by %s"):format(standard, compiler), function()
      local suffix = standard:find("++", 1, true) and ".cc" or ".c"
      for _, text in ipairs { "#include <lunate.h>\n",
        "#include <lunate.h>\n#include <lunate.h>\n", USER } do
        local argv = { compiler, "-std=" .. standard }
        for _, flag in ipairs(STRICT) do argv[#argv + 1] = flag end
        argv[#argv + 1] = sh.tmpfile(text, suffix)
        local r = sh.run(argv)
        assert.equal(0, r.code, r.err)
        assert.equal("", r.err)
      end
    end)
  end

  it("declares each function once, and says who must look at its result",
    function()
      local text = sh.read("runtime/lunate.h")
      local seen = {}
      for line in text:gmatch("\nLUNATE_API[^;]+;") do
        local name = line:match("(lunate_[%l_]+)%(")
        assert.is_nil(seen[name], name)
        seen[name] = true
        local fails = line:find("struct lunate_error *e", 1, true)
        assert.equal(fails ~= nil and line:find("LUNATE_MUST_USE") == nil,
          false, name)
      end
    end)
end)
