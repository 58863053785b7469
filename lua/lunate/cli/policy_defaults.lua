-- What `lunate policy defaults NAME` prints: a file that says what holds
-- without one, each word of it explained.
local M = {}

-- A value of each type, for what stands in comments.
local SAMPLES = {
  ["true or false"] = "true",
  number = "10",
  time = "minutes(5)",
  text = '"name"',
  ["text or texts"] = '{ "name" }',
  ["texts by name"] = '{ own = "other" }',
  condition = 'ctx.purpose:eq("treatment")',
  table = "{}",
  ["time or function"] = "minutes(5)",
  ["number or function"] = "10",
}

local function sample(field)
  return SAMPLES[field.type] or '"' .. field.type:match("[^|]+") .. '"'
end

-- What needs more than one value of each type to be in order, and what holds
-- by default: declarations that stand in the file as they are.
local HEADS = {
  isolation = [[
-- A file to begin with: tenants are known and no table has a rule yet, so each
-- statement that touches one is refused until its rule is written.
tenant { type = "uuid" }

-- rows "visits"      { by = "clinic_id" }
-- rows "visit_items" { parent = "visits", on = { visit_id = "id" } }
-- rows "patients"    { through = "memberships", on = { id = "patient_id" } }
-- rows "clinics"     { by = "id", write = "never" }
-- rows "codes"       { shared = "read" }
]],
  access = [[
-- Without this file everybody may do everything that isolation.lua lets
-- through.  With it nothing that no permit covers is done, so this one permits
-- what was possible without it; take it away when your own stand here.
permit "everything" { action = "any", on = "any" }
]],
}

local function resilience(defaults)
  local lines = {}
  for _, class in ipairs { "read", "write", "critical" } do
    lines[#lines + 1] = ("class %q { retries = %d }"):format(class,
      defaults[class])
  end
  lines[#lines + 1] = ("retry { base = milliseconds(%d), "
    .. "cap = milliseconds(%d) }"):format(defaults.base, defaults.cap)
  return "-- As it is without this file.\n" .. table.concat(lines, "\n") .. "\n"
end

local function explain(word, out)
  out[#out + 1] = ("-- %s%s: %s"):format(word.name,
    word.named and ' "name" { ... }' or " { ... }", word.meaning)
  local values = {}
  for _, field in ipairs(word.fields) do
    out[#out + 1] = ("--   %-12s %-20s %s%s"):format(field.name, field.type,
      field.meaning, field.required and " (required)" or "")
    if field.required or #values == 0 then
      values[#values + 1] = field.name .. " = " .. sample(field)
    end
  end
  return ("%s%s { %s }"):format(word.name,
    word.named and (' "%s"'):format(word.choices
      and word.choices:match("[^|]+") or "name") or "",
    table.concat(values, ", "))
end

---The text of a file.
---@param file table one of core.policy_words()
---@param defaults table core.policy_defaults()
---@return string
function M.text(file, defaults)
  local out = { ("-- %s.lua: %s."):format(file.name, file.meaning), "" }
  local head = HEADS[file.name]
    or file.name == "resilience" and resilience(defaults)
  out[#out + 1] = head or "-- Nothing is declared here: as without this file.\n"
  out[#out + 1] = "-- ---- its words"
  for _, word in ipairs(file.words) do
    if word.name ~= "test" then
      out[#out + 1] = ""
      local example = explain(word, out)
      if not head then
        out[#out + 1] = "-- " .. example
      end
    end
  end
  return table.concat(out, "\n") .. "\n"
end

return M
