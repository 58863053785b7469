-- What Tab offers, from the words before the cursor and made-up names.
local complete = require "lunate.repl.complete"

local COLUMNS = { patients = { "id", "name", "born" },
  visits = { "id", "patient_id", "at" }, ["Odd One"] = { "Some Column" } }

local names = {
  relations = function() return { "patients", "visits", "payments", "Odd One",
    "user" } end,
  relations_of = function(_, schema)
    return schema == "audit" and { "events", "keys" } or {}
  end,
  schemas = function() return { "audit", "public" } end,
  functions = function() return { "now", "nullif", "patient_age" } end,
  settings = function() return { "search_path", "statement_timeout" } end,
  columns = function(_, name) return COLUMNS[name] or {} end,
}

-- Candidates where "|" stands in the text, sorted.
local function offers(text)
  local before, after = text:match("^(.-)|(.*)$")
  local found, list = complete.sql(before, after, names), {}
  for i, name in ipairs(found) do list[i] = name end
  table.sort(list)
  return list
end

-- What is inserted there.
local function inserts(text)
  local before, after = text:match("^(.-)|(.*)$")
  return (complete.decide(complete.sql(before, after, names)))
end

local function has(list, ...)
  for _, name in ipairs { ... } do
    local found = false
    for _, one in ipairs(list) do found = found or one == name end
    assert.is_true(found, name .. " is not among " .. table.concat(list, " "))
  end
end

local function lacks(list, ...)
  for _, name in ipairs { ... } do
    for _, one in ipairs(list) do assert.not_equal(name, one) end
  end
end

describe("Tab", function()
  it("completes the words that begin a statement", function()
    assert.equal("ect ", inserts "sel|")
    assert.equal("ECT ", inserts "SEL|")
    lacks(offers "|", "from", "patients")
  end)

  it("offers relations and schemas where one has to stand", function()
    for _, text in ipairs { "select * from |", "select 1 from visits join |",
      "insert into |", "update |", "select * from visits, |",
      "delete from |", "alter table |", "truncate |",
      "select * from (select * from |" } do
      has(offers(text), "patients", "visits", "audit")
      lacks(offers(text), "select", "now")
    end
    assert.equal("ients ", inserts "select * from pat|")
    assert.equal("dit.", inserts "select * from au|")
  end)

  it("offers the relations of a schema behind its dot", function()
    assert.same({ "events", "keys" }, offers "select * from audit.|")
    assert.equal("vents ", inserts "select * from audit.e|")
  end)

  it("offers columns of the tables that the statement names", function()
    has(offers "select | from patients", "born", "name", "id")
    lacks(offers "select | from patients", "at")
    has(offers "update patients set |", "born")
    has(offers "select * from patients p join visits v on |", "patient_id", "p",
      "v")
    lacks(offers "select 1 |", "born")
  end)

  it("offers columns behind the name or alias of a table", function()
    assert.same({ "at", "id", "patient_id" },
      offers "select v.| from patients p, visits v")
    assert.same({ "born", "id", "name" },
      offers "select patients.| from patients")
    assert.same({ "born", "id", "name" },
      offers "select 1 from patients as p where p.|")
    assert.equal("orn ", inserts "select p.b| from patients p")
  end)

  it("does not take the word at the cursor for an alias", function()
    lacks(offers "select * from patients whe|", "whe")
    assert.same({ "when", "where" }, offers "select * from patients whe|")
  end)

  it("offers functions to who has begun one", function()
    assert.equal("ge(", inserts "select patient_a|")
    lacks(offers "select |", "now")
  end)

  it("offers settings behind set and show", function()
    assert.same({ "search_path", "statement_timeout" }, offers "show |")
    has(offers "set local s|", "search_path")
  end)

  it("offers names that need quotes only inside of quotes", function()
    lacks(offers "select * from |", "Odd One", "user")
    assert.equal('dd One" ', inserts 'select * from "O|')
    assert.equal('ser" ', inserts 'select * from "u|')
  end)

  it("offers nothing inside of a literal, a body or a comment", function()
    for _, text in ipairs { "select 'sel|", "select $$ sel|", "/* sel|",
      "select E'\\' sel|" } do
      assert.same({}, offers(text), text)
    end
    has(offers "select 'a' from |", "patients")
  end)

  it("inserts what all candidates have in common, then lists", function()
    local found = complete.sql("select * from pa", "", names)
    assert.equal("", (complete.decide(found)))
    local _, list = complete.decide(found)
    assert.same({ "patients", "payments" }, { list[1], list[2] })
    assert.equal("l", inserts "select nul|") -- null, nulls, nullif
  end)
end)
