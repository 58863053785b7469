-- lunate.repl.copying - COPY from and to where a person is: files, the
-- terminal, standard input and output.
local core = require "lunate.core"
local lex = require "lunate.repl.lex"
local sink = require "lunate.repl.sink"

local M = {}

local PIECE = 65536

-- ---- \copy -----------------------------------------------------------------

local QUIET = { space = true, comment = true, line_comment = true }

-- Where FROM or TO stands, outside of parentheses: the word, its first byte,
-- its last.
local function find_way(text)
  local depth = 0
  for kind, piece, from in lex.pieces(text) do
    if kind == "open" then
      depth = depth + 1
    elseif kind == "close" then
      depth = depth - 1
    elseif kind == "word" and depth == 0 then
      local word = piece:lower()
      if word == "from" or word == "to" then
        return word, from, from + #piece - 1
      end
    end
  end
end

-- The file behind it: a literal, or all up to a blank; and what follows.
local function read_target(text)
  local at = text:find("%S")
  if not at then
    return nil
  end
  if text:sub(at, at) == "'" then
    for kind, piece, from in lex.pieces(text) do
      if kind == "quote" then
        return (piece:sub(2, -2):gsub("''", "'")), text:sub(from + #piece)
      elseif not QUIET[kind] then
        return nil
      end
    end
  end
  local word = text:match("^%S+", at)
  return word, text:sub(at + #word)
end

---@class lunate.repl.CopyJob
---@field sql string
---@field way "in"|"out"
---@field path string? nil: the terminal, or standard input and output

---What \copy asks for.
---@param text string behind \copy
---@return lunate.repl.CopyJob|nil job, string? err
function M.parse(text)
  local word, from, last = find_way(text)
  local target, rest
  if word then
    target, rest = read_target(text:sub(last + 1))
  end
  if not target then
    return nil, "\\copy TABLE or (QUERY) from|to FILE|stdin|stdout [with ...]"
  end
  local way = word == "from" and "in" or "out"
  local stream = way == "in" and "stdin" or "stdout"
  local lower = target:lower()
  if lower == "program" then
    return nil, "\\copy does not run programs; write: \\g |COMMAND behind "
      .. "COPY ... TO STDOUT"
  end
  return { way = way, path = lower ~= stream and lower ~= "p" .. stream
    and target or nil, sql = "copy " .. text:sub(1, from - 1) .. word .. " "
    .. stream .. (rest:gsub(";+%s*$", "")) }
end

-- ---- the bytes -------------------------------------------------------------

-- Lines up to "\.", of whoever gives the statements.
local function from_lines(repl)
  local source, over = repl.source, false
  repl:remark("Type the rows, a line each; end with \\. or Ctrl-D.\n")
  return function()
    local parts, size = {}, 0
    while not over and size < PIECE do
      local line, why = source:line(">> ")
      if why == "signal" then
        return false
      end
      over = line == nil or line == "\\."
      if not over then
        parts[#parts + 1], size = line .. "\n", size + #line + 1
      end
      repl.lexer.line_number = repl.lexer.line_number + 1
    end
    return parts[1] and table.concat(parts) or nil
  end
end

local function from_file(repl, path)
  local file, err = io.open(path, "rb")
  if not file then
    return nil, "cannot read " .. err
  end
  return function()
    if repl.session:is_interrupted() then
      return false
    end
    return file:read(PIECE)
  end, function() file:close() end
end

local function open_input(repl, path)
  if path then
    return from_file(repl, path)
  end
  return from_lines(repl), function() end
end

local function copy_in(repl, job)
  local source, close = open_input(repl, job.path)
  if not source then
    return nil, close
  end
  local rows, err = repl.session:copy(job.sql, "in", source)
  close()
  return rows, err
end

local function copy_out(repl, job)
  local out, err
  if job.path then
    out, err = sink.file(job.path)
    if not out then
      return nil, "cannot write " .. err
    end
  else
    out = repl:open_sink()
  end
  local rows
  rows, err = repl.session:copy(job.sql, "out", function(bytes)
    return out:write(bytes)
  end)
  local closed, why = out:close()
  if rows and not closed then
    return nil, "the file cannot be written: " .. why
  end
  return rows, err
end

---Runs one; says how many rows it was.
---@param repl table
---@param job lunate.repl.CopyJob
---@return true|nil, lunate.Error|string? err
function M.run(repl, job)
  local facts, err = core.facts(job.sql)
  if not facts then
    return nil, err
  end
  local rows
  if job.way == "in" then
    rows, err = copy_in(repl, job)
  else
    rows, err = copy_out(repl, job)
  end
  if not rows then
    return nil, err
  end
  if job.way == "in" or job.path or repl.output then
    repl:say(("COPY %d\n"):format(rows))
  end
  return true
end

return M
