-- statement - one statement of a lane by its number.
--
--   local s = statement.make(lane, { seed, lane_number, n })
--   s.text, s.params, s.counts, s.writes, s.ordered
local Gen = require "support.worlds.gen"
require "support.worlds.literal"
require "support.worlds.expr"
require "support.worlds.bool"
require "support.worlds.from"
require "support.worlds.query"
require "support.worlds.group"
require "support.worlds.cte"
require "support.worlds.write"
require "support.worlds.insert"
require "support.worlds.merge"

local M = {}

local kinds = {}

function kinds.query(g)
  g:count "select"
  return g:query { nested = false }
end

function kinds.with(g)
  return g:with_queries { nested = false, top = not g.lane.reads_only }
end

function kinds.lock(g)
  g.lock_all = true
  return g:simple { nested = false, lock = true }
end

function kinds.write(g)
  return g:write {}
end

function kinds.with_write(g)
  g:count "with in front of a write"
  -- PostgreSQL 15 has no WITH RECURSIVE in front of MERGE.
  local what = g.d:weighted { 5, "insert", 4, "update", 4, "delete",
    2, "merge" }
  return g:with_write(function(x) return x:write { what = what } end,
    what == "merge")
end

local function attempt(lane, seed)
  local g = Gen.new(lane, seed)
  g.shout, g.odd = g:chance(0.15), g:chance(0.15)
  g.calm, g.no_params = g:chance(0.35), g:chance(0.5)
  g.budget = g.d:weighted { 3, 0, 4, 2, 4, 4, 2, 7 }
  local writes = lane.reads_only and 0 or 1
  local kind = g.d:weighted { 46, "query", 10, "with", 4 * writes, "lock",
    34 * writes, "write", 6 * writes, "with_write" }
  local q = kinds[kind](g)
  if not q or not q.text then return nil end
  local text = q.text
  if g.odd and g:chance(0.3) then text = text .. " -- end" end
  return { text = text, params = g.params, counts = g.counts,
    writes = q.writes or g.modifies or false, ordered = q.ordered or false,
    returns = not q.writes or #q.cols > 0, seed = seed }
end

--- seed: { run, lane, number }
function M.make(lane, seed)
  for try = 1, 20 do
    local s = attempt(lane, { seed[1], seed[2], seed[3], try })
    if s then return s end
  end
  error("nothing was made in 20 attempts")
end

return M
