-- Hostile SQL against a database with two clinics in it, as clinic A, in each
-- mode of isolation. A case says what has to come of it and which layers stop
-- it. Each of those layers alone is enough; with all of them switched off, and
-- everything else left on, it gets through. Where nothing but the server's own
-- rights or the grammar stops it then, the case says so (fails).
--
-- What comes of a case:
--   S, E        what PostgreSQL alone gives on a database of A's rows alone
--               (E: nothing of a tenant is in it)
--   D:word      refused with that word (sql/refusal.h)
--   U           one error for all conflicts with what cannot be seen
--   a code      an error before isolation is asked: syntax, unsupported, ...
--   leaks       it tells something, and no layer of this mode is against it
--   differs     it gives something else, and nothing of anybody's
--
-- The short form takes layers away in mode both; `make prove` in every mode,
-- and prints how many cases there are.
local judge = require "live.adversarial.judge"
local live = require "support.live"

local GROUPS = {
  { "a hostile read", "reads" },
  { "a hostile write", "writes" },
  { "a hostile statement or function", "statements" },
  { "the text of a statement", "texts" },
  { "the shape of a query", "queries" },
  { "the shape of a change", "changes" },
  { "where an edit could go astray", "more" },
  { "a call of our own list", "calls" },
}

local bench, tally

setup(function()
  tally = { outcomes = {}, layers = {}, cases = 0, own = 0 }
  for _, mode in ipairs(judge.modes) do
    tally.outcomes[mode], tally.layers[mode] = {}, {}
  end
  bench = judge.new()
end)

local function list_of(counts)
  local names = {}
  for name in pairs(counts) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do names[i] = name .. " " .. counts[name] end
  return table.concat(names, ", ")
end

local function print_tally()
  print(("%d cases, %d of them our own"):format(tally.cases, tally.own))
  for _, mode in ipairs(judge.modes) do
    print(("mode %s: %s\n  stopped by %s"):format(mode,
      list_of(tally.outcomes[mode]), list_of(tally.layers[mode])))
  end
end

teardown(function()
  if live.prove then print_tally() end
  live.close()
end)

-- What a field says for a mode: { for all, rls = for this one }.
local function of(field, mode)
  if type(field) ~= "table" then return field end
  return field[mode] or field[1]
end

local function count(what, mode, name)
  local counts = tally[what][mode]
  counts[name] = (counts[name] or 0) + 1
end

local function set_of(layers)
  local on = {}
  for _, layer in ipairs(layers) do on[layer] = true end
  return on
end

local function everything(mode) return set_of(judge.layers[mode]) end

-- The layers of a case that a mode has: a list of sets, of which each alone
-- stops it ("gate+rls": the two together).
local function stops_of(case, mode)
  local has, out = everything(mode), {}
  for word in of(case.by, mode):gmatch("%S+") do
    local layers, all = {}, true
    for layer in word:gmatch("[^+]+") do
      layers[#layers + 1] = layer
      all = all and has[layer]
    end
    if all then out[#out + 1] = { name = word, layers = layers } end
  end
  return out
end

local function fail(case, mode, what, o)
  error(("%s\nmode %s: %s\n%s\non A's rows alone: %s"):format(case.sql, mode,
    what, judge.tell(o), judge.tell(bench:oracle(case))), 0)
end

local function met(case, want, o)
  local oracle = bench:oracle(case)
  if want == "leaks" then return bench:leaks(case, o) end
  if want == "differs" then return not o.err and not judge.same(o, oracle) end
  if want == "S" or want == "E" then
    return oracle and judge.same(o, oracle) and not bench:leaks(case, o)
  end
  if want == "U" then
    return o.err and o.err.sqlstate == "23000" and not o.err.constraint
  end
  if o.err and o.reason then return want == "D:" .. o.reason end
  return o.err ~= nil and want == o.err.code
end

-- Errors hide their details only while nothing is switched off.
local function only(stop, mode)
  return stop.name == "errors" and everything(mode) or set_of(stop.layers)
end

local function check_layers(case, mode)
  local stops, without = stops_of(case, mode), everything(mode)
  without.errors = false
  for _, stop in ipairs(stops) do
    count("layers", mode, stop.name)
    local o = bench:run(case, mode, only(stop, mode))
    if bench:leaks(case, o) then
      fail(case, mode, stop.name .. " alone does not stop it", o)
    end
    for _, layer in ipairs(stop.layers) do without[layer] = false end
  end
  if case.fails then
    local o = bench:run(case, mode, {})
    if not o.err or o.err.code ~= case.fails then
      fail(case, mode, "without any layer it does not fail: " .. case.fails, o)
    end
  elseif #stops > 0 then
    local o = bench:run(case, mode, without)
    if not bench:leaks(case, o) then
      fail(case, mode, "something else stops it than " .. case.by_text, o)
    end
  elseif bench:leaks(case, bench:run(case, mode, {})) then
    local want = of(case.want, mode)
    if want ~= "leaks" and want ~= "differs" then
      fail(case, mode, "some layer stops it, and the case names none",
        bench:run(case, mode, {}))
    end
  end
end

local function check(case, mode)
  local want = of(case.want, mode)
  count("outcomes", mode, want)
  local o = bench:run(case, mode, everything(mode))
  if not met(case, want, o) then
    fail(case, mode, "it is not " .. want, o)
  end
  if mode == "both" or live.prove then check_layers(case, mode) end
end

for _, group in ipairs(GROUPS) do
  describe(group[1], function()
    for _, case in ipairs(require("live.adversarial.cases_" .. group[2])) do
      local number
      number, case.name, case.sql, case.want, case.by = unpack(case, 1, 5)
      case.by_text = of(case.by, "both")
      it((number and number .. ": " or "") .. case.name, function()
        tally.cases = tally.cases + 1
        tally.own = tally.own + (number and 0 or 1)
        for _, mode in ipairs(judge.modes) do check(case, mode) end
      end)
    end
  end)
end

describe("without a gate, the checker refuses what the rewrite does not know",
  function()
  for _, sql in ipairs { "truncate rx_items", "lock table rx_items",
    "create temp table patients (id int)",
    "update patients set name = 'x' where current of c" } do
    it(sql, function()
      local case = { sql = sql, tx = true, plain = false }
      local o = bench:run(case, "rewrite", { rewrite = true })
      assert.equal("unchecked", o.reason)
      o = bench:run(case, "rewrite", { rewrite = true, unchecked = true })
      assert.equal("syntax", o.err.code) -- the server has seen it
    end)
  end
end)
