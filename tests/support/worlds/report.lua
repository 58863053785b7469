-- report - what a run has seen: by construct, by reason, differences.
local Report = {}
Report.__index = Report

local M = {}

function M.new()
  return setmetatable({ n = 0, constructs = {}, refused = {}, samples = {},
    errors = {}, tallies = {}, differences = {}, accepted = 0, invalid = 0,
    broken = {}, faults = {} }, Report)
end

local function more(t, key)
  t[key] = (t[key] or 0) + 1
end

--- Something that is only counted.
function Report:add(what)
  more(self.tallies, what)
end

local function keep(samples, s, message)
  local kind = message:gsub("%d+", "n"):gsub('".-"', "x")
  local sample = samples[kind]
  if sample then
    sample.n = sample.n + 1
  else
    samples[kind] = { n = 1, text = s.text, message = message }
  end
end

--- A statement and what lunate said to it.
function Report:statement(s, x)
  self.n = self.n + 1
  for what in pairs(s.counts) do more(self.constructs, what) end
  if not x.refused then
    self.accepted = self.accepted + 1
    return
  end
  more(self.refused, x.refused)
  -- The rewrite and its checker do not agree: one of them is wrong.
  if x.refused == "unchecked" then self.faults[#self.faults + 1] = s end
  keep(self.samples, s, x.message)
end

-- Errors that valid statements give: of values, of constraints, of rows that
-- would be changed twice.
local FAIR = { ["21"] = true, ["22"] = true, ["23"] = true }

--- What the plain server said.
function Report:plain(s, y)
  if not y.class then return end
  more(self.errors, y.class)
  if not FAIR[y.class] then
    self.invalid = self.invalid + 1
    keep(self.broken, s, y.message)
  end
end

function Report:difference(d)
  self.differences[#self.differences + 1] = d
end

function Report:share()
  return self.n == 0 and 0 or self.accepted / self.n
end

-- Key and number, the largest first.
local function sorted(t)
  local list = {}
  for k, v in pairs(t) do list[#list + 1] = { k, v } end
  table.sort(list, function(a, b)
    return a[2] > b[2] or a[2] == b[2] and a[1] < b[1]
  end)
  return list
end

local function section(out, title, t)
  local list = sorted(t)
  if #list == 0 then return end
  out[#out + 1] = title
  for _, pair in ipairs(list) do
    out[#out + 1] = ("  %8d  %s"):format(pair[2], pair[1])
  end
end

local function samples(out, t, most)
  local list = {}
  for _, s in pairs(t) do list[#list + 1] = s end
  table.sort(list, function(a, b)
    return a.n > b.n or a.n == b.n and a.message < b.message
  end)
  for i = 1, math.min(most, #list) do
    out[#out + 1] = ("  %8d  %s\n            %s"):format(list[i].n,
      list[i].message, (list[i].text:gsub("%s+", " "):sub(1, 400)))
  end
end

--- One difference, with all that is needed to see it again.
function M.tell(d)
  local params = {}
  for i, p in ipairs(d.params) do params[i] = ("$%d = %q"):format(i, p) end
  return ("%s differs (mode %s, LUNATE_SEED=%d, lane %d, statement %d):\n"
    .. "%s\n%s\nwith isolation and alone: %s"):format(d.kind, d.mode, d.seed,
    d.lane, d.n, d.text, table.concat(params, " "), d.what)
end

--- The whole; more: also constructs and samples.
function Report:text(long)
  local out = {}
  if long then
    section(out, "statements with each construct", self.constructs)
  end
  section(out, "refused, by reason", self.refused)
  if long then samples(out, self.samples, 40) end
  section(out, "errors that both worlds gave, by class", self.errors)
  if long then samples(out, self.broken, 40) end
  section(out, "also", self.tallies)
  out[#out + 1] = ("%d statements, %d accepted (%.2f %%), %d differences")
    :format(self.n, self.accepted, 100 * self:share(), #self.differences)
  return table.concat(out, "\n")
end

return M
