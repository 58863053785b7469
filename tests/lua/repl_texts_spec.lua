-- The small parts of the prompt: errors with their place, names after \d,
-- history, commands, colours, the words of `lunate query`.
package.preload["lunate.core"] = package.preload["lunate.core"]
  or function() return {} end
package.preload["lunate.terminal"] = function() return {} end

local colour = require "lunate.cli.colour"
local complain = require "lunate.repl.complain"
local history = require "lunate.repl.history"
local pattern = require "lunate.repl.pattern"
local query = require "lunate.cli.query"
local sh = require "support.sh"
local syntax = require "lunate.repl.syntax"

local PLAIN = colour.new(false)

-- An error as lunate.errors makes it.
local function failure(position)
  return setmetatable({ code = "undefined", position = position },
    { __tostring = function() return "undefined: no such column" end })
end

describe("an error", function()
  it("has a caret under the character that the server names", function()
    assert.equal("LINE 1: select nme from t\n               ^\n",
      complain.pointer("select nme from t", 8))
    assert.equal("LINE 2:   nme\n          ^\n",
      complain.pointer("select\n  nme\nfrom t", 10))
  end)

  it("counts characters, and stands under wide ones", function()
    assert.equal("LINE 1: select '日本', nme\n" .. (" "):rep(23) .. "^\n",
      complain.pointer("select '日本', nme", 14))
  end)

  it("shows the part of a long line that holds it", function()
    local sql = "select " .. ("a, "):rep(200) .. "nme" .. (", b"):rep(200)
    local text = complain.pointer(sql, 608, 60)
    local line, caret = text:match("^([^\n]*)\n( *)^\n$")
    assert.is_true(#line <= 60)
    assert.equal("nme", line:sub(#caret + 1, #caret + 3))
  end)

  it("stays whole where a position is beyond the end", function()
    assert.equal("LINE 1: select\n              ^\n",
      complain.pointer("select", 7))
  end)

  it("shows the statement to who typed it, and to nobody else", function()
    local sql = "select nme from patients where name = 'secret'"
    local text = complain.text(failure(8), { sql = sql, echo = true }, PLAIN)
    assert.equal("ERROR undefined: no such column\nLINE 1: " .. sql
      .. "\n               ^\n", text)
    assert.equal("ERROR undefined: no such column at character 8\n",
      complain.text(failure(8), { sql = sql }, PLAIN))
    assert.equal("ERROR undefined: no such column\n",
      complain.text(failure(), { sql = sql, echo = true }, PLAIN))
  end)

  it("names the statement of its line, or the line of its file", function()
    assert.equal("ERROR statement 2 of 3: x\n",
      complain.text("x", { number = 2, of = 3 }, PLAIN))
    assert.equal("ERROR a.sql:7: x\n",
      complain.text("x", { from = 7, file = "a.sql" }, PLAIN))
    assert.equal("ERROR line 8: undefined: no such column at character 10\n",
      complain.text(failure(10), { from = 7, sql = "select\n  nme" }, PLAIN))
  end)
end)

describe("a name after \\d", function()
  it("is folded, and its stars and question marks are any letters", function()
    assert.same({ n = 2, nil, "^(patients)$" },
      { n = 2, pattern.parse "Patients" })
    assert.same({ "^(health.*)$", "^(v.sits)$" },
      { pattern.parse "health*.v?sits" })
  end)

  it("is taken as it is inside of quotes", function()
    assert.same({ n = 2, nil, "^(Odd\\.Name\\*)$" },
      { n = 2, pattern.parse '"Odd.Name*";' })
    assert.same({ n = 2, nil, "^(a\\(b\\)\\$c)$" },
      { n = 2, pattern.parse "a(b)$c" })
  end)
end)

describe("the history", function()
  local function env(vars)
    return function(name) return vars[name] end
  end

  it("is where LUNATE_HISTORY or the state folder says, or nowhere", function()
    assert.equal("/h", history.path(env { LUNATE_HISTORY = "/h", HOME = "/u" }))
    assert.is_nil(history.path(env { LUNATE_HISTORY = "", HOME = "/u" }))
    assert.equal("/s/lunate/history",
      history.path(env { XDG_STATE_HOME = "/s/", HOME = "/u" }))
    assert.equal("/u/.local/state/lunate/history",
      history.path(env { HOME = "/u" }))
    assert.equal("/d/history", history.path(env { LUNATE_STATE_DIR = "/d" }))
    assert.is_nil(history.path(env {}))
  end)

  it("comes back as it was, and only its owner can read it", function()
    local path = sh.tmpdir() .. "/history"
    local h = history.open(path)
    local entries = { "select 'a\nb\\n';", "\\d x", "select 2;" }
    for _, entry in ipairs(entries) do assert.is_true(h:add(entry)) end
    assert.same(entries, history.open(path).entries)
    assert.equal("600", sh.ok({ "stat", "-c", "%a", path }):match("%d+"))
  end)

  it("makes a file that others can read its owner's alone", function()
    local path = sh.tmpfile("select 1;\n")
    sh.ok { "chmod", "644", path }
    history.open(path):add "select 2;"
    assert.equal("600", sh.ok({ "stat", "-c", "%a", path }):match("%d+"))
  end)

  it("keeps neither what begins with a blank nor the same again", function()
    local path = sh.tmpdir() .. "/history"
    local h = history.open(path)
    assert.is_false(h:add " select 'private';")
    assert.is_true(h:add "select 1;")
    assert.is_false(h:add "select 1;")
    assert.is_false(h:add "")
    assert.equal("select 1;\n", sh.read(path))
  end)

  it("is cut to its last entries when it has grown", function()
    local lines = {}
    for i = 1, 5000 do lines[i] = "select " .. i .. ";" end
    local path = sh.tmpfile(table.concat(lines, "\n") .. "\n")
    history.open(path)
    local entries = history.open(path).entries
    assert.equal(2000, #entries)
    assert.equal("select 5000;", entries[2000])
  end)

  it("goes on without a file", function()
    local h = history.open(nil)
    assert.is_true(h:add "select 1;")
    h = history.open("/no/such/folder/history")
    assert.is_true(h:add "select 1;")
    assert.is_true(h.failed)
  end)
end)

describe("colours", function()
  local function wanted(vars)
    return colour.wanted(0, function(name) return vars[name] end)
  end

  it("are off with NO_COLOR, and where there is no terminal", function()
    assert.is_false(wanted { TERM = "xterm" }) -- input of a test is none
    assert.is_false(wanted { TERM = "xterm", NO_COLOR = "1" })
    assert.is_false(wanted { TERM = "dumb" })
    assert.equal("x", colour.new(false).error "x")
    assert.equal("\27[31mx\27[0m", colour.new(true).error "x")
  end)
end)

describe("a command", function()
  local commands = require "lunate.repl.commands"

  local function read(text)
    local calls = assert(commands.read(text))
    local all = {}
    for i, call in ipairs(calls) do
      all[i] = { call.command[1]:match("^%S+"), call.plus, unpack(call.words) }
    end
    return all
  end

  it("is a name, a plus, and words", function()
    assert.same({ { "dt", true, "pat*" } }, read "\\dt+ pat*;")
    assert.same({ { "pset", false, "null", "no value" } },
      read "\\pset null 'no value'")
    assert.same({ { "d", false, '"Odd Name"' } }, read '\\d "Odd Name"')
  end)

  it("may follow another one on its line", function()
    assert.same({ { "x", false }, { "timing", false, "on" } },
      read "\\x \\timing on")
    assert.equal("a \\timing", commands.read("\\echo a \\timing")[1].rest)
  end)

  it("that does not exist is told by its name", function()
    assert.same({ n = 2, nil, "foo" }, { n = 2, commands.read "\\foo bar" })
  end)

  it("stands in the help, each of them, within 80 columns", function()
    local help = commands.help()
    for _, name in ipairs(commands.names) do
      assert.truthy(help:find("\\" .. name, 1, true), name)
      assert.is_function(commands.by_name[name][4])
    end
    for line in help:gmatch("[^\n]+") do
      assert.is_true(#line <= 80, line)
    end
    assert.is_true(#commands.names >= 40)
  end)

  it("has syntax for the statements it lists", function()
    for _, name in ipairs(syntax.names) do
      assert.truthy(syntax.text(name):find(name:match("^%l+"), 1, true), name)
      assert.truthy(syntax.text(""):find("  " .. name .. "\n", 1, true), name)
    end
    assert.truthy(syntax.text("CREATE"):find("create policy", 1, true))
    assert.is_nil(syntax.text "frobnicate")
  end)
end)

describe("a Lua value", function()
  local pretty = require "lunate.repl.pretty"

  it("is shown as Lua would write it", function()
    for text, value in pairs {
      ["42"] = 42, ["0.1"] = 0.1, ["9007199254740991"] = 2 ^ 53 - 1,
      ['"a\\"b\\\\"'] = 'a"b\\', ['"a\\nb"'] = "a\nb", ["{}"] = {},
      ["{ 1, 2, a = true }"] = { 1, 2, a = true },
      ['{ ["a b"] = 1, ["end"] = 2 }'] = { ["a b"] = 1, ["end"] = 2 },
      ["9007199254740993LL"] = 9007199254740993LL,
    } do
      assert.equal(text, pretty.text(value))
    end
    assert.equal("nil", pretty.text(nil))
  end)

  it("ends where it holds itself, is deep, or is long", function()
    local t = { name = "t" }
    t.self = t
    assert.equal('{ name = "t", self = { (itself) } }', pretty.text(t))
    local deep = {}
    for _ = 1, 20 do deep = { deep } end
    assert.truthy(pretty.text(deep):find("{ ... }", 1, true))
    local long = {}
    for i = 1, 1000 do long[i] = i end
    assert.truthy(pretty.text(long):find("... 800 more", 1, true))
  end)

  it("lets no control character through", function()
    assert.is_nil(pretty.text({ "\27[31m" }):find("\27", 1, true))
  end)
end)

describe("the words of lunate query", function()
  local function arrange(...)
    return table.concat(query.arrange { "query", ... }, " ")
  end

  it("may have options anywhere", function()
    assert.equal("query --csv --url u -- select 1",
      arrange("select", "--csv", "1", "--url", "u"))
  end)

  it("take a negative number, and all behind --, for values", function()
    assert.equal("query --json -- select -5 -.5",
      arrange("select", "-5", "--json", "-.5"))
    assert.equal("query -- select --csv -x", arrange("select", "--", "--csv",
      "-x"))
    assert.equal("query -- -", arrange "-")
  end)
end)
