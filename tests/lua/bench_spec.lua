-- The parts of the bench that measure nothing themselves: what it computes of
-- figures, what it was asked for, and what it prints.
local client = require "bench.kit.client"
local options = require "bench.kit.options"
local plot = require "bench.kit.plot"
local isolation = require "bench.isolation"
local query = require "bench.query"
local report = require "bench.kit.report"
local result = require "bench.kit.result"
local runner = require "bench.kit.runner"
local sh = require "support.sh"
local stats = require "bench.kit.stats"

local function near(expected, got, part)
  assert.is_true(math.abs(got - expected) <= math.abs(expected * part),
    ("%s is not within %s of %s"):format(got, part, expected))
end

describe("the median of rounds", function()
  it("is the middle one, with the least and the most beside it", function()
    assert.same({ median = 3, min = 1, max = 9 }, stats.spread { 9, 1, 3 })
    assert.same({ median = 4, min = 4, max = 4 }, stats.spread { 4 })
  end)

  it("of an even number is the mean of the two in the middle", function()
    assert.same({ median = 2.5, min = 1, max = 10 },
      stats.spread { 10, 2, 1, 3 })
  end)

  it("of none is nothing", function()
    assert.is_nil(stats.spread {})
  end)

  it("leaves the list as it was", function()
    local list = { 3, 1, 2 }
    stats.spread(list)
    assert.same({ 3, 1, 2 }, list)
  end)
end)

describe("a comparison", function()
  it("is made within each round, and is the median of the rounds", function()
    local over, under = { 10, 40, 30 }, { 5, 10, 30 }
    assert.same({ median = 2, min = 1, max = 4 }, stats.ratio(over, under))
    assert.same({ median = 5, min = 0, max = 30 },
      stats.difference(over, under))
  end)

  it("does not see a machine that was slower in some rounds", function()
    assert.same({ median = 3, min = 3, max = 3 },
      stats.ratio({ 300, 30, 150 }, { 100, 10, 50 }))
  end)

  it("matches rounds by their number", function()
    local spread = stats.ratio({ [1] = 10, [3] = 60 }, { [3] = 20, [2] = 1 })
    assert.same({ 3, 3 }, { spread.min, spread.max })
  end)

  it("of those that share no round is nothing", function()
    assert.is_nil(stats.ratio({ 1 }, {}))
    assert.is_nil(stats.difference({ [1] = 1 }, { [2] = 1 }))
  end)
end)

describe("the order of a round", function()
  it("has everybody once, and each round another one first", function()
    assert.same({ 1, 2, 3 }, stats.rotated(3, 1))
    assert.same({ 2, 3, 1 }, stats.rotated(3, 2))
    assert.same({ 3, 1, 2 }, stats.rotated(3, 3))
    assert.same({ 1, 2, 3 }, stats.rotated(3, 4))
  end)
end)

-- Times from below a microsecond to minutes, the same for all languages.
local function times()
  local list = {}
  for i = 1, 5000 do list[i] = 0.2 * 1.004 ^ i end
  return list
end

-- What a program in another language says of them, with the histogram of its
-- own.
local function told_by(argv)
  argv.stdin = table.concat(times(), "\n") .. "\n"
  local p50, p99 = sh.ok(argv):match("(%S+) (%S+)")
  return { tonumber(p50), tonumber(p99) }
end

local C_PROGRAM = [[
#include "client.h"
int main(void)
{
	static struct client_hist h;
	double us;
	while (scanf("%lf", &us) == 1)
		client_hist_add(&h, us);
	printf("%.2f ", client_hist_at(&h, 0.5));
	printf("%.2f\n", client_hist_at(&h, 0.99));
	return 0;
}
]]

local JS_PROGRAM = [[
const { Hist } = require(process.argv[1]);
const h = new Hist();
for (const us of require('fs').readFileSync(0, 'utf8').trim().split('\n'))
  h.add(Number(us));
console.log(h.at(0.5).toFixed(2), h.at(0.99).toFixed(2));
]]

