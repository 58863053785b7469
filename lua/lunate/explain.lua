-- lunate.explain - db:explain: what would become of a statement, and who says
-- so. Nothing is sent to the database but questions for its schema.
local cjson = require "cjson"
local context = require "lunate.context"
local core = require "lunate.core"
local Database = require("lunate.db").Database

-- What a rule may ask of whoever asks.
local WHO = { "tenant", "user", "roles", "location", "locations", "clinic_tz",
  "ip", "device", "purpose" }

local function who()
  local all, is = context.current(), {}
  for _, name in ipairs(WHO) do
    is[name] = all[name]
  end
  return is, all.system
end

-- The answer of access.lua for each table and action (see `lunate why`).
local function access_of(db, uses)
  local answers, as, system = {}, who()
  if system or next(as) == nil then
    return answers
  end
  for i, use in ipairs(uses) do
    local text, err = core.rules_why(db.ud, cjson.encode({ as = as,
      action = use.action, on = use.on, at = os.date("!%Y-%m-%dT%H:%M:%SZ"),
      columns = use.columns[1] and use.columns or nil }))
    if not text then
      return nil, err
    end
    answers[i] = cjson.decode(text)
  end
  return answers
end

---@class lunate.Explanation
---@field verdict "open"|"scoped"|"refused"
---@field reason string? refused: the word of the reason
---@field message string? refused: why, and what to do
---@field kind string "select", "insert", ...
---@field nparams integer parameters of the statement itself
---@field tables table[] { schema, name, read, written, rule? }
---@field functions string[]
---@field text string? what is sent, when it is another text
---@field tenant_param integer? which parameter of it the tenant is
---@field limit_params integer? how many values of access rules follow
---@field access table[] for each table and action, as `lunate why --json`
---@field uses table[] those tables and actions: { action, on, columns }
---@field route table? { class, session, read, shared }
---@field isolation "off"|"closed"|"on"
---@field access_rules boolean is there an access.lua?
---@field mode string? "both", "rewrite" or "rls"
---@field generation integer

---What would become of a statement for whoever asks here, and which rules say
---so.  It is decided as an operation is, and not run; the rules' limits do not
---count it, and it opens no emergency.
---@param sql string
---@return lunate.Explanation|nil explanation, lunate.Error? err
function Database:explain(sql)
  if type(sql) ~= "string" then
    error("db:explain wants the text of a statement", 2)
  end
  local told, err = core.explain(self.ud, sql)
  if not told then
    return nil, err
  end
  told.access, err = access_of(self, told.uses)
  if not told.access then
    return nil, err
  end
  return told
end
