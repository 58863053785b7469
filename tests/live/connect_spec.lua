-- How a connection is made: TLS, several hosts, and what its session is set to.
local live = require "support.live"
local pg = require "support.pg"

local PID = "select pg_backend_pid() as pid"
local TLS = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"

local function setting(db, opts, name)
  local row = assert(db:one(opts, "select current_setting($1) as v", name))
  return row.v
end

describe("TLS", function()
  local server

  setup(function()
    server = pg.start({ tls = true, listen_tcp = true })
  end)
  teardown(function() server:free() end)
  after_each(live.close)

  it("is verified against the root certificate that is configured",
    function()
      local db = live.open(server.tcp_url,
        { ssl = true, ssl_root_cert = server.ca })
      assert.is_true(assert(db:one(TLS)).ssl)
    end)

  it("is refused from a server that another authority vouches for",
    function()
      local other = pg.start({ tls = true })
      local db = live.open(server.tcp_url,
        { ssl = true, ssl_root_cert = other.ca })
      local err = live.refused("connect_failed", db:query(PID))
      live.says(err, "certificate")
      other:free()
    end)

  it("that is required is never done without", function()
    local plain = pg.start({ listen_tcp = true })
    local db = live.open(plain.tcp_url, { ssl = true })
    local err = live.refused("connect_failed", db:query(PID))
    live.says(err, "SSL")
    plain:free()
  end)

  it("that is switched off stays off", function()
    local db = live.open(server.tcp_url, { ssl = false })
    assert.is_false(assert(db:one(TLS)).ssl)
  end)
end)

describe("a URL of several hosts", function()
  it("is tried in order until one answers", function()
    local server = pg.start({ listen_tcp = true })
    local port = server.tcp_url:match(":(%d+)/")
    local db = live.open(("postgresql://postgres@127.0.0.1:1,127.0.0.1:%s"
      .. "/lunate_test"):format(port))
    assert.is_number(assert(db:one(PID)).pid)
    live.close()
    server:free()
  end)
end)

describe("a session", function()
  local url = pg.database("connect")
  after_each(live.close)

  it("has the configured schema first on its search path", function()
    local db = live.open(url, { schema = "Health Care" })
    assert.equal('"Health Care", public', setting(db, {}, "search_path"))
  end)

  it("has the timeout of the class of its statement", function()
    local db = live.open(url, { pool_max = 1, read_timeout = "3s",
      write_timeout = "7s", critical_timeout = "11s" })
    local expect = { read = "3s", write = "7s", critical = "11s" }
    for _ = 1, 2 do
      for class, timeout in pairs(expect) do
        assert.equal(timeout,
          setting(db, { class = class }, "statement_timeout"), class)
      end
    end
  end)

  it("only reads where only reads are sent", function()
    local db = live.open(url, { pool_max = 1 })
    assert.equal("on",
      setting(db, { class = "read" }, "default_transaction_read_only"))
    assert.equal("off",
      setting(db, { class = "write" }, "default_transaction_read_only"))
    assert.equal("on",
      setting(db, { class = "read" }, "default_transaction_read_only"))
  end)

  it("of a stream has no timeout of the server's", function()
    local db = live.open(url)
    for row in db:rows("select current_setting('statement_timeout') as v") do
      assert.equal("0", row.v)
    end
  end)

  it("names the application", function()
    local db = live.open(url, { application_name = "ward 7" })
    assert.equal("ward 7", setting(db, {}, "application_name"))
  end)
end)
