-- The CSV reader of the clinic example, held against RFC 4180.
package.path = "examples/?.lua;" .. package.path

local csv = require "clinic.csv"

-- A source that gives the text in pieces of `size` bytes.
local function pieces(text, size)
  local at = 1
  return function()
    if at > #text then
      return nil
    end
    local piece = text:sub(at, at + size - 1)
    at = at + size
    return piece
  end
end

local function read(text, size, opts)
  local out = {}
  local reader = csv.reader(pieces(text, size or #text + 1), opts)
  for record in reader:records() do
    out[#out + 1] = record
  end
  return out
end

local function fields(record)
  local out = {}
  for i = 1, record.n do
    out[i] = record[i]
  end
  return out
end

-- Reading must not depend on where the pieces end: every case is read in
-- pieces of one byte, of a few, and whole.
local function each_size(text, check)
  for _, size in ipairs { 1, 2, 3, 7, #text + 1 } do
    check(read(text, size))
  end
end

local function gives(text, wanted)
  each_size(text, function(records)
    local got = {}
    for i, record in ipairs(records) do
      assert.is_nil(record.reason)
      got[i] = fields(record)
    end
    assert.same(wanted, got)
  end)
end

describe("reading CSV", function()
  it("splits records at line ends and fields at commas", function()
    gives("a,b\nc,d\n", { { "a", "b" }, { "c", "d" } })
  end)

  it("takes CRLF as a line end", function()
    gives("a,b\r\nc,d\r\n", { { "a", "b" }, { "c", "d" } })
    gives('"a","b"\r\n"c","d"\r\n', { { "a", "b" }, { "c", "d" } })
    gives('"a",b\r\n"c",d\r\n', { { "a", "b" }, { "c", "d" } })
  end)

  it("takes a last line without a line end", function()
    gives("a,b\nc,d", { { "a", "b" }, { "c", "d" } })
    gives('a,b\nc,"d"', { { "a", "b" }, { "c", "d" } })
    gives('a,b\n"c",d', { { "a", "b" }, { "c", "d" } })
  end)

  it("keeps empty fields, the last one too", function()
    gives(",a,,\n", { { "", "a", "", "" } })
    gives('"",a,"",\n', { { "", "a", "", "" } })
  end)

  it("keeps commas, doubled quotes and line breaks of a quoted field",
    function()
      gives('1,"a, b",2\n', { { "1", "a, b", "2" } })
      gives('"say ""hi""",x\n', { { 'say "hi"', "x" } })
      gives('""""\n', { { '"' } })
      gives('"two\nlines",x\ny,z\n', { { "two\nlines", "x" }, { "y", "z" } })
      gives('"two\r\nlines"\r\n', { { "two\r\nlines" } })
    end)

  it("keeps blanks around fields", function()
    gives(" a , b \n", { { " a ", " b " } })
  end)

  it("skips empty lines and a byte order mark", function()
    gives("\239\187\191a,b\n\n\r\nc,d\n\n", { { "a", "b" }, { "c", "d" } })
  end)

  it("gives nothing for an empty file", function()
    gives("", {})
    gives("\239\187\191", {})
  end)

  it("keeps bytes that are not UTF-8", function()
    gives("M\252ller,\0x\n", { { "M\252ller", "\0x" } })
  end)

  it("says where each record begins and how it stood there", function()
    each_size('h,i\n"a\nb",c\n\nd,e\r\n', function(records)
      assert.same({ 1, 2, 5 },
        { records[1].line, records[2].line, records[3].line })
      assert.equal('"a\nb",c', records[2].raw)
      assert.equal("d,e", records[3].raw)
    end)
  end)
end)

describe("a broken record", function()
  local function breaks(text, line, reason, raw)
    each_size(text, function(records)
      local bad = {}
      for _, record in ipairs(records) do
        if record.reason then
          bad[#bad + 1] = record
        end
      end
      assert.equal(1, #bad)
      assert.equal(line, bad[1].line)
      assert.equal(0, bad[1].n)
      assert.equal(reason, bad[1].reason)
      assert.equal(raw, bad[1].raw)
      assert.same({ "good", "row" }, fields(records[#records]))
      assert.equal(3, #records)
    end)
  end

  it("with text after a closing quote costs its own line only", function()
    breaks('h,i\n"a"b,c\ngood,row\n', 2, "text after a closing quote",
      '"a"b,c')
  end)

  it("with a quote inside a plain field costs its own line only", function()
    breaks('h,i\na"b,c\ngood,row\n', 2,
      "a quote inside a field that is not quoted", 'a"b,c')
  end)

  it("with a quote nobody closes does not swallow the rows after it",
    function()
      breaks('h,i\n"a,b\ngood,row\n', 2, "a quote is opened and not closed",
        '"a,b')
    end)

  it("is ended by a quote of a later row, which is then read itself",
    function()
      each_size('h,i\n"a,b\nx,"good"\ny,z\n', function(records)
        assert.equal(4, #records)
        assert.equal("text after a closing quote", records[2].reason)
        assert.equal('"a,b', records[2].raw)
        assert.same({ "x", "good" }, fields(records[3]))
        assert.equal(3, records[3].line)
        assert.same({ "y", "z" }, fields(records[4]))
      end)
    end)

  it("longer than allowed is given up, and the next line is read", function()
    local text = 'h\n"open\n' .. ("x\n"):rep(100)
    local records = read(text, 8, { max_record = 32 })
    assert.equal(102, #records)
    assert.equal("a quote is opened and not closed", records[2].reason)
    assert.equal("x", records[3][1])
    assert.equal(3, records[3].line)
  end)
end)

describe("a file", function()
  it("that is not there is an error with its name", function()
    local reader, reason = csv.open("no/such/file.csv")
    assert.is_nil(reader)
    assert.matches("no/such/file.csv", reason, 1, true)
  end)
end)

describe("writing CSV", function()
  it("quotes only what has to be quoted", function()
    assert.equal("a,b c,1\n", csv.line({ "a", "b c", 1 }))
    assert.equal('"a,b","say ""hi""","x\ny"\n',
      csv.line({ "a,b", 'say "hi"', "x\ny" }))
  end)

  it("writes nil as an empty field", function()
    assert.equal("a,,b,\n", csv.line({ "a", nil, "b", nil }, 4))
  end)

  it("gives what reading takes back", function()
    local rows = { { "a", 'b"c', "d,e" }, { "", "f\ng", '"' },
      { "\r", "x\r\ny", ",," } }
    local text = ""
    for _, row in ipairs(rows) do
      text = text .. csv.line(row)
    end
    gives(text, rows)
  end)
end)
