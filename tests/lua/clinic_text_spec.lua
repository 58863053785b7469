-- What the scripts of the clinic example show people: options, tables, the
-- progress of an import, the file of rejects.
package.path = "examples/?.lua;" .. package.path

local cli = require "clinic.cli"
local progress = require "clinic.progress"
local rejects = require "clinic.rejects"
local sh = require "support.sh"

local KNOWN = { days = "number", clinic = "text", quiet = "flag" }

describe("options", function()
  it("are told from arguments, wherever they stand", function()
    local opts, rest =
      cli.parse({ "a", "--days", "30", "b", "--quiet" }, KNOWN)
    assert.same({ days = 30, quiet = true }, opts)
    assert.same({ "a", "b" }, rest)
  end)

  it("that nobody knows are refused by name", function()
    assert.error_matches(function()
      cli.parse({ "--dyas", "30" }, KNOWN)
    end, "no option is called %-%-dyas")
  end)

  it("without their value, or with a wrong one, are refused", function()
    assert.error_matches(function()
      cli.parse({ "--clinic" }, KNOWN)
    end, "%-%-clinic wants a value")
    assert.error_matches(function()
      cli.parse({ "--days", "ten" }, KNOWN)
    end, "%-%-days takes a number")
  end)
end)

describe("a table of rows", function()
  local columns = { { "name", "clinic" }, { "n", "visits", right = true } }

  it("is as wide as its widest cell, counted in letters", function()
    assert.equal("  clinic  visits\n"
      .. "  ------  ------\n"
      .. "  Müller      12\n"
      .. "  A            3\n",
      cli.table({ { name = "Müller", n = 12 }, { name = "A", n = 3 } },
        columns))
  end)

  it("says that there is none, and shows an absent value as a dash",
    function()
      assert.matches("(none)", cli.table({}, columns), 1, true)
      assert.matches("A +%-\n$", cli.table({ { name = "A" } }, columns))
    end)

  it("cuts what is too long at a letter, not inside one", function()
    local text = cli.table({ { name = ("é"):rep(60), n = 1 } }, columns)
    assert.matches("  " .. ("é"):rep(43) .. "~", text, 1, true)
  end)
end)

describe("progress", function()
  local function sink()
    return { text = "", write = function(self, piece)
      self.text = self.text .. piece
    end, flush = function() end }
  end

  it("is one plain line a step where no terminal is", function()
    local out = sink()
    local bar = progress.new({ out = out, terminal = false })
    bar:start("a.csv", 100)
    bar:at(50)
    bar:done("7 loaded")
    assert.equal("a.csv: 7 loaded\n", out.text)
  end)

  it("is drawn over itself on a terminal, and only when it changes",
    function()
      local out = sink()
      local bar = progress.new({ out = out, terminal = true })
      bar:start("a.csv", 1000)
      bar:at(500)
      bar:at(501)
      local _, drawn = out.text:gsub("\r", "")
      assert.equal(2, drawn)
      assert.matches("50%%", out.text)
      bar:done("7 loaded")
      assert.matches("7 loaded *\n$", out.text)
    end)

  it("is full, not a fault, for a file of no bytes or one that grew",
    function()
      local out = sink()
      local bar = progress.new({ out = out, terminal = true })
      bar:start("a.csv", 0)
      bar:start("b.csv", 10)
      bar:at(20)
      assert.matches("100%%[^%%]*100%%", out.text:gsub("  0%%", ""))
    end)

  it("says nothing when it is to be quiet", function()
    local out = sink()
    local bar = progress.new({ out = out, terminal = true, quiet = true })
    bar:start("a.csv", 10)
    bar:at(5)
    bar:done("x")
    assert.equal("", out.text)
  end)
end)

describe("the file of rejects", function()
  it("is made with the first reject, over one of an earlier import",
    function()
      local path = sh.tmpdir() .. "/rejects.csv"
      sh.write(path, "old")
      local bad = rejects.new(path)
      assert.is_nil(io.open(path))
      bad:add("a.csv", { line = 7, raw = 'x,"y\nz"' }, "two\n  lines")
      bad:close()
      assert.equal('why,row\na.csv:7: two lines,"x,""y\nz"""\n',
        sh.read(path))
      assert.equal(1, bad.count)
    end)
end)
