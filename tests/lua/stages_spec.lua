-- The sum at the end of `make test` tells the truth: counts are added over the
-- stages, and a stage that breaks without naming a failed test counts as one.
local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

-- Runs the lint stage with a `make` that runs `script`; gives exit code and
-- the last line.
local function run_stage(script)
  local dir = io.popen("mktemp -d"):read("*l")
  write(dir .. "/make", "#!/bin/bash\nmkdir -p " .. dir .. "/counts\n"
    .. "cd " .. dir .. "/counts\n" .. script .. "\n")
  local pipe = io.popen(("chmod +x %s/make; MAKE=%s/make STAGES_BUILD=%s "
    .. "bash runtime/package/stages.sh lint; echo rc=$?; rm -rf %s")
    :format(dir, dir, dir, dir))
  local out = pipe:read("*a")
  pipe:close()
  local last, code = out:match("\n([^\n]*)\nrc=(%d+)\n$")
  return tonumber(code), last, out
end

describe("stages", function()
  it("adds up the counts of all files of a stage", function()
    local code, last = run_stage("echo 3 0 1 > unit; echo 4 0 0 > lua")
    assert.equal("7 passed, 0 failed, 1 skipped", last)
    assert.equal(0, code)
  end)

  it("fails when a test failed", function()
    local code, last, out = run_stage("echo 3 2 0 > unit; exit 1")
    assert.equal("3 passed, 2 failed, 0 skipped", last)
    assert.equal(1, code)
    assert.truthy(out:find("failed: lint", 1, true))
  end)

  it("fails when a count says so and the exit status does not", function()
    local code, last = run_stage("echo 3 2 0 > unit")
    assert.equal("3 passed, 2 failed, 0 skipped", last)
    assert.equal(1, code)
  end)

  it("counts a stage that broke before any test as one failure", function()
    local code, last = run_stage("exit 2")
    assert.equal("0 passed, 1 failed, 0 skipped", last)
    assert.equal(1, code)
  end)
end)
