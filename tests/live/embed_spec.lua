-- examples/embed: each host does what it says, leaves nothing behind, and has
-- nothing that valgrind or a sanitizer objects to.
local cjson = require "cjson"
local fences = require "support.fences"
local host = require "support.host"
local pg = require "support.pg"
local sh = require "support.sh"
local wait = require "support.wait"

local url

setup(function() url = pg.database("embed_spec") end)

local function tables_left()
  return pg.shared():psql("select count(*) from pg_tables "
    .. "where tablename like 'embed%'", "embed_spec")
end

-- name, further words of the command line, the lines it has to print; what
-- waits for the server may come in another order.
local HOSTS = {
  { "threads", {}, {
    "%d+ moves, %d+ refused by a full ward, %d+ tried again",
    "80 of 80 beds are free" } },
  { "loop", {}, {
    "the chain of 5 ends with 15",
    "a slow query ended: deadline",
    "a slow query ended: cancelled",
    "the host's own timer went on: yes" } },
  { "script", { "examples/embed/patients.lua" }, {
    'Ada Example, adult, {.*"nuts".*}',
    "2 patients, 100 %% of them adults",
    "constraint: embed_patients_name_check",
    "internal: no patient %-1",
    "deadline" } },
}

local function check_lines(want, out)
  local n = select(2, out:gsub("\n", ""))
  assert.equal(#want, n, out)
  for _, line in ipairs(want) do
    assert.truthy(("\n" .. out):find("\n" .. line .. "\n"), line .. "\n" .. out)
  end
end

for _, one in ipairs(HOSTS) do
  local name, args, prints = one[1], one[2], one[3]

  describe("the host " .. name, function()
    local program
    setup(function()
      program = host.compile("examples/embed/" .. name .. ".c")
    end)

    local function argv()
      local list = { program, env = { DATABASE_URL = url } }
      for _, a in ipairs(args) do list[#list + 1] = a end
      return list
    end

    it("does what it says", function()
      local r = host.run(argv())
      check_lines(prints, r.out)
      assert.equal("0", tables_left())
    end)

    if not host.sanitizer then
      it("has nothing that valgrind objects to", function()
        local list = argv()
        list.lua = name == "script"
        check_lines(prints, host.valgrind(list).out)
      end)
    end

    it("says why it cannot go on, without a server or a URL", function()
      local list = argv()
      list.code = 1
      list.env = { DATABASE_URL = false, LUNATE_URL = false }
      assert.truthy(host.run(list).err:find("DATABASE_URL", 1, true))
      list = argv()
      list.code = 1
      list.env = { LUNATE_ACQUIRE_TIMEOUT = "200ms",
        DATABASE_URL = "postgresql:///x?host=/nonexistent&user=postgres" }
      assert.truthy(host.run(list).err:find(name .. ": ", 1, true))
    end)
  end)
end

-- ---- as a user does it -----------------------------------------------------

-- The commands that the README shows, in a copy of the folder, against a
-- library that was installed into an empty prefix.
describe("the README of examples/embed", function()
  if host.sanitizer then return end -- what is installed is plain

  it("builds and runs each host after make install", function()
    if sh.run({ "make", "-n", "install" }).code ~= 0 then
      return pending("needs make install")
    end
    local root, dir = sh.tmpdir(), sh.tmpdir()
    sh.ok { "make", "-s", "install", "PREFIX=/usr", "DESTDIR=" .. root,
      timeout = 110 }
    sh.ok { "cp", "-r", "examples/embed/.", dir }
    local pc = sh.ok { "find", root, "-name", "lunate.pc" }:match("[^\n]+")
    local lib = sh.ok { "find", root, "-name", "liblunate.so.0" }
      :match("[^\n]+")
    local commands = fences.of("examples/embed/README.md")[1].text
      :gsub("DATABASE_URL=%S+ ", "")
    assert.truthy(commands:find("pkg-config --cflags --libs lunate", 1, true))
    local r = sh.run { "sh", "-ec", commands .. "./loop\n./script\n",
      cwd = dir, timeout = 60, env = { DATABASE_URL = url,
        PKG_CONFIG_PATH = pc:match("^(.*)/"), PKG_CONFIG_SYSROOT_DIR = root,
        LD_LIBRARY_PATH = lib:match("^(.*)/"), CPATH = false } }
    assert.equal(0, r.code, r.err .. r.out)
    for _, one in ipairs(HOSTS) do
      for _, line in ipairs(one[3]) do
        assert.truthy(("\n" .. r.out):find("\n" .. line .. "\n"), line)
      end
    end
  end)
end)

-- ---- Node.js ---------------------------------------------------------------

local NODE = sh.root .. "/build/embed/node"
local SERVER = "examples/embed/node/server.js"

-- Asks each of a list of { method, path, body }, and gives { status, answer }.
local CLIENT = [[
const [port, list] = [process.argv[2], JSON.parse(process.argv[3])];
(async () => {
  const answers = [];
  for (const [method, path, body] of list) {
    const r = await fetch(`http://127.0.0.1:${port}${path}`,
      { method, body: body || undefined });
    answers.push([r.status, await r.json()]);
  }
  console.log(JSON.stringify(answers));
})();
]]

local function node_env(more)
  local env = { NODE_PATH = NODE .. "/node_modules", DATABASE_URL = url,
    LIBLUNATE = sh.build .. "/liblunate.so", PORT = "0",
    LUNATE_LOG_LEVEL = "error" }
  for k, v in pairs(more or {}) do env[k] = v end
  return env
end

local function start(more)
  local p = sh.spawn { "node", SERVER, env = node_env(more) }
  local port = wait.until_(function()
    assert(p:running(), p:err())
    return p:out():match("listening on (%d+)")
  end, 30, "the service listens")
  return p, port
end

local function ask(port, list)
  return cjson.decode(sh.ok { "node", sh.tmpfile(CLIENT, ".js"), port,
    cjson.encode(list) })
end

local function stop(p)
  p:kill("TERM")
  assert.same({ code = 0 }, p:wait(30))
  assert.equal("", p:err())
end

-- Node is not sanitized, so it loads nothing that is.
local function in_node(name, fn)
  if not host.sanitizer then it(name, fn) end
end

describe("the service in Node.js", function()
  setup(function()
    if not host.sanitizer then
      sh.ok { "make", "-s", "embed-node", timeout = 110 }
    end
  end)

  in_node("finds, lists and adds, and says whose fault a failure is",
    function()
      local p, port = start()
      local a = ask(port, {
        { "POST", "/patients", '{"name":"Ada","born":"1950-01-31"}' },
        { "POST", "/patients", '{"name":"Bö"}' },
        { "GET", "/patients/1" },
        { "GET", "/patients?name=B" },
        { "GET", "/patients/99" },
        { "POST", "/patients", '{"name":"Ada"}' },
        { "POST", "/patients", '{"name":"Cy","born":"yesterdayish"}' },
        { "POST", "/patients", "{broken" },
        { "GET", "/healthz" },
        { "GET", "/tea" },
      })
      local status = {}
      for i, one in ipairs(a) do status[i] = one[1] end
      assert.same({ 201, 201, 200, 200, 404, 409, 400, 400, 200, 404 },
        status)
      assert.same({ id = 1, name = "Ada", born = "1950-01-31" }, a[3][2])
      assert.same({ { id = 2, name = "Bö", born = cjson.null } }, a[4][2])
      assert.same({ error = "constraint" }, a[6][2])
      assert.is_true(a[9][2].is_healthy)
      stop(p)
      -- What was refused left neither patient nor visit.
      assert.equal("2|2", pg.shared():psql("select (select count(*) from "
        .. "embed_people), (select count(*) from embed_visits)",
        "embed_spec"))
    end)

  in_node("answers many at once", function()
    local p, port = start()
    local script = [[
      (async () => {
        const all = await Promise.all(Array.from({ length: 300 }, async () =>
          (await fetch(`http://127.0.0.1:${process.argv[2]}/patients/1`))
            .json()));
        console.log(all.filter((a) => a.name === 'Ada').length);
      })();]]
    assert.equal("300\n", sh.ok { "node", sh.tmpfile(script, ".js"), port })
    stop(p)
  end)

  in_node("reports a database that went away, and lives on", function()
    local own = pg.start { conf = { max_connections = 30 } }
    local p, port = start { DATABASE_URL = own.url,
      LUNATE_CONNECT_TIMEOUT = "1s", LUNATE_ACQUIRE_TIMEOUT = "1s" }
    assert.equal(404, ask(port, { { "GET", "/patients/1" } })[1][1])
    own:stop("immediate")
    assert.equal(503, ask(port, { { "GET", "/patients/1" } })[1][1])
    own:start()
    assert.equal(404, wait.until_(function()
      local status = ask(port, { { "GET", "/patients/1" } })[1][1]
      return status ~= 503 and status
    end, 30))
    p:kill("TERM")
    assert.same({ code = 0 }, p:wait(30))
    own:free()
  end)

  in_node("speaks TLS with libpq's own OpenSSL", function()
    local own = pg.start { tls = true, listen_tcp = true,
      conf = { max_connections = 30 }, hba = {
        "hostssl all all 127.0.0.1/32 trust" } }
    local p, port = start { DATABASE_URL = own.tcp_url .. "?sslmode=require" }
    assert.equal(404, ask(port, { { "GET", "/patients/1" } })[1][1])
    stop(p)
    own:free()
  end)

  it("names no registry in its lock", function()
    local lock = cjson.decode(sh.read("examples/embed/node/package-lock.json"))
    local n = 0
    for _, package in pairs(lock.packages) do
      assert.is_nil(package.resolved)
      n = n + 1
    end
    assert.is_true(n > 1)
  end)
end)
