-- A tenant may be a uuid, an integer or a text: the same holds for each.
local live = require "support.live"
local pg = require "support.pg"
local sh = require "support.sh"

local TYPES = {
  uuid = { "0A1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9",
    "00000000-0000-0000-0000-000000000001" },
  int4 = { -2147483648, 70707 },
  int8 = { "-9223372036854775807", "9223372036854775807" },
  text = { "north {ward} \"a,b\"", "süd" },
}

local folder

local function open(type_name, ids)
  local address = pg.database("tenant_types")
  folder = sh.tmpdir()
  sh.write(folder .. "/isolation.lua", ([[
tenant { type = "%s" }
database { mode = "rewrite" }
rows "visits" { by = "clinic" }
]]):format(type_name))
  local s = pg.shared()
  s:psql(("create table visits (clinic %s not null, n int)"):format(type_name),
    "tenant_types")
  local own = live.open(address, { policies = false, schema = "public" })
  for i, id in ipairs(ids) do
    assert(own:exec(("insert into visits values ($1::text::%s, $2)")
      :format(type_name), tostring(id), i))
  end
  return live.open(address, { policies = folder, schema = "public" })
end

after_each(live.close)

for type_name, ids in pairs(TYPES) do
  describe("a tenant of type " .. type_name, function()
    it("reads, writes and is counted in sets", function()
      local db = open(type_name, ids)
      local function sum(who)
        return db:with_tenant(who, function(c)
          return assert(c:one("select sum(n)::int as n from visits")).n
        end)
      end
      assert.equal(1, sum(ids[1]))
      assert.equal(2, sum(ids[2]))
      assert.equal(3, sum(ids))
      db:with_tenant(ids[1], function(c)
        assert(c:exec("insert into visits (n) values (10)"))
        assert(c:exec("update visits set n = n + 1 where n = $1", 10))
      end)
      assert.equal(12, sum(ids[1]))
      assert.equal(2, sum(ids[2]))
    end)

    it("is refused another's row, and told nobody's id", function()
      local db = open(type_name, ids)
      db:with_tenant(ids[1], function(c)
        local done, err = c:exec(
          ("insert into visits (clinic, n) values ($1::text::%s, 1)")
          :format(type_name), tostring(ids[2]))
        assert.is_nil(done)
        for _, id in ipairs(ids) do live.hides(err, tostring(id)) end
      end)
    end)
  end)
end
