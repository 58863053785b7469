-- SPDX-License-Identifier: MIT
--
-- open - the database as the scripts of this folder open it: isolated.
--
-- Two logins.  Clinics are served as the role clinic_app, which owns nothing
-- and may only read and write rows; what is of no clinic (db:as_system) is done
-- by who owns the tables.  The rules are those of the folder policies/ beside
-- examples/.
--
--   LUNATE_SYSTEM_URL set    it is the owner's, DATABASE_URL that of clinic_app
--   not set                  DATABASE_URL is the owner's; import and demo make
--                            the role, which logs in at the same server

local lunate = require "lunate"

local open = {}

-- examples/clinic/../x is examples/x: paths of policy files stand in errors.
local function plain(path)
  local parts = {}
  for part in path:gmatch("[^/]+") do
    if part == ".." and #parts > 0 and parts[#parts] ~= ".." then
      parts[#parts] = nil
    elseif part ~= "." then
      parts[#parts + 1] = part
    end
  end
  return path:match("^/?") .. table.concat(parts, "/")
end

local here = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$") or "."

--- The folder of the rules.
open.POLICIES = plain(here .. "/../../policies")

-- What is said last holds, so a user is put behind the one that is there.
local function as_user(url, password)
  local is_url = url:find("^postgres%w*://")
  local between = not is_url and " " or url:find("?", 1, true) and "&" or "?"
  url = url .. between .. "user=clinic_app"
  if password then
    url = url .. (is_url and "&" or " ") .. "password=" .. password
  end
  return url
end

local function owners(given)
  local url = os.getenv("LUNATE_SYSTEM_URL")
  return not given and url ~= "" and url or nil
end

-- That of clinic_app, and that of the owner.
local function urls(opts)
  local url = opts.url or lunate.defaults.url or os.getenv("DATABASE_URL")
  if not url then
    error("no database is configured: set DATABASE_URL", 0)
  end
  local owner = owners(opts.url)
  if owner then
    return url, owner
  end
  return as_user(url, opts.password), url
end

---@class clinic.Open
---@field url? string       the owner's, instead of the environment
---@field password? string  of clinic_app; letters and digits
---@field policies? string

--- Opens it; what is said beside url and password goes to lunate.open.
---@param opts? clinic.Open
function open.db(opts)
  opts = opts or {}
  local all = { policies = open.POLICIES }
  for name, value in pairs(opts) do
    all[name] = value
  end
  all.url, all.system_url = urls(opts)
  all.password = nil
  return assert(lunate.open(all))
end

--- Runs fn(client) for somebody of a clinic who sits at one of its desks: what
--- policies/access.lua asks for besides the roles.
---@param db table
---@param who { clinic: string|string[], roles: string[], user: string? }
---@param fn fun(client: table): ...
function open.as(db, who, fn)
  return db:with_context({ tenant = who.clinic, roles = who.roles,
    user = who.user, ip = "10.20.3.7", device = "desk-7",
    clinic_tz = "UTC" }, fn)
end

local ROLE = [[
do $$ begin
  create role clinic_app login;
exception when duplicate_object then null; end $$]]

local CANNOT = [[
this login may make no roles. As one that may:
  create role clinic_app login password '...';
and let DATABASE_URL be that of clinic_app, LUNATE_SYSTEM_URL this one.]]

local function make_role(owner, password)
  local done, err = owner:script(ROLE)
  if done and password then
    done, err = owner:script(("alter role clinic_app password '%s'")
      :format(password))
  end
  if not done then
    error(err.sqlstate == "42501" and CANNOT or err, 0)
  end
end

--- Makes the role clinic_app, unless it has a URL of its own: before open.db.
---@param opts? clinic.Open
function open.role(opts)
  opts = opts or {}
  if owners(opts.url) then
    return
  end
  local _, url = urls(opts)
  local owner = assert(lunate.open { url = url, policies = false,
    pool_max = 2 })
  local ok, err = pcall(make_role, owner, opts.password)
  owner:close()
  if not ok then
    error(err, 0)
  end
end

-- Rows are read and written, nothing else.  The audit log is left out: who did
-- what is no clinic's to know.
local GRANTS = [[
grant usage on schema healthcare to clinic_app;
grant select, insert, update, delete
   on all tables in schema healthcare to clinic_app;
revoke all on healthcare.audit_log from clinic_app]]

--- Gives clinic_app its rights, and the tables row policies: the database
--- itself holds clinic_app to isolation.lua, and lets who owns the tables
--- through.  For a client of as_system, after import.schema.
---@param client table
function open.grant(client)
  assert(client:script(GRANTS))
  local me = assert(client:one("select current_user::text as name")).name
  assert(client:script(assert(lunate.row_policies {
    folder = open.POLICIES, app_role = "clinic_app", system_role = me })))
end

--- 32 letters that nobody knows: a password.
---@return string
function open.secret()
  local file = assert(io.open("/dev/urandom", "rb"))
  local bytes = file:read(16)
  file:close()
  return (bytes:gsub(".", function(c)
    return ("%02x"):format(c:byte())
  end))
end

return open
