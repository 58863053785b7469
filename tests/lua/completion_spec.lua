-- What shells complete lunate's words from, and the man page: both have to say
-- what the help of the command line says.
package.path = "tests/support/?.lua;" .. package.path
local command = require "command"
local install = require "support.install"
local sh = require "support.sh"

local function lunate(...)
  local code, out, err = command.run { ... }
  assert.equal(0, code, err)
  return out
end

local function has(program)
  return sh.run({ "sh", "-c", "command -v " .. program }).code == 0
end

local function sorted(set)
  local all = {}
  for word in pairs(set) do all[#all + 1] = word end
  table.sort(all)
  return all
end

-- The lines of a part of a help text: "Options", "Commands".
local function part_of(help, name)
  local text = help:match("\n" .. name .. ":\n(.*)$") or ""
  return ((text .. "\n\n"):match("^(.-)\n\n")):gmatch("[^\n]+")
end

local function commands(help)
  local names = {}
  for line in part_of(help, "Commands") do
    names[line:match("^   ([%l-]+)")] = true
  end
  return names
end

-- Options stand before their description: two spaces, or the line, end them.
local function options(help)
  local names = {}
  for line in part_of(help, "Options") do
    local label = line:match("^ +(%-.-)%s%s") or line:match("^ +(%-.*)$") or ""
    for word in label:gmatch("[^%s,]+") do
      if word:find("^%-") then names[word] = true end
    end
  end
  return names
end

-- Every command with the commands below it: { "dev", "start" }.
local function all_commands()
  local all = {}
  for _, name in ipairs(sorted(commands(lunate "help"))) do
    all[#all + 1] = { name }
    for _, below in ipairs(sorted(commands(lunate(name, "--help")))) do
      all[#all + 1] = { name, below }
    end
  end
  return all
end

local function help_of(words)
  local all = { unpack(words) }
  all[#all + 1] = "--help"
  return lunate(unpack(all))
end

describe("lunate completion", function()
  local bash

  setup(function() bash = sh.tmpfile(lunate("completion", "bash")) end)

  -- What bash offers for the last of these words.
  local function offered(...)
    local script = ("source '%s'; COMP_WORDS=(lunate \"$@\"); "
      .. "COMP_CWORD=$#; _lunate; printf '%%s\\n' \"${COMPREPLY[@]}\"")
      :format(bash)
    local set = {}
    for word in sh.ok({ "bash", "-c", script, "bash", ... })
      :gmatch("[^\n]+") do
      set[word] = true
    end
    return sorted(set)
  end

  it("has bash offer the commands", function()
    local all = sorted(commands(lunate "help"))
    assert.is_true(#all >= 7)
    assert.same(all, offered "")
    assert.same({ "run" }, offered "ru")
    assert.same({}, offered "nothing-begins-so")
  end)

  it("has bash offer the options of each command, and no others", function()
    local tried = 0
    for _, words in ipairs(all_commands()) do
      local wanted = options(help_of(words))
      assert.is_true(wanted["--help"])
      local typed = { unpack(words) }
      typed[#typed + 1] = "-"
      assert.same(sorted(wanted), offered(unpack(typed)))
      tried = tried + 1
    end
    assert.is_true(tried >= 10)
    assert.same({ "--workers" }, offered("run", "--w"))
  end)

  it("has bash offer the commands below a command", function()
    assert.same({ "start", "status", "stop" }, offered("dev", "st"))
  end)

  it("names every command and option to zsh and fish", function()
    for shell, dashes in pairs { zsh = "--", fish = "-l " } do
      local text = lunate("completion", shell)
      for _, words in ipairs(all_commands()) do
        assert.truthy(text:find(words[#words], 1, true), words[#words])
        for option in pairs(options(help_of(words))) do
          local name = option:match("^%-%-(.*)$")
          assert.truthy(not name or text:find(dashes .. name, 1, true),
            shell .. " " .. option)
        end
      end
      if has(shell) then sh.ok { shell, "-n", sh.tmpfile(text) } end
    end
  end)

  it("is what make install brings", function()
    for _, shell in ipairs { "bash", "zsh", "fish" } do
      assert.equal(lunate("completion", shell),
        sh.ok { "luajit", "runtime/package/cli.lua", shell })
    end
  end)

  it("refuses a shell that it does not know", function()
    local code, _, err = command.run { "completion", "csh" }
    assert.equal(2, code)
    assert.truthy(err:find("must be one of 'bash', 'zsh', 'fish'", 1, true))
  end)
end)

describe("the man page", function()
  local source, text

  setup(function()
    source = sh.ok { "luajit", "runtime/package/cli.lua", "man",
      install.version(), "2026-11-24" }
    -- Wide, so that no line is broken, and without bold and underlined.
    text = sh.ok({ "mandoc", "-Tascii", "-Owidth=500", stdin = source })
      :gsub(".\8", "")
  end)

  it("is free of what mandoc warns of", function()
    local path = sh.tmpfile(source, ".1")
    local r = sh.run { "mandoc", "-Tlint", "-Wwarning", path }
    assert.equal("", r.out .. r.err:gsub("mandoc: outdated [^\n]*\n", ""))
    assert.equal(0, r.code)
  end)

  it("notices a page that is broken", function()
    local r = sh.run { "mandoc", "-Tlint", "-Wwarning",
      sh.tmpfile(source:gsub("\n%.El\n", "\n", 1), ".1") }
    assert.not_equal(0, r.code)
  end)

  it("names this version and day", function()
    assert.truthy(text:find("lunate " .. install.version(), 1, true))
    assert.truthy(text:find("November 24, 2026", 1, true))
  end)

  it("has the usage, the options and the texts of every command", function()
    local known = {}
    for _, words in ipairs(all_commands()) do
      local help = help_of(words)
      local usage = help:match("Usage: ([^\n]+)")
      local from = text:find("\n +" .. usage:gsub("%p", "%%%0"))
      assert.truthy(from, usage)
      local part = text:sub(from, (text:find("\n +lunate %l+ ", from + 20)))
      for option in pairs(options(help)) do
        known[option] = true
        assert.truthy(part:find(option, 1, true), usage .. " " .. option)
      end
      assert.truthy(text:find(help:match("\n\n([^\n]+)\n"), from, true))
    end
    local listed = text:match("\nCOMMANDS\n(.-)\nENVIRONMENT\n")
    for option in listed:gmatch("%f[%S]%-%-[%l-]+") do
      assert.is_true(known[option], option)
    end
  end)

  it("names only variables that lunate reads", function()
    local part = text:match("\nENVIRONMENT\n(.-)\nFILES\n")
    local n = 0
    for name in part:gmatch("\n +([%u_]+)%s") do
      n = n + 1
      assert.equal(0, sh.run({ "grep", "-rq", '"' .. name .. '"', "lua",
        "runtime", "--include=*.lua", "--include=*.[ch]",
        "--exclude=topics.lua", "--exclude-dir=package" }).code, name)
    end
    assert.is_true(n >= 3)
  end)

  it("gives examples that the command line takes", function()
    local part = text:match("\nEXAMPLES\n(.-)\nSEE ALSO\n")
    local known, n = commands(lunate "help"), 0
    for name in part:gmatch("\n +lunate (%l+)") do
      n = n + 1
      assert.is_true(known[name], name)
    end
    assert.is_true(n >= 4)
  end)
end)
