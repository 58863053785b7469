-- The functions that a tenant's statement may call are those that a review of
-- the live server's gives: the compiled list is neither older nor longer.
local functions = require "support.functions"
local pg = require "support.pg"

describe("the list of functions", function()
  local compiled = functions.compiled()

  it("is what the server's functions give, less what was excluded", function()
    assert.same(functions.generate(pg.shared()), compiled)
  end)

  it("stands in the order in which it is searched", function()
    for i = 2, #compiled do
      assert.is_true(compiled[i - 1] < compiled[i], compiled[i])
    end
  end)

  it("has none that runs a text, or tells of the server", function()
    for _, name in ipairs(compiled) do
      for _, never in ipairs { "query_to_xml", "set_config",
        "current_setting", "nextval", "dblink", "lo_get", "pg_sleep",
        "pg_read_file", "ts_stat", "pg_notify", "oid" } do
        assert.not_equal(never, name)
      end
    end
  end)
end)
