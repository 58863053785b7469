-- plot - a result as a picture: for each workload a row of two panels, the
-- rate and the CPU time of an operation, a bar for each client with the least
-- and the most of its rounds.
local sh = require "support.sh"

local M = {}

local PANELS = {
  { key = "rate", title = "operations a second", color = "#4477aa" },
  { key = "cpu", title = "CPU us for an operation", color = "#cc6677" },
}

-- The first client on top.
local function data(workload, key)
  local lines = {}
  for i, client in ipairs(workload.clients) do
    local s = client[key]
    lines[#lines + 1] = ('"%s" %d %.6g %.6g %.6g'):format(client.name,
      #workload.clients - i, s.median, s.min, s.max)
  end
  return table.concat(lines, "\n")
end

local PANEL = [[
set title "%s: %s" noenhanced
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
        data(workload, panel.key))
      panels[#panels + 1] = PANEL:format(workload.name, panel.title, name,
        panel.color, name)
    end
  end
  parts[#parts + 1] = ([[
set terminal %s size 1100,%d
set output "%s"
set key off
set grid xtics
set yrange [-0.6:*]
set xrange [0:*]
set ytics noenhanced scale 0
set format x "%%.0s%%c"
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