describe("the histogram of times", function()
  it("gives percentiles within 1/64", function()
    local hist, all = client.hist(), times()
    for _, us in ipairs(all) do hist:add(us) end
    assert.equal(#all, hist.n)
    for _, part in ipairs { 0.5, 0.75, 0.9, 0.99, 1 } do
      near(all[math.ceil(#all * part)], hist:at(part), 1 / 64)
    end
  end)

  it("counts what is too short or too long in its ends", function()
    local hist = client.hist()
    hist:add(0)
    near(1, hist:at(0.5), 1 / 64)
    hist:add(1e12)
    near(2 ^ 32, hist:at(1), 1 / 64)
  end)

  it("is empty at first, and when it was cleared", function()
    local hist = client.hist()
    assert.equal(0, hist:at(0.5))
    hist:add(5)
    hist:clear()
    assert.same({ 0, 0 }, { hist.n, hist:at(0.5) })
  end)

  local hist = client.hist()
  for _, us in ipairs(times()) do hist:add(us) end
  local expected = { tonumber(("%.2f"):format(hist:at(0.5))),
    tonumber(("%.2f"):format(hist:at(0.99))) }

  it("is the same one in C", function()
    local dir = sh.tmpdir()
    sh.ok { "cc", "-std=gnu11", "-D_GNU_SOURCE", "-iquote", "tests/bench/kit",
      "-x", "c", "-", "-o", dir .. "/hist", "-lm", stdin = C_PROGRAM }
    assert.same(expected, told_by { dir .. "/hist" })
  end)

  -- node comes with `make bench-setup`, not with `make setup`.
  if sh.run({ "sh", "-c", "command -v node" }).code == 0 then
    it("is the same one in JavaScript", function()
      assert.same(expected, told_by { "node", "-e", JS_PROGRAM,
        sh.root .. "/tests/bench/kit/client.js" })
    end)
  end
end)

describe("what a client answers", function()
  it("becomes rates and costs of one operation", function()
    local s = runner.sample('{"ops":500,"seconds":2,"cpu_us":1500,'
      .. '"peak_kb":2048,"p50_us":7.5,"p99_us":80}')
    assert.same({ rate = 250, cpu = 3, peak = 2, p50 = 7.5, p99 = 80 }, s)
  end)

  it("is refused when nothing was done", function()
    assert.has_error(function()
      runner.sample('{"ops":0,"seconds":2,"cpu_us":1,"peak_kb":1,'
        .. '"p50_us":0,"p99_us":0}')
    end, "no operation was done")
  end)
end)

describe("the options of a bench", function()
  it("are the long form unless told otherwise", function()
    local bench = options.read { "rounds=", "seconds=0.5", "clients=" }
    assert.equal("query", bench.family.name)
    assert.equal(5, bench.rounds)
    assert.equal(0.5, bench.seconds)
    assert.is_true(bench.calibrate > 0)
    for _, c in ipairs(query.clients) do
      assert.is_true(bench.wanted("point", c))
    end
  end)

  it("choose clients and workloads by name", function()
    local bench = options.read { "clients=bare lunate-lua", "workloads=point" }
    local function wanted(workload, name)
      for _, c in ipairs(query.clients) do
        if c.name == name then return bench.wanted(workload, c) end
      end
    end
    assert.is_true(wanted("point", "bare"))
    assert.is_false(wanted("point", "prisma"))
    assert.is_false(wanted("insert", "lunate-lua"))
  end)

  it("refuse names that there are not, and say which there are", function()
    for word, what in pairs {
      ["clients=nobody"] = "no client 'nobody'; there are: lunate-lua ",
      ["workloads=x"] = "no workload 'x'; there are: point page ",
      ["rounds=many"] = "rounds wants a number, not 'many'",
      ["bench=none"] = "no bench 'none'; ",
      ["color=red"] = "what is 'color=red'?",
      ["quick"] = "what is 'quick'?",
    } do
      local ok, err = pcall(options.read, { word })
      assert.is_false(ok)
      assert.truthy(tostring(err):find(what, 1, true), tostring(err))
    end
  end)

  it("know the cores as the kernel writes them", function()
    assert.same({ "0", "1", "2", "5" }, options.cores "0-2,5")
    assert.same({ "7" }, options.cores "7")
  end)
end)

-- Three clients of which one is missing, and figures of two rounds.
local function family()
  return {
    name = "toy",
    workloads = { { name = "read", title = "a read" }, { name = "write" } },
    clients = {
      { name = "ours", about = "of ours", tasks = { 8 } },
      { name = "theirs", about = "of theirs", tasks = { 4, 2 } },
      { name = "gone", tasks = { 1 },
        missing = function() return "it is not there" end },
    },
    ratios = {
      { name = "ours/theirs", over = "ours", under = "theirs",
        workload = "read", of = "rate", bar = 2 },
      { name = "cpu-theirs/ours", over = "theirs", under = "ours",
        workload = "read", of = "cpu", bar = 9 },
      { name = "ours/gone", over = "ours", under = "gone",
        workload = "read", of = "rate", bar = 1 },
    },
    engine = { { name = "theirs", floor = "ours", workload = "read",
      bar = 1.5 } },
  }
end

local function sample(rate, cpu)
  return { rate = rate, cpu = cpu, p50 = 10, p99 = 100, peak = 12 }
end

local function toy_result()
  local bench = { family = family(), rounds = 2, seconds = 1, warm = 0 }
  return result.make(bench, {
    samples = { read = {
      ours = { sample(300, 1), sample(310, 1) },
      theirs = { sample(100, 3), sample(110, 5) },
    } },
    tasks = { read = { ours = 8, theirs = 4 } },
    skipped = { { client = "gone", why = "it is not there" } },
  }, { machine = { cores = 2 }, versions = { lua = "5.1" }, setting = {} })
end

describe("a plan", function()
  local function plan(wanted)
    local said = {}
    local groups, skipped = runner.plan { family = family(),
      wanted = wanted, say = function(text) said[#said + 1] = text end }
    return groups, skipped, said
  end

  it("has those who are wanted and there, by workload", function()
    local groups = plan(function(workload, c)
      return workload == "read" or c.name == "ours"
    end)
    assert.equal(2, #groups)
    assert.same({ "read", "ours", "theirs" },
      { groups[1].name, groups[1][1].name, groups[1][2].name })
    assert.equal(2, #groups[1])
    assert.same({ "write", "ours" }, { groups[2].name, groups[2][1].name })
  end)

  it("says once why somebody is left out", function()
    local _, skipped, said = plan(function() return true end)
    assert.same({ { client = "gone", why = "it is not there" } }, skipped)
    assert.same({ "skip gone: it is not there" }, said)
  end)

  it("says nothing of somebody who was not asked for", function()
    local _, skipped, said = plan(function(_, c) return c.name ~= "gone" end)
    assert.same({ {}, {} }, { skipped, said })
  end)
end)

describe("a run", function()
  it("takes nobody's word who did not run", function()
    assert.has_error(function()
      runner.run { family = family(), rounds = 1,
        wanted = function() return false end }
    end, "nobody does what was asked for")
  end)
end)

describe("a report", function()
  it("has a line for each ratio that was measured", function()
    local lines = table.concat(report.lines(toy_result()), "\n") .. "\n"
    for _, line in ipairs {
      "ratio ours/theirs: 2.91 (bar 2) ok; rounds 2.82 to 3.00",
      "ratio cpu-theirs/ours: 4.00 (bar 9) below; rounds 3.00 to 5.00",
      "engine us/op theirs: 3.00 (at most 1.5) WARNING: above its budget; "
        .. "rounds 2.00 to 4.00",
      "not measured: gone, it is not there",
      "machine: cores 2",
    } do
      assert.truthy(lines:find("\n" .. line .. "\n", 1, true), lines)
    end
    assert.is_nil(lines:find("ratio ours/gone", 1, true))
  end)

  it("has a row of medians with the least and the most", function()
    local rows = report.rows(toy_result().workloads[1])
    assert.equal("a read", rows[1])
    assert.truthy(rows[3]:find("^ours +305 %(300%-310%)"), rows[3])
    assert.truthy(rows[4]:find("4.00 (3.00-5.00)", 1, true), rows[4])
  end)

  it("leaves out a workload that nobody did", function()
    assert.equal(1, #toy_result().workloads)
  end)
end)

describe("a picture", function()
  it("has a panel for the rate and one for the cost of each workload",
    function()
      local script = plot.script(toy_result(), "svg", "/x/y.svg")
      local panels = select(2, script:gsub("\nplot ", ""))
      assert.equal(2, panels)
      assert.truthy(script:find('set output "/x/y.svg"', 1, true))
      assert.truthy(script:find('"ours" 1 0.305 0.3 0.31', 1, true), script)
      assert.truthy(script:find('"theirs" 0 4 3 5', 1, true), script)
    end)
end)

-- Does a client of a family do that workload?
local function doer(of)
  local clients, workloads = {}, {}
  for _, c in ipairs(of.clients) do clients[c.name] = c end
  for _, w in ipairs(of.workloads) do workloads[w.name] = true end
  return function(name, workload)
    local c = clients[name]
    return c and workloads[workload]
      and (not c.only or c.only[workload]) or false
  end
end

describe("the bench of isolation", function()
  local does = doer(isolation)

  it("compares only what is measured", function()
    for _, r in ipairs(isolation.ratios) do
      assert.is_true(does(r.over, r.workload), r.name)
      assert.is_true(does(r.under, r.workload), r.name)
    end
    for _, c in ipairs(isolation.costs) do
      assert.is_true(does(c.name, c.workload), c.workload)
    end
  end)
end)

describe("what an operation costs", function()
  local all = result.make({ family = { name = "ours", clients = {},
    workloads = {}, costs = {
      { name = "it", workload = "warm", bar = 1 },
      { name = "it", workload = "cold", bar = 1 },
      { name = "it", workload = "never", bar = 1 } } },
    rounds = 2, seconds = 1, warm = 0 },
    { samples = { warm = { it = { { cpu = 0.5 }, { cpu = 0.7 } } },
      cold = { it = { { cpu = 3 } } } }, tasks = {}, skipped = {} }, {})

  it("is told with what it may cost", function()
    assert.equal("cost us/op warm-it: 0.60 (at most 1) ok; rounds 0.50 to 0.70",
      report.cost_line(all.costs[1]))
    assert.equal("cost us/op cold-it: 3.00 (at most 1) above; rounds 3.00 to "
      .. "3.00", report.cost_line(all.costs[2]))
  end)

  it("is not told of what was not measured", function()
    assert.equal(2, #all.costs)
  end)
end)

describe("the bench of queries", function()
  local does = doer(query)

  it("compares only what is measured", function()
    for _, r in ipairs(query.ratios) do
      assert.is_true(does(r.over, r.workload), r.name)
      assert.is_true(does(r.under, r.workload), r.name)
    end
    for _, e in ipairs(query.engine) do
      assert.is_true(does(e.name, e.workload), e.name)
      assert.is_true(does(e.floor, e.workload), e.floor)
    end
  end)

  it("compares the same in its quick form", function()
    for _, r in ipairs(query.ratios) do
      assert.truthy(query.quick(r.workload, r.over), r.name)
      assert.truthy(query.quick(r.workload, r.under), r.name)
    end
    for _, e in ipairs(query.engine) do
      assert.truthy(query.quick(e.workload, e.floor), e.name)
    end
  end)

  it("asks the same statements in JavaScript as in Lua", function()
    local sql = require "bench.query.sql"
    local js = sh.read "tests/bench/query/sql.js"
    for _, name in ipairs { "point", "page", "insert", "update" } do
      assert.truthy(js:find(sql[name], 1, true), name)
    end
  end)
end)
