-- lunate.cli.url - which database a command speaks to.
local M = {}

local function say(text)
  io.stderr:write("lunate: ", text, "\n")
end

-- An empty word is none.
local function first(...)
  for i = 1, select("#", ...) do
    local word = select(i, ...)
    if word and word ~= "" then
      return word
    end
  end
end

---What was given, else DATABASE_URL or LUNATE_URL, else the development server,
---which is started where it does not run.
---@param given string? of --url
---@return string|nil url, string? err
function M.choose(given)
  local url = first(given, os.getenv("DATABASE_URL"), os.getenv("LUNATE_URL"))
  if url then
    return url
  end
  local started, err = require("lunate.dev").start({ say = say })
  if not started then
    return nil, "no DATABASE_URL, and the development server does not start: "
      .. err
  end
  say("no DATABASE_URL: using the development server (see: lunate dev status)")
  return started.url
end

return M
