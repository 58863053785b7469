-- The rock holds the command and one module, lunate.so, with all Lua inside.
-- From the root of the tree: luarocks make lua/lunate-0.1.0-1.rockspec
rockspec_format = "3.0"
package = "lunate"
version = "0.1.0-1"
-- `luarocks make` builds the tree it is called in and fetches nothing.
source = {
  url = "file://.",
}
description = {
  summary = "Lua-scriptable data runtime for PostgreSQL",
  detailed = [[
Runs Lua scripts against PostgreSQL: a pool that shares few connections among
many tasks, batches, transactions, streams and COPY.  For LuaJIT 2.1 on
Debian 12 and its relatives.]],
  license = "MIT",
}
supported_platforms = { "linux" }
dependencies = {
  "lua == 5.1",
  "argparse >= 0.7",
  "lua-cjson >= 2.1",
}
build = {
  type = "make",
  makefile = "Makefile",
  build_target = "all",
  build_variables = { CFLAGS = "$(CFLAGS)" },
  install_target = "install-rock",
  install_variables = {
    ROCK_LIBDIR = "$(LIBDIR)",
    ROCK_BINDIR = "$(BINDIR)",
  },
  copy_directories = { "examples" },
}
