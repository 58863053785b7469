-- lunate.repl.commands - what begins with a backslash, one row for each.
--
-- \? is printed from this table.  `run` gets the state of the prompt
-- (repl.lua), the words behind the name (quotes are taken off), whether the
-- name ended in "+", and all of the rest of the line as it was typed; what it
-- gives as nil, err is shown as an error.
local show = require "lunate.repl.show"
local syntax = require "lunate.repl.syntax"
local change = require "lunate.repl.change"

local M = {}

---@class lunate.repl.Command
---@field [1] string its name, and others it answers to
---@field [2] string what may follow
---@field [3] string what it does
---@field [4] fun(repl: table, words: string[], plus: boolean, rest: string)
---@field whole boolean? the rest of the line is one word
---@field about string? what stands behind it: "relation", "file", ... (for Tab)

-- \d and its letters.
local function lister(letter)
  return function(repl, words, plus)
    return show.list(repl, letter, plus, words[1])
  end
end

local function describe(repl, words, plus)
  if not words[1] then
    return show.list(repl, "", plus)
  end
  return show.relation(repl, plus, words[1])
end

M.groups = {
  { "Running",
    { "g", "[FILE or |COMMAND]", "run it (as ;), once more, or into a file",
      change.go, whole = true, about = "file" },
    { "gx", "[FILE or |COMMAND]", "as \\g, one line for each value",
      change.go_expanded, whole = true, about = "file" },
    { "watch", "[SECONDS]", "run it every 2 s, or so often; Ctrl-C ends it",
      change.watch },
    { "p", "", "show what was typed so far, or ran last", change.print_buffer },
    { "r", "", "forget what was typed so far", change.reset_buffer },
    { "e", "[FILE]", "write it in the editor (VISUAL, EDITOR, vi)",
      change.edit, whole = true, about = "file" },
    { "i", "FILE", "run the statements of a file", change.include,
      whole = true, about = "file" },
    { "copy", "TABLE or (QUERY) from|to FILE|stdin|stdout [with ...]",
      "COPY with a file of this machine", change.copy, whole = true,
      about = "relation" },
  },
  { "Looking (add + for more; NAME may hold * and ?)",
    { "d", "[NAME]", "tables, views, sequences; or one of them whole",
      describe, about = "relation" },
    { "dt", "[NAME]", "tables", lister "t", about = "relation" },
    { "dv", "[NAME]", "views", lister "v", about = "relation" },
    { "dm", "[NAME]", "materialized views", lister "m", about = "relation" },
    { "di", "[NAME]", "indexes", lister "i" },
    { "ds", "[NAME]", "sequences", lister "s", about = "relation" },
    { "dE", "[NAME]", "foreign tables", lister "E", about = "relation" },
    { "dn", "[NAME]", "schemas", lister "n", about = "schema" },
    { "df", "[NAME]", "functions", lister "f", about = "function" },
    { "dT", "[NAME]", "types", lister "T" },
    { "du dg", "[NAME]", "roles", lister "u", about = "role" },
    { "dp z", "[NAME]", "access privileges", lister "p", about = "relation" },
    { "dx", "[NAME]", "extensions", lister "x" },
    { "l list", "[NAME]", "databases", lister "l", about = "database" },
    { "sf", "NAME", "the text of a function", show.function_text,
      about = "function" },
    { "sv", "NAME", "the text of a view", show.view_text, about = "relation" },
  },
  { "How results look",
    { "x", "[on|off|auto]", "one line for each value; auto: of wide tables",
      change.expanded, about = "on off auto" },
    { "pset", "[NAME [VALUE]]", "how: without NAME all there is to set",
      change.set, about = "null format border pager footer expanded" },
    { "t", "[on|off]", "only rows: no header, no footer", change.bare,
      about = "on off" },
    { "o", "[FILE or |COMMAND]", "results go there; without one: here",
      change.output, whole = true, about = "file" },
    { "timing", "[on|off]", "say how long each statement took", change.timing,
      about = "on off" },
  },
  { "Connection",
    { "conninfo", "", "where, as whom, which server", show.connection },
    { "c connect", "[DATABASE or URL]", "another database, or a new "
      .. "connection to this one", change.connect, about = "database" },
  },
  { "Lua",
    { "lua", "[CODE]", "Lua, with db and lunate; else until \\lua again",
      change.lua, whole = true },
  },
  { "Else",
    { "?", "", "this help", show.help },
    { "h help", "[STATEMENT]", "syntax of the common statements",
      function(repl, _, _, rest) return show.syntax(repl, syntax, rest) end,
      whole = true, about = "statement" },
    { "echo", "[TEXT]", "write a text to the results", show.echo,
      whole = true },
    { "!", "[COMMAND]", "a command of the shell", change.shell, whole = true },
    { "restrict", "KEY", "no commands until \\unrestrict KEY (pg_dump's)",
      change.restrict },
    { "unrestrict", "KEY", "commands again", change.unrestrict },
    { "q quit", "", "leave (also Ctrl-D)", change.quit },
  },
}

