-- A spike after a quiet time: the pool opens what pays, not what it may.
local live = require "support.live"
local lunate = require "lunate"
local pg = require "support.pg"
local proxy = require "support.proxy"

describe("a spike of 50 requests on an empty pool", function()
  it("is answered by a few connections", function()
    local p = proxy.start { to = pg.shared() }
    p:set { login_delay_ms = 150 }
    local rounds = live.prove and 5 or 1
    for _ = 1, rounds do
      local before = p:counts()
      local db = live.open(p.url, { pool_min = 0, pool_max = 100 })
      local began = lunate.now()
      local results = live.tasks(50, function(i)
        local row, err = db:one("select $1::int as a from pg_sleep(0.002)", i)
        if not row then return nil, err end
        return row.a
      end)
      local took = (lunate.now() - began) * 1000
      for i = 1, 50 do
        assert.equal(i, results[i][1], tostring(results[i][2]))
      end
      local after = p:counts()
      local opened = after.accepted - before.accepted
        - (after.cancels - before.cancels)
      print(("50 requests in %.0f ms over %d connections"):format(took, opened))
      assert.is_true(opened <= 8, opened .. " connections were opened")
      if live.prove then
        assert.is_true(took <= 400, ("it took %.0f ms"):format(took))
      end
      live.close()
    end
    p:free()
  end)

  it("after a warm time is answered too", function()
    local p = proxy.start { to = pg.shared() }
    local db = live.open(p.url, { pool_min = 0, pool_max = 100 })
    for _ = 1, 5 do
      assert(db:one("select 0::int as a from pg_sleep(0.002)"))
    end
    p:set { login_delay_ms = 150 }
    local results = live.tasks(50, function(i)
      return db:one("select $1::int as a from pg_sleep(0.002)", i).a
    end)
    for i = 1, 50 do assert.equal(i, results[i][1]) end
    assert.is_true(p:counts().accepted <= 9, p:counts().accepted)
    live.close()
    p:free()
  end)
end)
