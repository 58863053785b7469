-- lunate.repl.lex - where a statement ends, by PostgreSQL's lexical rules.
--
-- What a person types comes line by line: a literal, a quoted name, a comment
-- or a parenthesis may be open at the end of a line, and a semicolon in one of
-- them ends nothing.  This needs no grammar, and no server.
local M = {}

-- What may be open at the end of a piece of text: nothing ("text"), '...'
-- ("quote"), E'...' ("escape"), "..." ("name"), $tag$...$tag$ ("dollar"),
-- /* ... */ ("comment").
local WORD = "^[%a_\128-\255][%w_$\128-\255]*"
local TAG = "^%$([%a_\128-\255]?[%w_\128-\255]*)%$"

-- Each closes what its mode has open: the last byte of it, or nil.
local CLOSE = {}

-- A quote that is doubled stands for itself.
local function find_quote(text, at, mark)
  while true do
    local found = text:find(mark, at, true)
    if not found then
      return nil
    end
    if text:sub(found + 1, found + 1) ~= mark then
      return found
    end
    at = found + 2
  end
end

function CLOSE.quote(_, text, at)
  return find_quote(text, at, "'")
end

function CLOSE.name(_, text, at)
  return find_quote(text, at, '"')
end

function CLOSE.escape(_, text, at)
  while true do
    local found = text:find("[\\']", at)
    if not found then
      return nil
    end
    local two = text:sub(found, found + 1)
    if two:sub(1, 1) == "'" and two ~= "''" then
      return found
    end
    at = found + 2
  end
end

function CLOSE.dollar(state, text, at)
  local _, last = text:find("$" .. state.tag .. "$", at, true)
  return last
end

function CLOSE.comment(state, text, at)
  while true do
    local found, last, two = text:find("([/%*][/%*])", at)
    if not found then
      return nil
    end
    if two == "/*" or two == "*/" then
      state.depth = state.depth + (two == "/*" and 1 or -1)
      at = last + 1
      if state.depth == 0 then
        return last
      end
    else
      at = found + 1
    end
  end
end

-- Goes on in what is open.
local function continue(state, text, at)
  local kind = state.mode
  local last = CLOSE[kind](state, text, at)
  if last then
    state.mode = "text"
  end
  return kind, last or #text
end

local function open(state, mode, text, at)
  state.mode = mode
  return continue(state, text, at)
end

local SINGLE = { ["("] = "open", ["["] = "open", [")"] = "close",
  ["]"] = "close", [";"] = "semicolon", ["\\"] = "backslash" }

local function step_word(state, text, at)
  local _, last = text:find(WORD, at)
  local word = text:sub(at, last)
  if (word == "e" or word == "E") and text:sub(last + 1, last + 1) == "'" then
    return open(state, "escape", text, last + 2)
  end
  return "word", last
end