---@type table<string, lunate.repl.Command>
M.by_name = {}

---All names, in the order of the table.
---@type string[]
M.names = {}

for _, group in ipairs(M.groups) do
  for i = 2, #group do
    for name in group[i][1]:gmatch("%S+") do
      M.by_name[name] = group[i]
      M.names[#M.names + 1] = name
    end
  end
end

-- ---- reading a command -----------------------------------------------------

-- Words between blanks; '...' is one word, "..." stays quoted (a name).
local function words_of(text)
  local words, at = {}, 1
  while true do
    at = text:find("%S", at)
    if not at then
      return words
    end
    local parts = {}
    while at <= #text and not text:find("^%s", at) do
      local quote = text:match("^['\"]", at)
      local last = quote and text:find(quote, at + 1, true) or nil
      last = last or (text:find("[%s'\"]", at + 1) or #text + 1) - 1
      local part = text:sub(at, last)
      parts[#parts + 1] = quote == "'" and part:gsub("^'", ""):gsub("'$", "")
        or part
      at = last + 1
    end
    words[#words + 1] = table.concat(parts)
  end
end

---@class lunate.repl.Call
---@field command lunate.repl.Command
---@field words string[]
---@field plus boolean
---@field rest string

-- The first command of the text, and what follows it.
local function read_one(text)
  local name, plus, rest = text:match("^\\([^%s\\+]+)(%+?)(.*)$")
  if not name then
    name, plus, rest = text:match("^\\([%?!])()(.*)$")
  end
  local command = name and M.by_name[name]
  if name and not command and name:sub(1, 1) == "!" then
    command, rest = M.by_name["!"], name:sub(2) .. plus .. rest
  end
  if not command then
    return nil, name
  end
  local next_one = not command.whole and rest:find("%s\\%S")
  local own = next_one and rest:sub(1, next_one - 1) or rest
  own = own:match("^%s*(.-)%s*$")
  return { command = command, plus = plus == "+", rest = own,
    words = words_of((own:gsub(";+$", ""))) },
    next_one and rest:sub(next_one + 1) or nil
end

---The commands of a line.
---@param text string from the first backslash on
---@return lunate.repl.Call[]|nil calls, string? unknown name
function M.read(text)
  local calls = {}
  local rest = text
  while rest do
    local call, more = read_one(rest)
    if not call then
      return nil, more or rest
    end
    calls[#calls + 1] = call
    rest = more
  end
  return calls
end

---The help: groups of "  \name args   text".
---@return string
function M.help()
  local out = {}
  for i, group in ipairs(M.groups) do
    out[#out + 1] = (i > 1 and "\n" or "") .. group[1]
    for k = 2, #group do
      local row = group[k]
      local names = "\\" .. row[1]:gsub(" ", ", \\")
      local head = ("  %s %s"):format(names, row[2])
      if #head < 27 then
        head = ("%-27s"):format(head)
      else
        head = head .. "\n" .. (" "):rep(27)
      end
      out[#out + 1] = head .. " " .. row[3]
    end
  end
  return table.concat(out, "\n") .. "\n"
end

return M
