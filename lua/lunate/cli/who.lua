-- lunate.cli.who - who asks, from words: clinic=ID,role=doctor,user=ID,...
local M = {}

-- What a word is in a context (lunate.context), and may it be repeated?  Roles
-- and locations also stand in one, role=a+b.
local FIELDS = {
  clinic = { "tenant", true }, tenant = { "tenant", true },
  role = { "roles", true }, roles = { "roles", true },
  user = { "user" }, location = { "location" },
  locations = { "locations", true }, clinic_tz = { "clinic_tz" },
  ip = { "ip" }, device = { "device" }, purpose = { "purpose" },
}

M.WORDS = "clinic, role, user, location, locations, clinic_tz, ip, device, "
  .. "purpose"

local function add(ctx, field, value)
  local name, many = field[1], field[2]
  if not many then
    ctx[name] = value
    return
  end
  ctx[name] = ctx[name] or {}
  for one in value:gmatch(name == "tenant" and ".+" or "[^+]+") do
    table.insert(ctx[name], one)
  end
end

---A context of --as; nil and why not.
---@param words string[] "clinic=ID,role=doctor", each
---@return table|nil ctx, string? err
function M.read(words)
  local ctx = {}
  for _, word in ipairs(words) do
    for part in word:gmatch("[^,]+") do
      local name, value = part:match("^%s*([%l_]+)=(.-)%s*$")
      if not name or value == "" then
        return nil, "--as takes clinic=ID,role=NAME and the like"
      elseif not FIELDS[name] then
        return nil, ("--as knows %s; not %s"):format(M.WORDS, name)
      end
      add(ctx, FIELDS[name], value)
    end
  end
  return ctx
end

return M
