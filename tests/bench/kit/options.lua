-- options - what `make bench` was asked for, as one table.
local sh = require "support.sh"

local M = {}

-- Long enough for five rounds to agree, short enough to be run.
local FULL = { rounds = 5, seconds = 3, warm = 0.7, calibrate = 1.5,
  scale = 20 }
local QUICK = { rounds = 3, seconds = 1, warm = 0.3, calibrate = 0,
  scale = 20 }

--- The cores this process may use, as the kernel writes them: "0-1,4".
---@return string[]
function M.cores(text)
  local list = {}
  for part in text:gmatch("[^,%s]+") do
    local first, last = part:match("^(%d+)-(%d+)$")
    for n = tonumber(first or part), tonumber(last or part) do
      list[#list + 1] = tostring(n)
    end
  end
  return list
end

local function words_of(text)
  if not text or text == "" then return nil end
  local set = {}
  for word in text:gmatch("[^%s,]+") do set[word] = true end
  return set
end

local function check(set, list, what)
  for name in pairs(set or {}) do
    local known = {}
    for _, one in ipairs(list) do
      if one.name == name then set[name] = one end
      known[#known + 1] = one.name
    end
    if set[name] == true then
      error(("no %s %s; there are: %s"):format(what, name,
        table.concat(known, " ")), 0)
    end
  end
end

local function wanted(given, family)
  local clients, workloads = words_of(given.clients), words_of(given.workloads)
  check(clients, family.clients, "client")
  check(workloads, family.workloads, "workload")
  local quick = given.quick and not clients and family.quick
  return function(workload, client)
    return (not workloads or workloads[workload])
      and (not clients or clients[client.name])
      and (not client.only or client.only[workload])
      and (not quick or quick(workload, client.name))
  end
end

--- Reads "name=value" words.
---@param words string[]
---@return table bench
function M.read(words)
  local given = {}
  for _, word in ipairs(words) do
    local name, value = word:match("^(%a+)=(.*)$")
    if not name then error("what is '" .. word .. "'?", 0) end
    if value ~= "" then given[name] = value end
  end
  local family = require("bench." .. (given.bench or "query"))
  local bench = { family = family, wanted = wanted(given, family),
    cores = M.cores(sh.read("/proc/self/status")
      :match("Cpus_allowed_list:%s*(%S+)")) }
  for name, value in pairs(given.quick and QUICK or FULL) do
    bench[name] = tonumber(given[name]) or value
  end
  return bench
end

return M
