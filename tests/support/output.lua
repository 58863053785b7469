-- output - busted's results as the harness wants them: one line for each spec
-- file, failures in full at the end, and the counts, also as the line
-- "passed failed skipped" in the file that LUNATE_COUNTS names.
local base = require "busted.outputHandlers.base"
local wait = require "support.wait"

local function where(failure)
  local trace = failure.element.trace or failure.trace
  if not trace or not trace.short_src then return "" end
  return ("%s:%s: "):format(trace.short_src, trace.currentline)
end

local function text_of(message)
  if type(message) == "string" then return message end
  return message == nil and "nil error" or require("pl.pretty").write(message)
end

local function show(kind, list, verbose)
  for _, f in ipairs(list) do
    io.write(("\n%s %s%s\n"):format(kind, where(f), f.name))
    if f.message ~= nil or kind ~= "skipped" then
      io.write("  ", (text_of(f.message):gsub("\n", "\n  ")), "\n")
    end
    if verbose and f.trace and f.trace.traceback then
      io.write(f.trace.traceback, "\n")
    end
  end
end

return function(options)
  local busted = require "busted"
  local handler = base()
  local file

  local function file_start(element)
    file = { name = element.name, began = wait.now(),
      success = 0, failure = 0, error = 0, pending = 0 }
    return nil, true
  end

  local function test_end(_, _, status)
    if file then file[status] = (file[status] or 0) + 1 end
    return nil, true
  end

  local function file_end()
    local failed = file.failure + file.error
    io.write(("%-50s %3d passed%s%s  (%.1f s)\n"):format(file.name,
      file.success,
      failed > 0 and (", %d FAILED"):format(failed) or "",
      file.pending > 0 and (", %d skipped"):format(file.pending) or "",
      wait.now() - file.began))
    io.flush()
    return nil, true
  end

  local function suite_end()
    local passed, skipped = handler.successesCount, handler.pendingsCount
    local failed = handler.failuresCount + handler.errorsCount
    show("skipped", handler.pendings)
    show("FAILED", handler.failures, options.verbose)
    show("FAILED", handler.errors, options.verbose)
    io.write(("%d passed, %d failed, %d skipped\n"):format(passed, failed,
      skipped))
    io.flush()
    local path = os.getenv("LUNATE_COUNTS")
    if path then
      local f = assert(io.open(path, "w"))
      f:write(("%d %d %d\n"):format(passed, failed, skipped))
      f:close()
    end
    return nil, true
  end

  busted.subscribe({ "file", "start" }, file_start)
  busted.subscribe({ "file", "end" }, file_end)
  busted.subscribe({ "test", "end" }, test_end)
  busted.subscribe({ "suite", "end" }, suite_end)
  return handler
end
