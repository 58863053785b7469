-- serve - a private PostgreSQL server for a test program in another language.
-- Prints its URL, keeps it until standard input ends, and removes it.
--
--   luajit tests/support/serve.lua
package.path = "tests/?.lua;" .. package.path
local pg = require "support.pg"
local sh = require "support.sh"

local s = pg.start()
io.write(s.url, "\n")
io.flush()
io.read("*a")
s:free()
sh.close()
