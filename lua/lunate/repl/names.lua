-- lunate.repl.names - names of the server's things, for the completion.
--
-- Asked when Tab is pressed and kept until something may have changed them.
-- The question goes to the person's own session, which knows its temporary
-- tables and its search_path; inside a transaction to another connection, since
-- a question there could take its snapshot too early.
local lunate = require "lunate"

local M = {}

local SECONDS, MOST = 2, 20000

local RELATIONS = ([[
select n.nspname, c.relname, pg_catalog.pg_table_is_visible(c.oid)::text
from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
  and n.nspname not in ('pg_toast')
order by n.nspname ~ '^pg_|^information_schema$', 1, 2 limit %d]]):format(MOST)

local FUNCTIONS = ([[
select distinct p.proname from pg_catalog.pg_proc p
where pg_catalog.pg_function_is_visible(p.oid) order by 1 limit %d]])
  :format(MOST)

local COLUMNS = [[
select a.attname from pg_catalog.pg_attribute a
  join pg_catalog.pg_class c on c.oid = a.attrelid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relname = $1 and a.attnum > 0 and not a.attisdropped
  and ($2::text is not null or pg_catalog.pg_table_is_visible(c.oid))
  and ($2::text is null or n.nspname = $2)
order by a.attnum]]

local SCHEMAS = "select nspname from pg_catalog.pg_namespace order by 1"
local SETTINGS = "select name from pg_catalog.pg_settings order by 1"
local DATABASES = [[select datname from pg_catalog.pg_database
where datallowconn order by 1]]
local ROLES = "select rolname from pg_catalog.pg_roles order by 1"

---@class lunate.repl.Names
---@field private session lunate.repl.Session
local Names = {}
Names.__index = Names

---@param session lunate.repl.Session
---@return lunate.repl.Names
function M.new(session)
  return setmetatable({ session = session, kept = {} }, Names)
end

---The schema may have changed.
function Names:forget()
  self.kept = {}
end

-- Through another connection: rows as arrays.
local function ask_pool(db, sql, ...)
  return db:query({ positional = true }, sql, ...)
end

local function ask(self, sql, ...)
  local state = self.session:state()
  if state == "open" or state == "failed" then
    return ask_pool(self.session.db, sql, ...)
  end
  return self.session:all(sql, ...)
end

-- Rows of a question; an empty list when it cannot be answered in time.
local function rows(self, key, sql, ...)
  if self.kept[key] then
    return self.kept[key]
  end
  local found = lunate.deadline(SECONDS, ask, self, sql, ...)
  if found then
    self.kept[key] = found
  end
  return found or {}
end

local function firsts(self, key, sql, ...)
  local list = {}
  for i, row in ipairs(rows(self, key, sql, ...)) do
    list[i] = row[1]
  end
  return list
end

---Tables, views and sequences that need no schema in front.
---@return string[]
function Names:relations()
  local list = {}
  for _, row in ipairs(rows(self, "relations", RELATIONS)) do
    if row[3] == "true" then
      list[#list + 1] = row[2]
    end
  end
  return list
end

---Those of a schema.
---@param schema string
---@return string[]
function Names:relations_of(schema)
  local list = {}
  for _, row in ipairs(rows(self, "relations", RELATIONS)) do
    if row[1] == schema then
      list[#list + 1] = row[2]
    end
  end
  return list
end

---@return string[]
function Names:schemas()
  return firsts(self, "schemas", SCHEMAS)
end

---@return string[]
function Names:functions()
  return firsts(self, "functions", FUNCTIONS)
end

---@return string[]
function Names:settings()
  return firsts(self, "settings", SETTINGS)
end

---@return string[]
function Names:databases()
  return firsts(self, "databases", DATABASES)
end

---@return string[]
function Names:roles()
  return firsts(self, "roles", ROLES)
end

---@param name string of a relation
---@param schema string?
---@return string[]
function Names:columns(name, schema)
  return firsts(self, "columns " .. (schema or "") .. "." .. name, COLUMNS,
    name, schema)
end

return M
