-- lunate.clinics - which clinic is meant: by id, subdomain or location; and
-- those of a user.
--
-- Clinics and locations are kept for a while.  A user's clinics never are, so
-- that a revoked or expired role ends with the next question.
local core = require "lunate.core"

local M = {}

local MOST = 10000
local TTL, TTL_NONE = 300, 5 -- seconds; the second when there is no clinic

local UUID = "^" .. ("%x"):rep(8) .. ("%-" .. ("%x"):rep(4)):rep(3) .. "%-"
  .. ("%x"):rep(12) .. "$"

local SQL = {
  id = [[select id::text as id from healthcare.clinics
    where id = $1::uuid and is_active]],
  subdomain = [[select id::text as id from healthcare.clinics
    where subdomain = $1 and is_active]],
  location = [[select c.id::text as id from healthcare.locations l
    join healthcare.clinics c on c.id = l.clinic_id
    where l.id = $1::uuid and l.is_active and c.is_active]],
  user = [[select c.id::text as id from healthcare.clinics c
    where c.is_active and (
      exists (select from healthcare.users u
        where u.id = $1::uuid and u.primary_clinic_id = c.id)
      or exists (select from healthcare.user_clinics m
        where m.user_id = $1::uuid and m.clinic_id = c.id)
      or exists (select from healthcare.user_roles r
        where r.user_id = $1::uuid and r.clinic_id = c.id
          and r.revoked_at is null
          and (r.expires_at is null or r.expires_at > now())))
    order by c.id]],
}

---@param clock (fun(): number)? seconds; for tests
function M.new(clock)
  return { at = {}, n = 0, generation = 0, clock = clock or core.now }
end

---Forgets all, also the answer of a question that is still under way.
function M.forget(cache)
  cache.at, cache.n = {}, 0
  cache.generation = cache.generation + 1
end

local function keep(cache, key, id)
  if cache.n >= MOST then
    cache.at, cache.n = {}, 0
  end
  if not cache.at[key] then
    cache.n = cache.n + 1
  end
  cache.at[key] = { id = id, ends = cache.clock() + (id and TTL or TTL_NONE) }
end

local function by_of(want)
  local by, value = next(want)
  if not SQL[by] or type(value) ~= "string" or next(want, by) ~= nil then
    error("resolve_clinic wants one text of id, subdomain, location or user",
      3)
  end
  return by, value:lower()
end

---ask(sql, value) gives rows, or nil and an error, which is never kept.
function M.resolve(cache, want, ask)
  local by, value = by_of(want)
  if by ~= "subdomain" and not value:find(UUID) then
    return by == "user" and {} or nil
  end
  local key, generation = by .. ":" .. value, cache.generation
  local kept = cache.at[key]
  if kept and cache.clock() < kept.ends then
    return kept.id
  end
  local rows, err = ask(SQL[by], value)
  if not rows then
    return nil, err
  end
  if by == "user" then
    local ids = {}
    for i, row in ipairs(rows) do
      ids[i] = row.id
    end
    return ids
  end
  local id = rows[1] and rows[1].id
  if generation == cache.generation then
    keep(cache, key, id)
  end
  return id
end

return M