local function step_text(state, text, at)
  local _, last = text:find("^%s+", at)
  if last then
    return "space", last
  end
  if text:find(WORD, at) then
    return step_word(state, text, at)
  end
  local one, two = text:sub(at, at), text:sub(at, at + 1)
  if one == "'" then
    return open(state, "quote", text, at + 1)
  elseif one == '"' then
    return open(state, "name", text, at + 1)
  elseif two == "--" then
    return "line_comment", (text:find("\n", at, true) or #text + 1) - 1
  elseif two == "/*" then
    state.depth = 1
    return open(state, "comment", text, at + 2)
  end
  local _, tag_end, tag = text:find(TAG, at)
  if tag_end then
    state.tag = tag
    return open(state, "dollar", text, tag_end + 1)
  end
  -- A number takes its letters with it: 1e5, 0x1f; $1 is no dollar quote.
  _, last = text:find("^[%d$][%w_.$]*", at)
  return SINGLE[one] or "other", last or at
end

---The piece of `text` that begins at byte `at`: its kind and its last byte.
---Kinds: space, word, quote, escape, name, dollar, comment, line_comment,
---open, close, semicolon, backslash, other.
---@param state { mode: string } what is open, carried on
---@param text string
---@param at integer
---@return string kind, integer last
function M.step(state, text, at)
  if state.mode ~= "text" then
    return continue(state, text, at)
  end
  return step_text(state, text, at)
end

---Nothing is open.
---@return { mode: string }
function M.state()
  return { mode = "text" }
end

---All pieces of a text, in order: kind, piece, first byte.
---@param text string
---@return fun(): string?, string?, integer?
function M.pieces(text)
  local state, at = M.state(), 1
  return function()
    if at > #text then
      return nil
    end
    local from = at
    local kind, last = M.step(state, text, at)
    at = last + 1
    return kind, text:sub(from, last), from
  end
end

---On one line, as an entry of the history: white space outside of literals is
---single, and a comment to the end of a line becomes one that has an end.
---@param text string
---@return string
function M.flatten(text)
  local out = {}
  for kind, piece in M.pieces(text) do
    if kind == "space" then
      piece = " "
    elseif kind == "line_comment" then
      local words = piece:match("^%-%-%s*(.-)%s*$"):gsub("%*/", "* /")
        :gsub("/%*", "/ *")
      piece = "/* " .. words .. " */"
    end
    out[#out + 1] = piece
  end
  return (table.concat(out):match("^%s*(.-)%s*$"))
end

---@class lunate.repl.Lexer
---@field private state table
---@field private parts string[] of the statement that is being typed
local Lexer = {}
Lexer.__index = Lexer

---A statement by statement reader.
---@return lunate.repl.Lexer
function M.new()
  local self = setmetatable({ line_number = 0 }, Lexer)
  self:clear()
  return self
end

---Forgets the statement that has begun.
function Lexer:clear()
  self.state = M.state()
  self.parts, self.tokens, self.depth = {}, 0, 0
  self.began, self.from = nil, nil
  self.words, self.blocks = {}, 0
end

---What was typed of the statement that has not ended.
---@return string
function Lexer:text()
  return (table.concat(self.parts):match("^%s*(.-)%s*$"))
end

---Is there more than white space and comments?
---@return boolean
function Lexer:has_statement()
  return self.tokens > 0
end

local PROMPTS = { quote = "'", escape = "'", name = '"', dollar = "$",
  comment = "*" }

---What a prompt shows: "=" before a statement, "-" within one, or what is open:
---"(", "'", '"', "$", "*" (a comment).
---@return string
function Lexer:open()
  if PROMPTS[self.state.mode] then
    return PROMPTS[self.state.mode]
  end
  if self.depth > 0 then
    return "("
  end
  return self.tokens > 0 and "-" or "="
end

-- The body of a function in standard SQL (BEGIN ATOMIC ... END) has semicolons
-- of its own; CASE ... END nests in it.
local function count_blocks(self, word)
  word = word:lower()
  local words = self.words
  if #words < 4 then
    words[#words + 1] = word
  end
  local what = words[2] == "or" and words[4] or words[2]
  if words[1] ~= "create" or (what ~= "function" and what ~= "procedure") then
    return
  end
  if word == "begin" or (word == "case" and self.blocks > 0) then
    self.blocks = self.blocks + 1
  elseif word == "end" and self.blocks > 0 then
    self.blocks = self.blocks - 1
  end
end

local QUIET = { space = true, comment = true, line_comment = true }

local function take(self, kind, piece)
  self.parts[#self.parts + 1] = piece
  self.from = self.from or (kind ~= "space" and self.line_number or nil)
  if QUIET[kind] then
    return
  end
  self.tokens = self.tokens + 1
  self.began = self.began or self.line_number
  if kind == "word" then
    count_blocks(self, piece)
  elseif kind == "open" then
    self.depth = self.depth + 1
  elseif kind == "close" then
    self.depth = math.max(self.depth - 1, 0)
  end
end

---The next line of the input, without its end; next() takes it apart.
---@param line string
function Lexer:push(line)
  self.line_number = self.line_number + 1
  self.line, self.at = line .. "\n", 1
end

local function statement(self)
  local event = { kind = "sql", text = self:text(), line = self.began,
    from = self.from }
  self:clear()
  return event.line and event or nil
end

---@class lunate.repl.Event
---@field kind "sql"|"command"
---@field text string the statement without its semicolon; or the rest of the
---line, from the backslash on
---@field line integer where it begins
---@field from integer? sql: where its text begins, comments included

---What the line that was pushed holds next: a statement that has ended, or a
---backslash command; nil when nothing is left.
---@return lunate.repl.Event?
function Lexer:next()
  while self.line and self.at <= #self.line do
    local kind, last = M.step(self.state, self.line, self.at)
    local piece = self.line:sub(self.at, last)
    self.at = last + 1
    if kind == "backslash" then
      local rest = self.line:sub(last, -2)
      self.at = #self.line + 1
      return { kind = "command", text = rest, line = self.line_number }
    end
    if kind == "semicolon" and self.depth == 0 and self.blocks == 0 then
      local event = statement(self)
      if event then
        return event
      end
    else
      take(self, kind, piece)
    end
  end
  return nil
end

---The input has ended: what was typed counts as a statement.
---@return lunate.repl.Event?
function Lexer:finish()
  if self.state.mode == "text" or self:has_statement() then
    return statement(self)
  end
  self:clear()
  return nil
end

---All statements and commands of a text.
---@param text string
---@return lunate.repl.Event[]
function M.split(text)
  local lexer, all = M.new(), {}
  for line in (text .. "\n"):gmatch("([^\n]*)\n") do
    lexer:push(line)
    for event in lexer.next, lexer do
      all[#all + 1] = event
    end
  end
  all[#all + 1] = lexer:finish()
  return all
end

return M
