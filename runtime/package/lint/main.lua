-- The rules of the house that no compiler and no formatter knows: floors,
-- lengths, forgotten notes.  Usage: luajit main.lua FILE... with paths from
-- the top of the tree.  Prints "file:line: what; what to do" for each fault
-- and exits 1 when there was one.
local here = arg[0]:match("^(.*)/[^/]*$") or "."
package.path = here .. "/?.lua;" .. package.path

local checks = {
  require("text").check,
  require("functions").check,
  require("floors").check,
}

local function read_file(path)
  local handle, why = io.open(path, "rb")
  if not handle then
    error("lint: cannot read " .. why, 0)
  end
  local text = handle:read("*a")
  handle:close()
  local lines = {}
  for line in (text:gsub("\n$", "") .. "\n"):gmatch("(.-)\n") do
    lines[#lines + 1] = line
  end
  return { path = path, text = text, lines = lines,
    kind = path:match("%.(%w+)$") }
end

local function main(paths)
  local files, faults = {}, {}
  for i, path in ipairs(paths) do
    files[i] = read_file(path)
  end
  for _, file in ipairs(files) do
    local function report(line, fmt, ...)
      faults[#faults + 1] = ("%s:%d: "):format(file.path, line)
        .. fmt:format(...)
    end
    for _, check in ipairs(checks) do
      check(file, report, files)
    end
  end
  for _, fault in ipairs(faults) do
    print(fault)
  end
  return #faults == 0 and 0 or 1
end

os.exit(main(arg))
