std = "luajit"
max_line_length = 80
exclude_files = { "build" }
files["tests/live"] = { std = "+busted" }
files["tests/lua"] = { std = "+busted" }
