-- plot - a result as a picture: for each workload a row of two panels, the
-- rate and the CPU time of an operation, a bar for each client with the least
-- and the most of its rounds.
local sh = require "support.sh"

local M = {}

local PANELS = {
  { key = "rate", unit = 1e3, title = "thousand operations a second",
    color = "#4477aa" },
  { key = "cpu", unit = 1, title = "CPU us for an operation",
    color = "#cc6677" },
}

-- The first client on top.
local function data(workload, panel)
  local lines = {}
  for i, client in ipairs(workload.clients) do
    local s = client[panel.key]
    lines[#lines + 1] = ('"%s" %d %.6g %.6g %.6g'):format(client.name,
      #workload.clients - i, s.median / panel.unit, s.min / panel.unit,
      s.max / panel.unit)
  end
  return table.concat(lines, "\n")
end

local PANEL = [[
set title "%s: %s" noenhanced
set yrange [-0.6:%g]
plot %s using (0):2:(0):3:($2 - 0.4):($2 + 0.4):ytic(1) with boxxyerror \
  fill solid 0.7 noborder linecolor rgb "%s", \
  %s using 3:2:4:5 with xerrorbars pointtype 7 pointsize 0.2 \
  linecolor rgb "black"
]]

--- The words for gnuplot, for one kind of picture.
---@param result table
---@param terminal string "svg"
---@param path string
---@return string
function M.script(result, terminal, path)
  local parts, panels = {}, {}
  for w, workload in ipairs(result.workloads) do
    for _, panel in ipairs(PANELS) do
      local name = ("$%s%d"):format(panel.key, w)
      parts[#parts + 1] = ("%s << END\n%s\nEND"):format(name,
        data(workload, panel))
      panels[#panels + 1] = PANEL:format(workload.name, panel.title,
        #workload.clients - 0.4, name, panel.color, name)
    end
  end
  parts[#parts + 1] = ([[
set terminal %s size 1100,%d
set output "%s"
set key off
set grid xtics
set xrange [0:*]
set ytics noenhanced scale 0
set multiplot layout %d,2]]):format(terminal, 320 * #result.workloads, path,
    #result.workloads)
  return table.concat(parts, "\n") .. "\n" .. table.concat(panels)
    .. "unset multiplot\n"
end

--- Draws it as SVG and PNG.
---@param result table
---@param base string path without the ending
---@return string[] paths, string? why nothing was drawn
function M.draw(result, base)
  local paths = {}
  for _, kind in ipairs { "svg", "png" } do
    local path = ("%s.%s"):format(base, kind)
    local r = sh.run { "gnuplot", "-",
      stdin = M.script(result, kind, path) }
    if r.code ~= 0 then
      return paths, "no picture: "
        .. (r.err:match("[^\n]+") or "gnuplot failed")
    end
    paths[#paths + 1] = path
  end
  return paths
end

return M
