-- client - what the clients in Lua share: the contract with the runner (what
-- is asked for comes in the environment, one line of JSON goes out), a
-- log-linear histogram, clocks.
--
-- A bucket is the exponent and the first six bits of the fraction of the time
-- in microseconds, so a percentile is right within 1/64.
local ffi = require "ffi"
local bit = require "bit"

ffi.cdef [[
struct bench_time { long sec, frac; };
struct bench_rusage { struct bench_time user, sys; long maxrss, other[13]; };
int bench_clock(int clock, struct bench_time *t) __asm__("clock_gettime");
int bench_rusage(int who, struct bench_rusage *u) __asm__("getrusage");
]]

local M = {}
local C = ffi.C
local time = ffi.new("struct bench_time")
local usage = ffi.new("struct bench_rusage")
local split = ffi.new("union { double d; uint32_t u[2]; }")

local BUCKETS, STEP = 2048, 64
local FIRST = 0x3ff00000 / 0x4000 -- the bucket of 1 us
M.SELF, M.CHILDREN = 0, -1

--- What the runner asks for: BENCH_SECONDS as ask.seconds and so on.
---@return table<string, number|string>
function M.ask()
  return setmetatable({}, { __index = function(_, name)
    local text = os.getenv("BENCH_" .. name:upper())
      or error("BENCH_" .. name:upper() .. " is not set", 2)
    return tonumber(text) or text
  end })
end

--- Microseconds, monotonic.
---@return number
function M.now()
  C.bench_clock(1, time)
  return tonumber(time.sec) * 1e6 + tonumber(time.frac) / 1e3
end

--- CPU time in microseconds of this process with all its threads, or of its
--- children that have ended.
---@param who integer? M.SELF unless told
---@return number
function M.cpu(who)
  assert(C.bench_rusage(who or M.SELF, usage) == 0)
  return tonumber(usage.user.sec + usage.sys.sec) * 1e6
    + tonumber(usage.user.frac + usage.sys.frac)
end

--- Most memory in kB of the largest child that has ended.
---@return integer
function M.children_peak()
  assert(C.bench_rusage(M.CHILDREN, usage) == 0)
  return tonumber(usage.maxrss)
end

--- Most memory in kB that a process had at once.
---@param pid integer|string|nil this one unless told
---@return integer
function M.peak(pid)
  local f = assert(io.open(("/proc/%s/status"):format(pid or "self")))
  local text = f:read("*a")
  f:close()
  return tonumber(text:match("VmHWM:%s*(%d+)"))
end

-- ---- histogram --------------------------------------------------------------

---@class bench.Hist
---@field n integer
local Hist = {}
Hist.__index = Hist

---@return bench.Hist
function M.hist()
  return setmetatable({ n = 0, counts = ffi.new("uint32_t[?]", BUCKETS) }, Hist)
end

---@param us number
function Hist:add(us)
  split.d = us
  local i = bit.rshift(split.u[1], 14) - FIRST
  if us < 1 then i = 0 end
  if i >= BUCKETS then i = BUCKETS - 1 end
  self.counts[i] = self.counts[i] + 1
  self.n = self.n + 1
end

function Hist:clear()
  ffi.fill(self.counts, ffi.sizeof(self.counts))
  self.n = 0
end

--- The time below which this part of them lies; the middle of its bucket.
---@param part number 0.99
---@return number us 0 when nothing was added
function Hist:at(part)
  local left = math.ceil(self.n * part)
  if self.n == 0 then return 0 end
  for i = 0, BUCKETS - 1 do
    left = left - self.counts[i]
    if left <= 0 then
      return 2 ^ math.floor(i / STEP) * (1 + (i % STEP + 0.5) / STEP)
    end
  end
end

-- ---- the answer -------------------------------------------------------------

--- Prints the answer. ops, seconds, cpu_us and peak_kb are numbers, hist the
--- times of the operations.
---@param a { ops: integer, seconds: number, cpu_us: number, peak_kb: integer,
---  hist: bench.Hist }
function M.answer(a)
  io.stdout:write(('{"ops":%d,"seconds":%.6f,"cpu_us":%.0f,"peak_kb":%d,'
    .. '"p50_us":%.2f,"p99_us":%.2f}\n'):format(a.ops, a.seconds, a.cpu_us,
    a.peak_kb, a.hist:at(0.5), a.hist:at(0.99)))
  io.stdout:flush()
end

return M
