-- main - `make bench`: runs a family of benches, prints what came out, and
-- leaves it in build/bench as JSON and as a picture.
--
--   luajit tests/bench/main.lua [name=value ...]
--   bench=query quick=1 clients="a b" workloads="point" rounds=5 seconds=3
package.path = "tests/?.lua;" .. package.path

local cjson = require "cjson"
local sh = require "support.sh"
local machine = require "bench.kit.machine"
local options = require "bench.kit.options"
local plot = require "bench.kit.plot"
local report = require "bench.kit.report"
local result = require "bench.kit.result"
local runner = require "bench.kit.runner"

local function say(text)
  io.stdout:write(text, "\n")
  io.stdout:flush()
end

local BUSY = 0.5 -- load above which others' work is part of the figures

-- Before anything of ours runs: the load is that of others.
local function look_around()
  local facts = machine.facts()
  if facts.load > BUSY then
    say(("warning: the machine is in use (load %.2f); ratios will vary")
      :format(facts.load))
  end
  return facts
end

local function facts_of(bench, around)
  local facts = bench.family.facts(bench.ctx)
  facts.machine = around
  facts.at = os.date("!%Y-%m-%dT%H:%M:%SZ")
  return facts
end

local function leave(bench, all)
  local base = ("%s/%s"):format(bench.out, all.bench)
  sh.ok { "mkdir", "-p", bench.out }
  sh.write(base .. ".json", cjson.encode(all) .. "\n")
  local paths, why = plot.draw(all, base)
  say("\nwritten: " .. table.concat({ base .. ".json", unpack(paths) }, " "))
  if why then say(why) end
end

local function main(words)
  local bench = options.read(words)
  bench.say = say
  local around = look_around()
  bench.ctx = bench.family.prepare(bench)
  local facts = facts_of(bench, around)
  local all = result.make(bench, runner.run(bench), facts)
  for _, line in ipairs(report.lines(all)) do say(line) end
  leave(bench, all)
end

local ok, err = xpcall(main, function(e)
  return type(e) == "string" and e or debug.traceback(tostring(e))
end, arg)
sh.close()
if not ok then
  io.stderr:write("bench: ", err, "\n")
  os.exit(1)
end
