-- lunate.repl.change - the commands that run something or change how things
-- are: \g, \watch, \e, \i, \o, \copy, \x, \pset, \c, \lua ...
local copying = require "lunate.repl.copying"
local core = require "lunate.core"
local input = require "lunate.repl.input"
local sink = require "lunate.repl.sink"
local sys = require "lunate.sys"
local terminal = require "lunate.terminal"

local M = {}

-- ---- running ---------------------------------------------------------------

-- What was typed and has no ";" yet, else what ran last.
local function current(repl)
  local text = repl.lexer:has_statement() and repl.lexer:text() or repl.last
  repl.lexer:clear()
  if not text then
    return nil, "there is no statement yet"
  end
  return text
end

-- A file, or "|command".
local function open_target(target)
  local command = target:match("^|%s*(.+)$")
  if command then
    return sink.command(command)
  end
  local out, err = sink.file(target)
  return out, err and "cannot write " .. err
end

-- What could not be written may be known only now.
local function close_target(repl, name)
  local target = repl[name]
  repl[name] = nil
  local ok, err = true, nil
  if target then
    ok, err = target:close()
  end
  return ok, err and "not all could be written: " .. err
end

---\g [FILE or |COMMAND]
function M.go(repl, _, _, rest)
  local text, err = current(repl)
  if not text then
    return nil, err
  end
  if rest ~= "" then
    local target
    target, err = open_target(rest)
    if not target then
      return nil, err
    end
    repl.once = target
  end
  repl:run_sql(text, {})
  return close_target(repl, "once")
end

---\gx
function M.go_expanded(repl, words, plus, rest)
  local before = repl.options.expanded
  repl.options.expanded = true
  local ok, err = M.go(repl, words, plus, rest)
  repl.options.expanded = before
  return ok, err
end

-- Waits, and tells whether Ctrl-C ended that.
local function rest_for(repl, seconds)
  local waiter = core.waiter()
  repl.session:running(function() waiter:wake() end)
  local before = core.deadline(core.now() + seconds)
  waiter:wait()
  core.deadline(before)
  repl.session:running(nil)
  return repl.session:is_interrupted()
end

---\watch [SECONDS]
function M.watch(repl, words)
  local seconds = tonumber(words[1] or 2)
  if not seconds or seconds <= 0 then
    return nil, "\\watch wants seconds"
  end
  local text, err = current(repl)
  if not text then
    return nil, err
  end
  repeat
    repl:say(("%s (every %g s)\n\n"):format(os.date(), seconds))
    local ok = repl:run_sql(text, {}, true)
    if not ok or repl.session:is_interrupted() then
      break
    end
    repl:say("\n")
  until rest_for(repl, seconds)
  if repl.session:is_interrupted() then
    repl:say("\n")
  end
  return true
end

---\p
function M.print_buffer(repl)
  local text = repl.lexer:has_statement() and repl.lexer:text()
    or repl.last or ""
  repl:say(text .. (text:find("%S") and "\n" or ""))
  return true
end

---\r
function M.reset_buffer(repl)
  repl.lexer:clear()
  return true
end

local function editor_command()
  for _, name in ipairs { "VISUAL", "EDITOR" } do
    local told = os.getenv(name)
    if told and told:find("%S") then
      return told
    end
  end
  return "vi"
end

-- What an editor leaves in the file; nil, err.
local function edit_file(path)
  local pid, err = terminal.spawn(editor_command() .. " " .. sys.quote(path))
  if not pid then
    return nil, err
  end
  local status = sink.outlive(pid)
  if status ~= 0 then
    return nil, ("the editor %s ended with %d"):format(editor_command(), status)
  end
  return sys.read(path) or ""
end

---\e [FILE]
function M.edit(repl, _, _, rest)
  local text, err
  if rest ~= "" then
    text, err = edit_file(rest)
  else
    local path = os.tmpname() -- made with mode 0600
    local file = assert(io.open(path, "wb"))
    local buffer = repl.lexer:has_statement() and repl.lexer:text()
    file:write(buffer or (repl.last and repl.last .. ";") or "", "\n")
    file:close()
    text, err = edit_file(path)
    os.remove(path)
  end
  if not text then
    return nil, err
  end
  repl.lexer:clear()
  return repl:take_text(text)
end

---\i FILE
function M.include(repl, _, _, rest)
  if rest == "" then
    return nil, "\\i wants a file"
  end
  local path = rest:gsub("^'(.*)'$", "%1")
  local source, err = input.file(path)
  if not source then
    return nil, "cannot read " .. err
  end
  local ran, ok, why = pcall(repl.include, repl, source)
  source.close()
  if not ran then
    return nil, ("cannot read %s: %s"):format(path, ok)
  end
  return ok, why
end

---\copy
function M.copy(repl, _, _, rest)
  local job, err = copying.parse(rest)
  if not job then
    return nil, err
  end
  return copying.run(repl, job)
end

-- ---- how results look ------------------------------------------------------

local SWITCH = { on = true, off = false, ["true"] = true, ["false"] = false,
  ["1"] = true, ["0"] = false, yes = true, no = false }

local function switch(repl, name, word, said)
  local value = SWITCH[word or ""]
  if word and value == nil then
    return nil, ("on or off, not '%s'"):format(word)
  end
  if word == nil then
    value = not repl.options[name]
  end
  repl.options[name] = value
  repl:remark(("%s is %s\n"):format(said, value and "on" or "off"))
  return true
