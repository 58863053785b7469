-- helper - loaded by busted before the specs. Each spec file gets a fresh
-- package.loaded; what is loaded here is the same for all of them, so there
-- is one shared server and the FFI declarations are made once.
if not rawget(_G, "jit") then
  error("the tests need LuaJIT: run `make test-lua` or `make test-live`", 0)
end

-- Specs run in the root of the tree, where a runtime would find ./policies: its
-- rules are the clinic example's.  A spec names the folder it means.
require("support.posix").default_env("LUNATE_POLICIES", "false")

local sh = require "support.sh"
require "support.pg"
require "support.redis"
require "support.proxy"
require "support.fakepg"

require("busted").subscribe({ "exit" }, function()
  sh.close()
  return nil, true
end)
