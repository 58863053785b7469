-- machine - what a figure depends on besides the code: the machine, and the
-- versions of all that took part.
local cjson = require "cjson"
local sh = require "support.sh"

local M = {}

-- The first line a command prints; nil when it does not run.
local function first_line(...)
  local ok, r = pcall(sh.run, { ... })
  return ok and r.code == 0 and r.out:match("[^\n]+") or nil
end

---@return table<string, string|number>
function M.facts()
  local cpu = sh.read("/proc/cpuinfo"):match("model name%s*:%s*([^\n]+)")
  local kb = sh.read("/proc/meminfo"):match("MemTotal:%s*(%d+)")
  return {
    cpu = cpu or first_line("uname", "-m"),
    cores = tonumber(first_line("nproc")),
    memory_gb = math.floor(kb / 1024 / 1024 + 0.5),
    kernel = first_line("uname", "-r"),
    os = sh.read("/etc/os-release"):match('PRETTY_NAME="([^"]*)"'),
    load = tonumber(sh.read("/proc/loadavg"):match("^%S+")),
  }
end

--- Of a Debian package; nil where it is not installed.
---@return string?
function M.package(name)
  local line = first_line("dpkg-query", "-W", "-f", "${Version}\n", name)
  return line ~= "" and line or nil
end

--- Of a package of npm below a node_modules folder.
---@return string?
function M.module(folder, name)
  local text = sh.read(("%s/%s/package.json"):format(folder, name))
  return text ~= "" and cjson.decode(text).version or nil
end

--- The commit that is measured, with a mark when files were changed since.
---@return string?
function M.commit()
  local id = first_line("git", "rev-parse", "--short=12", "HEAD")
  local changed = first_line("git", "status", "--porcelain", "-uno")
  return id and id .. (changed and " and changes" or "")
end

M.first_line = first_line

return M
