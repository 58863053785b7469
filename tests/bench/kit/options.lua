-- options - what `make bench` was asked for, as one table.
local sh = require "support.sh"

local M = {}

-- Long enough for five rounds to agree, short enough to be run.
local FULL = { rounds = 5, seconds = 3, warm = 0.7, calibrate = 1.5,
  scale = 20 }
local QUICK = { rounds = 3, seconds = 1, warm = 0.3, calibrate = 0,
  scale = 20 }
local TEXTS = { bench = true, clients = true, workloads = true, quick = true,
  out = true }

--- The cores named by "0-1,4", as the kernel writes them.
---@param text string
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

-- The set of the words in a text, all of them names in a list; nil for none.
local function chosen(text, list, what)
  if not text then return nil end
  local known, names, set = {}, {}, {}
  for i, one in ipairs(list) do known[one.name], names[i] = true, one.name end
  for word in text:gmatch("[^%s,]+") do
    if not known[word] then
      error(("no %s '%s'; there are: %s"):format(what, word,
        table.concat(names, " ")), 0)
    end
    set[word] = true
  end
  return next(set) and set
end

local function wanted(given, family)
  local clients = chosen(given.clients, family.clients, "client")
  local workloads = chosen(given.workloads, family.workloads, "workload")
  local quick = given.quick and not clients and family.quick
  return function(workload, client)
    return (not workloads or workloads[workload])
      and (not clients or clients[client.name])
      and (not client.only or client.only[workload])
      and (not quick or quick(workload, client.name)) and true or false
  end
end

-- "name=value" words; an empty value is none.
local function read(words)
  local given = {}
  for _, word in ipairs(words) do
    local name, value = word:match("^(%a+)=(.*)$")
    if not TEXTS[name] and not FULL[name] then
      error("what is '" .. word .. "'?", 0)
    end
    if value:match("%S") then given[name] = value end
  end
  return given
end

local function family_of(name)
  if not sh.read(("tests/bench/%s.lua"):format(name)):find("clients") then
    error(("no bench '%s'; each is a file tests/bench/NAME.lua"):format(name),
      0)
  end
  return require("bench." .. name)
end

--- Reads "name=value" words.
---@param words string[]
---@return table bench
function M.read(words)
  local given = read(words)
  local family = family_of(given.bench or "query")
  local bench = { family = family, wanted = wanted(given, family),
    quick = given.quick ~= nil, out = given.out or sh.build .. "/bench",
    cores = M.cores(sh.read("/proc/self/status")
      :match("Cpus_allowed_list:%s*(%S+)")) }
  for name, value in pairs(given.quick and QUICK or FULL) do
    local number = tonumber(given[name] or value)
    if not number or number < 0 then
      error(("%s wants a number, not '%s'"):format(name, given[name]), 0)
    end
    bench[name] = number
  end
  return bench
end

return M