end

---\x [on|off|auto]
function M.expanded(repl, words)
  local word = words[1]
  if word == "auto" or (not word and repl.options.expanded == true) then
    repl.options.expanded = word == "auto" and "auto" or false
  else
    local value = SWITCH[word or "on"]
    if value == nil then
      return nil, ("on, off or auto, not '%s'"):format(word)
    end
    repl.options.expanded = value
  end
  local is = repl.options.expanded
  repl:remark(("one line for each value is %s\n"):format(is == "auto"
    and "used where a table is wider than the window" or is and "on" or "off"))
  return true
end

---\t [on|off]
function M.bare(repl, words)
  return switch(repl, "bare", words[1], "showing only rows")
end

---\timing [on|off]
function M.timing(repl, words)
  return switch(repl, "timing", words[1], "timing")
end

local PSET = {
  null = function(_, word) return word end,
  border = function(_, word)
    return word:match("^[012]$") and tonumber(word)
  end,
  format = function(_, word)
    word = word == "aligned" and "table" or word
    return ({ table = 1, csv = 1, json = 1, ndjson = 1 })[word] and word
  end,
  pager = function(_, word)
    return ({ on = 1, off = 1, always = 1 })[word] and word
  end,
  footer = function(_, word) return SWITCH[word] end,
  expanded = function(_, word)
    return word == "auto" and "auto" or SWITCH[word]
  end,
}

local ORDER = { "border", "expanded", "footer", "format", "null", "pager" }
local VALUES = { border = "0, 1, 2", expanded = "on, off, auto",
  footer = "on, off", format = "table, csv, json, ndjson", null = "a text",
  pager = "on, off, always" }

local function shown(value)
  if type(value) == "boolean" then
    return value and "on" or "off"
  end
  return type(value) == "string" and ("'%s'"):format(value) or tostring(value)
end

---\pset [NAME [VALUE]]
function M.set(repl, words)
  local name, word = words[1], words[2]
  if not name then
    for _, one in ipairs(ORDER) do
      repl:say(("%-9s %-9s (%s)\n"):format(one, shown(repl.options[one]),
        VALUES[one]))
    end
    return true
  end
  if not PSET[name] then
    return nil, ("there is no setting '%s'; there are: %s"):format(name,
      table.concat(ORDER, ", "))
  end
  if word then
    local value = PSET[name](repl, word)
    if value == nil or (value == false and SWITCH[word] == nil) then
      return nil, ("%s is one of %s, not '%s'"):format(name, VALUES[name],
        word)
    end
    repl.options[name] = value
  elseif name == "null" then
    repl.options.null = ""
  end
  repl:remark(("%s is %s\n"):format(name, shown(repl.options[name])))
  return true
end

---\o [FILE or |COMMAND]
function M.output(repl, _, _, rest)
  local ok, err = close_target(repl, "output")
  if not ok or rest == "" then
    return ok, err
  end
  repl.output, err = open_target(rest)
  return repl.output and true, err
end

-- ---- connection, Lua, shell ------------------------------------------------

local function encoded(name)
  return (name:gsub("[^%w_.~-]", function(c)
    return ("%%%02X"):format(c:byte())
  end))
end

---The URL with another database in it.
---@param url string
---@param name string
---@return string
function M.with_database(url, name)
  local head, rest = url:match("^(%w+://[^/?]*)(.*)$")
  if not head then
    return ("%s dbname='%s'"):format(url, (name:gsub("[\\']", "\\%0")))
  end
  local query = rest:match("%?.*$") or ""
  query = query:gsub("([?&])dbname=[^&]*&?", "%1"):gsub("[?&]$", "")
  return ("%s/%s%s"):format(head, encoded(name), query)
end

---\c [DATABASE or URL]
function M.connect(repl, words)
  local word, url = words[1], repl.url
  if word and (word:find("://", 1, true) or word:find("=", 1, true)) then
    url = word
  elseif word and word ~= "-" then
    url = M.with_database(url, (word:gsub('^"(.*)"$', "%1")))
  end
  local ok, err = repl:connect(url)
  if not ok then
    return nil, err
  end
  repl:say(repl:greeting())
  return true
end

---\lua [CODE]
function M.lua(repl, _, _, rest)
  if rest ~= "" then
    return repl:run_lua(rest)
  end
  repl.in_lua = not repl.in_lua
  repl:remark(repl.in_lua and "Lua from here on: db and lunate are there; "
    .. "\\lua goes back to SQL\n" or "SQL again\n")
  return true
end

---\! [COMMAND]
function M.shell(_, _, _, rest)
  local command = rest ~= "" and rest or os.getenv("SHELL") or "/bin/sh"
  local pid, err = terminal.spawn(command)
  if not pid then
    return nil, err
  end
  sink.outlive(pid)
  return true
end

---\restrict KEY: what is in the data of a dump cannot become a command.
function M.restrict(repl, words)
  if not words[1] then
    return nil, "\\restrict wants a key"
  end
  repl.restricted = words[1]
  return true
end

---\unrestrict KEY
function M.unrestrict(repl, words)
  if not repl.restricted or words[1] ~= repl.restricted then
    return nil, "that is not the key of \\restrict"
  end
  repl.restricted = nil
  return true
end

---\q
function M.quit(repl)
  repl.over = true
  return true
end

return M
