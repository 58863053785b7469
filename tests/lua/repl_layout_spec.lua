-- Tables for people: widths, alignment, what must not reach a terminal.
local layout = require "lunate.repl.layout"
local width = require "lunate.repl.width"

local INT, TEXT, NUMERIC = 23, 25, 1700

-- What rows look like; `options` as of layout.new.
local function draw(columns, rows, options)
  local out, widest = {}, 0
  local list = {}
  for i, column in ipairs(columns) do
    list[i] = { name = column[1], type = column[2] }
  end
  local writer = layout.new(list, function(text, n)
    out[#out + 1], widest = text, math.max(widest, n)
    return true
  end, options or {})
  for _, row in ipairs(rows) do
    assert(writer:row(row))
  end
  assert(writer:finish())
  return table.concat(out), widest
end

local TWO = { { "id", INT }, { "name", TEXT } }

describe("the width of a text", function()
  it("is in columns of the screen, not in bytes", function()
    for text, n in pairs { abc = 3, [""] = 0, ["Müller"] = 6, ["日本語"] = 6,
      ["e\204\129"] = 1, ["한글"] = 4, ["😀"] = 2 } do
      assert.equal(n, width.of(text), text)
    end
  end)

  it("is that of what is shown for a control character", function()
    assert.same({ "\\x1b[31m", 8 }, { width.show "\27[31m" })
    assert.same({ "a\\tb\\r\\x00", 10 }, { width.show "a\tb\r\0" })
    assert.same({ "\\xff", 4 }, { width.show "\255" })
    assert.same({ "a\\u202eb", 8 }, { width.show "a\226\128\174b" })
    assert.same({ "\\u009b", 6 }, { width.show "\194\155" })
  end)

  it("is kept by what is cut into pieces", function()
    assert.same({ "日本", "語ab", "c" }, width.wrap("日本語abc", 4))
    assert.same({ "abc" }, width.wrap("abc", 3))
    assert.same({ "日", "本" }, width.wrap("日本", 1))
  end)
end)

describe("a table", function()
  it("has numbers to the right and texts to the left", function()
    assert.equal([[
  id | name
-----+-------
   1 | Ada
 100 | Grace
]], (draw(TWO, { { "1", "Ada" }, { "100", "Grace" } })))
  end)

  it("tells NULL from the empty text", function()
    local text = draw({ { "a", TEXT } }, { {}, { "" } }, { null = "(null)" })
    assert.equal(" a\n--------\n (null)\n\n", text)
  end)

  it("stays straight with wide and combining characters", function()
    assert.equal(" a    | b\n------+---\n 日本 | 1\n"
      .. " e\204\129    | 2\n abcd | 3\n",
      (draw({ { "a", TEXT }, { "b", TEXT } },
        { { "日本", "1" }, { "e\204\129", "2" }, { "abcd", "3" } })))
  end)

  it("shows the lines of a value below each other", function()
    assert.equal([[
 id | name
----+------
  1 | one+
    | two
  2 | x
]], (draw(TWO, { { "1", "one\ntwo" }, { "2", "x" } })))
  end)

  it("lets no control character through", function()
    local text = draw({ { "a\27b", TEXT } }, { { "x\27]0;title\7y" } })
    assert.is_nil(text:find("[%z\1-\9\11-\31\127]"))
    assert.truthy(text:find("x\\x1b]0;title\\ay", 1, true))
    assert.truthy(text:find("a\\x1bb", 1, true))
  end)

  it("has the borders of psql", function()
    assert.equal("id name\n-- ----\n 1 a\n",
      (draw(TWO, { { "1", "a" } }, { border = 0 })))
    assert.equal([[
+----+------+
| id | name |
+----+------+
|  1 | a    |
+----+------+
]], (draw(TWO, { { "1", "a" } }, { border = 2 })))
  end)

  it("has a header also without rows", function()
    assert.equal(" id | name\n----+------\n", (draw(TWO, {})))
  end)

  it("can be without header", function()
    assert.equal(" 1 | a\n", (draw(TWO, { { "1", "a" } }, { bare = true })))
  end)

  it("tells how wide it is", function()
    local _, widest = draw(TWO, { { "1", "日本" } })
    assert.equal(11, widest)
  end)

  it("repeats its header where later rows are wider", function()
    local rows = {}
    for i = 1, 10000 do rows[i] = { "1", "a" } end
    rows[10001] = { "2", ("w"):rep(20) }
    local text = draw(TWO, rows)
    local _, headers = text:gsub("id | name", "")
    assert.equal(2, headers)
    assert.truthy(text:find("\n  2 | " .. ("w"):rep(20) .. "\n", 1, true))
    rows[10001] = { "2", "b" }
    _, headers = draw(TWO, rows):gsub("id | name", "")
    assert.equal(1, headers)
  end)
end)

describe("a table that is wider than the window", function()
  local row = { "1", ("word "):rep(10) .. "end" }

  it("becomes one line for each value", function()
    local text = draw(TWO, { row }, { expanded = "auto", columns = 40 })
    assert.equal([[
-[ RECORD 1 ]---------------------------
id   | 1
name | word word word word word word wor
     | d word word word end
]], text)
  end)

  it("stays a table where it fits, and where it is told to", function()
    for _, options in ipairs { { expanded = "auto", columns = 80 },
      { expanded = false, columns = 40 }, { expanded = "auto" } } do
      assert.is_nil((draw(TWO, { row }, options)):find("RECORD", 1, true))
    end
  end)

  it("stays a table where it has but one column", function()
    local text, widest = draw({ { "QUERY PLAN", TEXT } },
      { { ("deep "):rep(20) } }, { expanded = "auto", columns = 40 })
    assert.is_nil(text:find("RECORD", 1, true))
    assert.equal(0, widest) -- no reason for a pager
  end)

  it("counts its records", function()
    local text = draw(TWO, { { "1", "a" }, { "2" } }, { expanded = true })
    assert.truthy(text:find("RECORD 2 ]", 1, true))
    assert.truthy(text:find("name | <null>", 1, true))
  end)

  it("with nothing in it shows nothing", function()
    assert.equal("", (draw(TWO, {}, { expanded = true })))
  end)

  it("counts on over its lots", function()
    local rows = {}
    for i = 1, 10001 do rows[i] = { tostring(i), "a" } end
    local text = draw(TWO, rows, { expanded = true })
    assert.truthy(text:find("RECORD 10001 ]", 1, true))
  end)
end)

describe("numbers of every size", function()
  it("end in one column", function()
    local text = draw({ { "n", NUMERIC } }, { { "1.5" }, { "-12345678901" } })
    assert.equal("            n\n--------------\n          1.5\n"
      .. " -12345678901\n", text)
  end)
end)
