-- The bench as a whole, on small tables and for moments: that figures come out
-- where they belong, not which.
local cjson = require "cjson"
local sh = require "support.sh"

local function bench(...)
  return sh.run { "luajit", "tests/bench/main.lua", timeout = 100,
    loose = false, env = { LUNATE_BUILD = sh.build, DATABASE_URL = false },
    ... }
end

describe("make bench", function()
  local out, r, all

  setup(function()
    out = sh.tmpdir()
    r = bench("clients=lunate-lua lunate-lua-1 pgbench-prepared-8",
      "rounds=1", "seconds=0.2", "warm=0.1", "scale=1", "calibrate=0",
      "out=" .. out)
    assert.equal(0, r.code, r.out .. r.err)
    all = cjson.decode(sh.read(out .. "/query.json"))
  end)

  it("prints the ratios of those who were measured, beside their bars",
    function()
      local value = r.out:match("\nratio lunate%-lua/pgbench%-prepared%-8: "
        .. "(%d+%.%d+) %(bar 2%.4%) %a+; rounds %S+ to %S+\n")
      assert.is_true((tonumber(value) or 0) > 0, r.out)
      assert.is_nil(r.out:find("ratio lunate-lua/prisma", 1, true))
    end)

  it("prints a table for each workload", function()
    for _, title in ipairs { "point read", "page", "insert", "transaction" } do
      assert.truthy(r.out:find("\n" .. title .. ": [^\n]+\nclient [^\n]+\n"
        .. "lunate%-lua +%d+ %(%d+%-%d+%)"), r.out)
    end
  end)

  it("leaves every figure of every round", function()
    assert.equal(4, #all.workloads)
    for _, workload in ipairs(all.workloads) do
      assert.equal(3, #workload.clients)
      for _, client in ipairs(workload.clients) do
        assert.equal(1, #client.rounds)
        for _, key in ipairs { "rate", "p50", "p99", "cpu", "peak" } do
          assert.is_true(client.rounds[1][key] > 0, client.name .. key)
          assert.equal(client.rounds[1][key], client[key].median)
        end
        assert.is_true(client.p99.median >= client.p50.median)
      end
    end
  end)

  it("leaves what the figures depend on", function()
    assert.is_true(all.facts.machine.cores >= 1)
    assert.equal("on", all.facts.setting.fsync)
    assert.truthy(all.facts.versions.postgres)
    assert.truthy(all.facts.versions.lunate)
  end)

  it("ends with its own word on a client that there is not", function()
    local none = bench("clients=nobody")
    assert.equal(1, none.code)
    assert.truthy(none.err:find("bench: no client 'nobody'; there are: ", 1,
      true), none.err)
  end)
end)
