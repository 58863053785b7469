-- lunate.repl.complete - what could follow at the cursor.
--
-- Decided by the words before it and by names (names.lua) of the server; no
-- grammar, so it offers too much rather than nothing.
local lex = require "lunate.repl.lex"
local words = require "lunate.repl.words"

local M = {}

local RELATION_AFTER = words.set [[from join into update table only truncate
  view sequence references copy analyze vacuum lock using]]

-- Words that begin a part of a statement: what a comma means depends on it.
local CLAUSES = words.set [[select from where set group order having values
  returning on limit join into]]

-- ---- the words before the cursor -------------------------------------------

-- "a.b.c" at the end of the text, as its parts; quotes are taken off.
local function chain_of(text)
  local tail = text:match('[%w_$\128-\255."]*$')
  local parts, part, quoted = {}, {}, false
  for char in tail:gmatch(".") do
    if char == '"' then
      quoted = not quoted
    elseif char == "." and not quoted then
      parts[#parts + 1], part = table.concat(part), {}
    else
      part[#part + 1] = quoted and char or char:lower()
    end
  end
  parts[#parts + 1] = table.concat(part)
  return parts, tail, quoted
end

local QUIET = { space = true, comment = true, line_comment = true }

-- Words and marks of a text, in order; nil when its end is inside a literal
-- or a comment.
local function tokens_of(text)
  local state, at, list = lex.state(), 1, {}
  while at <= #text do
    local kind, last = lex.step(state, text, at)
    if not QUIET[kind] then
      local piece = text:sub(at, last)
      if kind == "word" then
        piece = piece:lower()
      elseif kind == "name" then
        piece = piece:gsub('^"', ""):gsub('"$', "")
      end
      list[#list + 1] = { kind = kind, text = piece }
    end
    at = last + 1
  end
  return state.mode == "text" and list or nil
end

local function is_name(token)
  return token and (token.kind == "name"
    or (token.kind == "word" and not words.RESERVED[token.text]))
end

-- A relation at tokens[i]: schema?, name, and the index behind it.
local function read_relation(tokens, i)
  local first = tokens[i]
  if not is_name(first) then
    return nil
  end
  local dot = tokens[i + 1]
  if dot and dot.text == "." and is_name(tokens[i + 2]) then
    return { schema = first.text, name = tokens[i + 2].text }, i + 3
  end
  return { name = first.text }, i + 1
end

-- What follows FROM and its like: a list of { schema, name, alias }.
local function mentioned(tokens)
  local list, i = {}, 1
  while tokens[i] do
    local relation, after
    if tokens[i].kind == "word" and RELATION_AFTER[tokens[i].text] then
      relation, after = read_relation(tokens, i + 1)
      while relation do
        if tokens[after] and tokens[after].text == "as" then
          after = after + 1
        end
        if is_name(tokens[after]) then
          relation.alias, after = tokens[after].text, after + 1
        end
        list[#list + 1] = relation
        i = after - 1
        if not (tokens[after] and tokens[after].text == ",") then
          break
        end
        relation, after = read_relation(tokens, after + 1)
      end
    end
    i = i + 1
  end
  return list
end

-- The clause that the end of the text is in.
local function clause_of(tokens)
  local depth = 0
  for i = #tokens, 1, -1 do
    local token = tokens[i]
    if token.kind == "close" then
      depth = depth + 1
    elseif token.kind == "open" then
      depth = depth - 1
      if depth < 0 then
        return "("
      end
    elseif depth == 0 and token.kind == "word" and CLAUSES[token.text] then
      return token.text
    end
  end
end

-- ---- candidates ------------------------------------------------------------

-- Adds those that begin with `typed`; each with what is put behind it.
local function add(found, list, typed, suffix)
  for _, name in ipairs(list) do
    if name:sub(1, #typed) == typed and not found[name] then
      found[name] = suffix
      found[#found + 1] = name
    end
  end
end

local function quotable(list, quoted)
  local fit = {}
  for _, name in ipairs(list) do
    if quoted or (name:find("^[%l_\128-\255][%l%d_$\128-\255]*$")
      and not words.RESERVED[name]) then
      fit[#fit + 1] = name
    end
  end
  return fit
end

local function add_relations(found, names, at)
  add(found, quotable(names:relations(), at.quoted), at.typed, " ")
  add(found, quotable(names:schemas(), at.quoted), at.typed, ".")
end

-- What is asked: `parts` of the name at the cursor, the last one `typed` in
-- part; `tokens` before it; those of the `whole` statement; is a quote open?

local function add_columns_of(found, names, at, relation)
  local list = names:columns(relation.name, relation.schema)
  add(found, quotable(list, at.quoted), at.typed, " ")
end

-- Behind "x.": relations of a schema, or columns of a table.
local function add_members(found, names, at)
  local parts = at.parts
  if #parts == 3 then
    add_columns_of(found, names, at, { schema = parts[1], name = parts[2] })
    return
  end
  for _, relation in ipairs(mentioned(at.whole)) do
    if relation.alias == parts[1] or relation.name == parts[1] then
      add_columns_of(found, names, at, relation)
    end
  end
  add(found, quotable(names:relations_of(parts[1]), at.quoted), at.typed, " ")
end

local function add_columns(found, names, at)
  for _, relation in ipairs(mentioned(at.whole)) do
    add_columns_of(found, names, at, relation)
    -- The word at the cursor may look like an alias of what is before it.
    if relation.alias and relation.alias ~= at.typed then
      add(found, { relation.alias }, at.typed, ".")
    end
  end
end

local function wants_relation(tokens)
  local last = tokens[#tokens]
  if not last then
    return false
  end
  if last.kind == "word" and RELATION_AFTER[last.text] then
    local before = tokens[#tokens - 1]
    return not (last.text == "update" and before
      and (before.text == "for" or before.text == "do"))
  end
  local clause = clause_of(tokens)
  return last.text == "," and (clause == "from" or clause == "join")
end

local function is_setting(tokens)
  local first, second = tokens[1], tokens[2]
  if not first or first.kind ~= "word" then
    return false
  end
  if first.text == "show" or first.text == "reset" then
    return #tokens == 1
  end
  return first.text == "set" and (#tokens == 1 or (#tokens == 2
    and (second.text == "local" or second.text == "session")))
end

local function in_statement(found, names, at)
  local typed, quoted = at.typed, at.quoted
  if #at.parts > 1 then
    add_members(found, names, at)
  elseif #at.tokens == 0 then
    add(found, words.STATEMENTS, typed, " ")
  elseif is_setting(at.tokens) then
    add(found, names:settings(), typed, " ")
  elseif wants_relation(at.tokens) then
    add_relations(found, names, at)
  else
    add_columns(found, names, at)
    if not quoted then
      add(found, words.KEYWORDS, typed, " ")
    end
    -- Thousands of names help nobody who has not begun one.
    if typed ~= "" then
      add(found, quotable(names:functions(), quoted), typed, "(")
      add_relations(found, names, at)
    end
  end
end

---@class lunate.repl.Candidates
---@field [integer] string names that could stand there
---@field [string] string what is put behind one
---@field typed string what of it stands there already
---@field quoted boolean? a double quote is open

---What could stand at the cursor.
---@param before string the statement up to the cursor
---@param after string the rest of it
---@param names lunate.repl.Names
---@return lunate.repl.Candidates
function M.sql(before, after, names)
  local parts, tail, quoted = chain_of(before)
  local found = { typed = parts[#parts], quoted = quoted,
    upper = tail:find("%u") ~= nil and not tail:find("%l") }
  local tokens = tokens_of(before:sub(1, #before - #tail))
  if tokens then
    local whole = tokens_of(before .. after) or tokens
    in_statement(found, names, { parts = parts, typed = found.typed,
      tokens = tokens, whole = whole, quoted = quoted })
  end
  return found
end

---What Tab does: the text to insert, and the list to show.
---@param found lunate.repl.Candidates
---@return string insert, string[]? list
function M.decide(found)
  if #found == 0 then
    return ""
  end
  local common = found[1]
  for _, name in ipairs(found) do
    while name:sub(1, #common) ~= common do
      common = common:sub(1, -2)
    end
  end
  local insert = common:sub(#found.typed + 1)
  if #found == 1 then
    local suffix = found[found[1]]
    insert = insert .. (found.quoted and '"' or "") .. suffix
  end
  if found.upper and words.IS_WORD[found[1]] then
    insert = insert:upper()
  end
  if insert == "" then
    return "", found
  end
  return insert
end

return M
