-- docs - writes the table of options between its marks in README.md.
--
--   luajit docs.lua BUILD README.md
local build, path = arg[1], arg[2]
local FROM, TO = "<!-- options -->\n", "<!-- /options -->"

package.cpath = build .. "/?.so;" .. package.cpath
require "lunate"

local file = assert(io.open(path, "rb"))
local text = file:read("*a")
file:close()

local _, from = text:find(FROM, 1, true)
local to = text:find(TO, 1, true)
assert(from and to and to > from, path .. " has no marks for the options")

file = assert(io.open(path, "wb"))
file:write(text:sub(1, from), require("lunate.core").config_markdown(),
  text:sub(to))
file:close()
