std = "luajit"
max_line_length = 80
exclude_files = { "build", "lua/types" }
files["tests/live"] = { std = "+busted" }
files["tests/lua"] = { std = "+busted" }
-- Their words are checked by `lunate policy check`, with the nearest one.
files["policies"] = { global = false }
