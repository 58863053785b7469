-- The generator of the clinic example: the same bytes each time, and rows that
-- are what it says they are.
package.path = "examples/?.lua;" .. package.path

local check = require "clinic.check"
local csv = require "clinic.csv"
local generate = require "clinic.generate"
local random = require "clinic.random"
local sh = require "support.sh"
local words = require "clinic.words"

local PATIENTS = 120

local function bytes(dir, name)
  return sh.read(dir .. "/" .. name .. ".csv")
end

local function records(dir, name)
  local reader = assert(csv.open(dir .. "/" .. name .. ".csv"))
  local out, header = {}, reader:read()
  for record in reader:records() do
    local row = { record = record }
    for i = 1, header.n do
      row[header[i]] = record[i]
    end
    out[#out + 1] = row
  end
  reader:close()
  return out, header
end

describe("random numbers", function()
  -- sfc32 seeded with 0, 7, 0x2545f491 and counter 1, after 16 steps: worked
  -- out with 64-bit integers, so a slip in the 32-bit arithmetic shows.
  it("are those of sfc32", function()
    local u32 = 4294967296
    local a, b, c, count = 0, 7, 0x2545f491, 1
    local function step()
      local out = (a + b + count) % u32
      count = count + 1
      a = bit.bxor(b, bit.rshift(b, 9)) % u32
      b = (c + c * 8 % u32) % u32
      c = (c * 2097152 % u32 + math.floor(c / 2048) + out) % u32
      return out
    end
    for _ = 1, 16 do
      step()
    end
    local rng = random.new(7)
    for _ = 1, 1000 do
      assert.equal(step(), rng:bits() % u32)
    end
  end)

  it("differ with the seed and repeat with it", function()
    assert.equal(random.new(3):uuid(), random.new(3):uuid())
    assert.not_equal(random.new(3):uuid(), random.new(4):uuid())
  end)

  it("make uuids of version 4", function()
    local rng = random.new(1)
    for _ = 1, 200 do
      local id = rng:uuid()
      assert.equal(id, check.uuid(id))
      assert.matches("^........%-....%-4...%-[89ab]...%-", id)
    end
  end)

  it("stay within their bounds and reach both ends", function()
    local rng, seen = random.new(1), {}
    for _ = 1, 500 do
      local n = rng:int(3, 6)
      assert(n >= 3 and n <= 6)
      seen[n] = true
    end
    assert.same({ [3] = true, [4] = true, [5] = true, [6] = true }, seen)
  end)
end)

describe("a generated folder", function()
  local dir, made

  setup(function()
    dir = sh.tmpdir()
    made = generate.run(dir, { patients = PATIENTS, seed = 5 })
  end)

  it("is the same, byte by byte, for the same seed", function()
    local again = sh.tmpdir()
    assert.same(made, generate.run(again, { patients = PATIENTS, seed = 5 }))
    for name in pairs(words.headers) do
      assert.equal(bytes(dir, name), bytes(again, name))
    end
  end)

  it("differs for another seed", function()
    local other = sh.tmpdir()
    generate.run(other, { patients = PATIENTS, seed = 6 })
    assert.not_equal(bytes(dir, "patients"), bytes(other, "patients"))
  end)

  it("has the headers of Synthea", function()
    for name, header in pairs(words.headers) do
      assert.equal(header, bytes(dir, name):match("^[^\n]*"))
    end
  end)

  it("has as many patients as asked for, and the broken rows", function()
    assert.equal(PATIENTS, made.tables.patients)
    assert.equal(PATIENTS + 6, #records(dir, "patients"))
    assert.equal(14, made.rejected)
  end)

  it("has rows that name clinics, doctors and patients of its own", function()
    local function ids(name)
      local set = {}
      for _, row in ipairs(records(dir, name)) do
        set[row.Id or false] = true
      end
      return set
    end
    local clinics, doctors = ids "organizations", ids "providers"
    local patients = ids "patients"
    local strange, good = 0, 0
    for _, row in ipairs(records(dir, "encounters")) do
      if row.ORGANIZATION and row.PROVIDER and clinics[row.ORGANIZATION]
        and doctors[row.PROVIDER] and patients[row.PATIENT] then
        good = good + 1
      else
        strange = strange + 1
      end
    end
    -- Broken: an unknown patient, too few fields, an open quote.  A wrong day
    -- and an end before the start still name what they should.
    assert.equal(3, strange)
    assert.equal(made.tables.encounters + 2, good)
  end)

  it("has addresses that need quoting", function()
    local found = false
    for _, row in ipairs(records(dir, "patients")) do
      found = found or row.ADDRESS and row.ADDRESS:find('\n"Garden"', 1, true)
    end
    assert.truthy(found)
  end)

  it("can be as small as one patient", function()
    local small = generate.run(sh.tmpdir(), { patients = 1 })
    assert.equal(1, small.tables.patients)
    assert(small.tables.encounters >= 1)
  end)

  it("refuses a number of patients that makes no sense", function()
    assert.has_error(function()
      generate.run(dir, { patients = 0 })
    end)
    assert.has_error(function()
      generate.run(dir, { patients = 1.5 })
    end)
  end)
end)

describe("checking a field", function()
  local function takes(kind, text)
    assert.truthy(check[kind](text))
  end
  local function refuses(kind, text)
    local value, reason = check[kind](text)
    assert.is_nil(value)
    assert.is_string(reason)
  end

  it("knows the calendar", function()
    takes("date", "2024-02-29")
    takes("date", "2000-02-29")
    refuses("date", "2023-02-29")
    refuses("date", "1900-02-29")
    refuses("date", "2023-04-31")
    refuses("date", "2023-13-01")
    refuses("date", "2023-00-10")
    refuses("date", "2023-1-1")
    refuses("date", "01/02/2023")
  end)

  it("knows the time of day, and takes UTC where no zone is", function()
    assert.equal("2024-01-01 10:00:00Z", check.timestamp("2024-01-01 10:00:00"))
    takes("timestamp", "2024-01-01T10:00:00.123456Z")
    takes("timestamp", "2024-01-01T10:00:00+02:00")
    refuses("timestamp", "2024-01-01")
    refuses("timestamp", "2024-01-01T24:00:00Z")
    refuses("timestamp", "2024-01-01T10:60:00Z")
    refuses("timestamp", "2024-01-01T10:00:00 EST")
    refuses("timestamp", "2024-02-30T10:00:00Z")
  end)

  it("knows numbers, and no other spelling of them", function()
    takes("number", "-12.50")
    takes("number", "1e-3")
    takes("number", ".5")
    refuses("number", "12,50")
    refuses("number", "NaN")
    refuses("number", "0x10")
    refuses("number", "1.2.3")
    takes("integer", "-7")
    refuses("integer", "7.0")
  end)

  it("knows uuids, in either case", function()
    assert.equal("00000000-0000-4000-8000-00000000abcd",
      check.uuid("00000000-0000-4000-8000-00000000ABCD"))
    refuses("uuid", "00000000-0000-4000-8000-00000000abc")
    refuses("uuid", "00000000-0000-4000-8000-00000000abcde")
    refuses("uuid", "g0000000-0000-4000-8000-00000000abcd")
  end)

  it("refuses a text with a zero byte, which the server cannot hold",
    function()
      refuses("text", "a\0b")
      takes("text", "M\252ller")
    end)
end)
