-- main - `make bench`: runs a family of benches, prints what came out, and
-- leaves it in build/bench.
--
--   luajit tests/bench/main.lua [name=value ...]
--   bench=query quick=1 clients="a b" workloads="point" rounds=5 seconds=3
package.path = "tests/?.lua;" .. package.path

local sh = require "support.sh"
local options = require "bench.kit.options"
local report = require "bench.kit.report"
local runner = require "bench.kit.runner"

local function say(text)
  io.stdout:write(text, "\n")
  io.stdout:flush()
end

local function print_report(family, result)
  for _, workload in ipairs(family.workloads) do
    local of = result.samples[workload.name]
    if of then
      say("\n" .. workload.title)
      for _, line in ipairs(report.rows(of, family.clients)) do say(line) end
    end
  end
  say ""
  for _, r in ipairs(report.ratios(result.samples, family.ratios)) do
    say(report.ratio_line(r))
  end
end

local function main(words)
  local bench = options.read(words)
  bench.say = say
  bench.ctx = bench.family.prepare(bench)
  bench.ctx.cores = table.concat(bench.cores, ",")
  print_report(bench.family, runner.run(bench))
end

local ok, err = xpcall(main, function(e)
  return type(e) == "string" and e or debug.traceback(tostring(e))
end, arg)
sh.close()
if not ok then
  io.stderr:write("bench: ", err, "\n")
  os.exit(1)
end
