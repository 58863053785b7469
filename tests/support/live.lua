-- live - what the live specs share: databases that close with their spec,
-- refusals checked in one line, programs of their own under plain luajit.
local assert = require "luassert"
local lunate = require "lunate"
local sh = require "support.sh"

local M = {}

local open = {}

--- A database that M.close() closes.
---@param url string
---@param opts table? more options of lunate.open
---@return lunate.Database
function M.open(url, opts)
  local all = { url = url, pool_min = 0, control_socket = false,
    schema = "public" }
  for k, v in pairs(opts or {}) do all[k] = v end
  local db = assert(lunate.open(all))
  open[#open + 1] = db
  return db
end

--- Closes what M.open() gave: for after_each or teardown.
function M.close()
  for _, db in ipairs(open) do db:close() end
  open = {}
end

--- Checks that a call gave nil and an error of that code, and gives the error.
---@param code string
---@return lunate.Error
function M.refused(code, value, err, ...)
  assert.is_nil(value)
  assert.is_true(lunate.is_error(err), "no error came: " .. tostring(err))
  assert.equal(code, err.code, tostring(err))
  assert.equal(0, select("#", ...))
  return err
end

--- Checks that a text holds each of these words, as they are.
---@param text any
function M.says(text, ...)
  for _, word in ipairs { ... } do
    assert.truthy(tostring(text):find(word, 1, true),
      ("%q is not in: %s"):format(word, tostring(text)))
  end
end

--- Checks that an error has none of these in any of its fields.
---@param err lunate.Error
function M.hides(err, ...)
  for _, mark in ipairs { ... } do
    for k, v in pairs(err) do
      assert.is_nil(tostring(v):find(mark, 1, true),
        ("err.%s tells %q: %s"):format(k, mark, tostring(v)))
    end
    assert.is_nil(tostring(err):find(mark, 1, true))
  end
end

--- Calls fn in a task of its own and gives what it gives.
function M.in_task(fn, ...)
  return lunate.spawn(fn, ...):join()
end

--- Calls fn twice: by the main program, and in a task.
---@param fn fun()
function M.both(fn)
  fn()
  assert(M.in_task(function() fn() return true end))
end

--- Runs a Lua text with plain luajit, where `require "lunate"` works.
---@param text string
---@param env table<string, string|false>?
---@return support.Result
function M.luajit(text, env, ...)
  local vars = { LUA_CPATH = sh.build .. "/?.so;;", DATABASE_URL = false }
  for k, v in pairs(env or {}) do vars[k] = v end
  return sh.run { "luajit", sh.tmpfile(text, ".lua"), env = vars,
    cwd = sh.tmpdir(), ... }
end

--- A seed for a random test: LUNATE_SEED, or one by the clock; it is printed
--- by the spec when something fails.
---@return integer
function M.seed()
  return tonumber(os.getenv("LUNATE_SEED")) or os.time() % 1000000
end

--- Are the long forms asked for? (`make prove`)
M.prove = os.getenv("LUNATE_PROVE") == "1"

return M
