-- Rows for programs: csv by RFC 4180, JSON whose numbers keep their digits.
local cjson = require "cjson"
local machine = require "lunate.repl.machine"

local function write(format, columns, rows, options)
  local out = {}
  local writer = machine[format](columns, function(text)
    out[#out + 1] = text
    return true
  end, options)
  for _, row in ipairs(rows) do
    assert(writer:row(row))
  end
  assert(writer:finish())
  return table.concat(out)
end

local function column(name, oid)
  return { name = name, type = oid or 25 }
end

-- A reader of csv, written from RFC 4180 alone: records of fields; NULL cannot
-- be told from the empty text, so a field says whether it was quoted.
local function read_csv(text)
  local records, record, at = {}, {}, 1
  while at <= #text do
    local field
    if text:sub(at, at) == '"' then
      local last = at
      repeat
        last = text:find('"', last + 1, true)
        local doubled = text:sub(last + 1, last + 1) == '"'
        if doubled then last = last + 1 end
      until not doubled
      field = { text = text:sub(at + 1, last - 1):gsub('""', '"'),
        quoted = true }
      at = last + 1
    else
      local word = text:match('^[^,\r\n"]*', at)
      field = { text = word }
      at = at + #word
    end
    record[#record + 1] = field
    local mark = text:sub(at, at)
    assert(mark == "," or mark == "\n", "byte " .. at)
    if mark == "\n" then
      records[#records + 1], record = record, {}
    end
    at = at + 1
  end
  return records
end

describe("csv", function()
  it("gives back every text to a reader of RFC 4180", function()
    local texts = { "plain", "a,b", 'say "hi"', "two\nlines", "cr\rlf\r\n", '"',
      ",", " blank ", "日本", "'", ";" }
    local columns = { column "t", column "u" }
    local rows = {}
    for i, text in ipairs(texts) do
      rows[i] = { text, texts[#texts + 1 - i] }
    end
    local records = read_csv(write("csv", columns, rows))
    assert.equal(#texts + 1, #records)
    for i, text in ipairs(texts) do
      assert.equal(text, records[i + 1][1].text)
      assert.equal(texts[#texts + 1 - i], records[i + 1][2].text)
    end
  end)

  it("quotes only where it has to", function()
    assert.equal('a,"b,c"\n1,x y\n', write("csv",
      { column "a", column "b,c" }, { { "1", "x y" } }))
  end)

  it("tells NULL from the empty text", function()
    local records = read_csv(write("csv", { column "a", column "b" },
      { { nil, "" } }))
    assert.is_nil(records[2][1].quoted)
    assert.is_true(records[2][2].quoted)
  end)

  it("can be without its header", function()
    assert.equal("1\n", write("csv", { column "a" }, { { "1" } },
      { bare = true }))
  end)
end)

describe("json", function()
  it("is one array, also when there are no rows", function()
    assert.equal("[]\n", write("json", { column "a" }, {}))
    assert.same({ { a = "1" }, { a = "2" } },
      cjson.decode(write("json", { column "a" }, { { "1" }, { "2" } })))
  end)

  it("keeps every digit of a number", function()
    local digits = "12345678901234567890123456789.000000000000000001"
    assert.equal('[{"n":' .. digits .. ',"i":-9223372036854775808}]\n',
      write("json", { column("n", 1700), column("i", 20) },
        { { digits, "-9223372036854775808" } }))
    assert.equal("1e+20", machine.json_value("1e+20", 701))
    assert.equal("1e-05", machine.json_value("1e-05", 700))
  end)

  it("writes what is no number of JSON as a string", function()
    for _, text in ipairs { "NaN", "Infinity", "-Infinity" } do
      assert.equal('"' .. text .. '"', machine.json_value(text, 701))
      assert.equal('"' .. text .. '"', machine.json_value(text, 1700))
    end
  end)

  it("has booleans, null and embedded json", function()
    assert.equal('[{"t":true,"f":false,"z":null,"j":{"a": [1, null]}}]\n',
      write("json", { column("t", 16), column("f", 16), column("z", 16),
        column("j", 3802) }, { { "t", "f", nil, '{"a": [1, null]}' } }))
  end)

  it("escapes what a string must not hold", function()
    local text = "\"\\\n\r\t\b\f\0\1\31\127 日本"
    assert.equal(text, cjson.decode("[" .. machine.json_string(text) .. "]")[1])
    assert.is_nil(machine.json_string(text):find("[%z\1-\31]"))
  end)

  it("has arrays of built-in types as arrays", function()
    for text, want in pairs {
      ["{}"] = "[]", ["{1,NULL,-3}"] = "[1,null,-3]",
      ["{{1,2},{3,4}}"] = "[[1,2],[3,4]]", ["[0:1]={7,8}"] = "[7,8]",
    } do
      assert.equal(want, machine.json_value(text, 1007), text)
    end
    assert.equal('["a","NULL","x,y","q\\"\\\\","",null]',
      machine.json_value('{a,"NULL","x,y","q\\"\\\\","",NULL}', 1009))
    assert.equal("[true,false]", machine.json_value("{t,f}", 1000))
    assert.equal('[{"a":1}]', machine.json_value('{"{\\"a\\":1}"}', 3807))
    assert.equal('"{happy,sad}"', machine.json_value("{happy,sad}", 99999))
  end)

  it("has no name twice in an object", function()
    assert.same({ "a", "a_3", "a_2", "b", "a_4" }, machine.unique { column "a",
      column "a", column "a_2", column "b", column "a" })
  end)
end)

describe("ndjson", function()
  it("has an object on each line, whatever is in it", function()
    local text = write("ndjson", { column("j", 114), column "t" },
      { { '{\n\t"a": "x\\n"\r\n}', "two\nlines" }, { "1", "" } })
    local objects = {}
    for line in text:gmatch("([^\n]*)\n") do
      objects[#objects + 1] = cjson.decode(line)
    end
    assert.same({ { j = { a = "x\n" }, t = "two\nlines" }, { j = 1, t = "" } },
      objects)
  end)
end)

describe("a writer", function()
  it("tells at once when nobody reads any more", function()
    for _, format in ipairs { "csv", "json", "ndjson" } do
      local writer = machine[format]({ column "a" }, function()
        return nil, "closed"
      end)
      local ok, why, n = true, nil, 0
      while ok and n < 100 do
        ok, why = writer:row { ("x"):rep(10000) }
        n = n + 1
      end
      assert.same({ nil, "closed" }, { ok, why })
      assert.is_true(n < 10, format)
    end
  end)

  it("holds nothing of what it has written", function()
    local longest = 0
    local writer = machine.csv({ column "a" }, function(text)
      longest = math.max(longest, #text)
      return true
    end)
    for _ = 1, 10000 do writer:row { ("x"):rep(100) } end
    writer:finish()
    assert.is_true(longest < 70000)
  end)
end)
