-- run-unit - runs cmocka programs one after the other and sums what they say.
--
--   luajit tests/support/run-unit.lua counts_file program...
--
-- One line for each program, the whole output of those that failed, and the
-- counts, also as the line "passed failed skipped" in counts_file. A program
-- that crashed, ran too long, or left tests unrun has failed at least once.
package.path = "tests/?.lua;" .. package.path
local sh = require "support.sh"

local LIMIT = 120 -- seconds for one program

--- Counts of one program's TAP output: { passed, failed, skipped, planned }.
local function tally(out)
  local t = { passed = 0, failed = 0, skipped = 0, planned = 0 }
  for line in out:gmatch("[^\n]+") do
    local plan = line:match("^1%.%.(%d+)")
    if plan then
      t.planned = t.planned + tonumber(plan)
    elseif line:match("ok %d+ # SKIP") then
      t.skipped = t.skipped + 1
    elseif line:match("^ok %d") then
      t.passed = t.passed + 1
    elseif line:match("^not ok ") then
      t.failed = t.failed + 1
    end
  end
  return t
end

--- Why a program has failed beyond what its output counts, or nil.
local function trouble(run, t)
  if run.timeout then return ("no end within %d s"):format(LIMIT) end
  if run.signal then return ("ended by signal %d"):format(run.signal) end
  local seen = t.passed + t.failed + t.skipped
  if seen < t.planned then
    return ("%d tests were not run"):format(t.planned - seen)
  end
  if seen == 0 then return "no test was run" end
  if run.code ~= 0 and t.failed == 0 then return "exit " .. run.code end
  return nil
end

local function run_one(program)
  local run = sh.run { program, timeout = LIMIT, loose = false,
    env = { CMOCKA_MESSAGE_OUTPUT = "TAP" } }
  local t = tally(run.out)
  local why = trouble(run, t)
  if why then
    t.failed = t.failed
      + math.max(1, t.planned - t.passed - t.failed - t.skipped)
  end
  io.write(("%-50s %3d passed%s%s  (%.1f s)\n"):format(program, t.passed,
    t.failed > 0 and (", %d FAILED"):format(t.failed) or "",
    t.skipped > 0 and (", %d skipped"):format(t.skipped) or "", run.seconds))
  if t.failed > 0 then t.report = { program, why, run.out, run.err } end
  return t
end

local function main(counts_file, ...)
  local sum = { passed = 0, failed = 0, skipped = 0 }
  local reports = {}
  for _, program in ipairs { ... } do
    local t = run_one(program)
    for k in pairs(sum) do sum[k] = sum[k] + t[k] end
    reports[#reports + 1] = t.report
    io.flush()
  end
  for _, r in ipairs(reports) do
    io.write(("\nFAILED %s%s\n%s%s"):format(r[1], r[2] and ": " .. r[2] or "",
      r[3], r[4]))
  end
  sh.ok { "mkdir", "-p", (counts_file:match("^(.*)/") or ".") }
  sh.write(counts_file, ("%d %d %d\n"):format(sum.passed, sum.failed,
    sum.skipped))
  io.write(("%d passed, %d failed, %d skipped\n"):format(sum.passed,
    sum.failed, sum.skipped))
  sh.close()
  return sum.failed == 0 and 0 or 1
end

os.exit(main(...))
