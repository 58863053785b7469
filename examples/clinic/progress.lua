-- SPDX-License-Identifier: MIT
--
-- progress - says how far a long piece of work is.
--
-- On a terminal one line is drawn over and over; anywhere else (a log, a pipe)
-- each step leaves one plain line when it is done.

local ffi = require "ffi"

ffi.cdef "int isatty(int fd);"

local progress = {}

---@class clinic.Progress
local Bar = {}
Bar.__index = Bar

local WIDTH = 30

--- A progress on stderr, or on what `opts` names.
---@param opts? { out?: file*, terminal?: boolean, quiet?: boolean }
---@return clinic.Progress
function progress.new(opts)
  opts = opts or {}
  local terminal = opts.terminal
  if terminal == nil then
    terminal = ffi.C.isatty(2) == 1
  end
  return setmetatable({
    out = opts.out or io.stderr, terminal = terminal, quiet = opts.quiet,
    name = "", total = 0, drawn = -1,
  }, Bar)
end

--- A step begins: `total` is its amount, in whatever unit `at` counts.
function Bar:start(name, total)
  self.name, self.total, self.drawn = name, total, -1
  self:at(0)
end

function Bar:at(amount)
  if self.quiet or not self.terminal then
    return
  end
  local share = self.total > 0 and math.min(amount / self.total, 1) or 1
  local percent = math.floor(share * 100)
  if percent == self.drawn then
    return
  end
  self.drawn = percent
  local full = math.floor(share * WIDTH)
  self.out:write(("\r%-20s [%s%s] %3d%%"):format(self.name,
    ("#"):rep(full), ("."):rep(WIDTH - full), percent))
  self.out:flush()
end

--- The step is over; `note` says what came of it.
function Bar:done(note)
  if self.quiet then
    return
  end
  if not self.terminal then
    self.out:write(("%s: %s\n"):format(self.name, note))
    return
  end
  self.out:write(("\r%-20s %-50s\n"):format(self.name, note))
  self.out:flush()
end

return progress
