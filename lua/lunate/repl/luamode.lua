-- lunate.repl.luamode - Lua at the prompt: `db`, `lunate`, and what was set.
local lunate = require "lunate"
local pretty = require "lunate.repl.pretty"
local terminal = require "lunate.terminal"

local M = {}

local NAME = "=lua"

---@class lunate.repl.Lua
---@field env table its globals
local Lua = {}
Lua.__index = Lua

---@param db lunate.Database
---@return lunate.repl.Lua
function M.new(db)
  local env = setmetatable({ db = db, lunate = lunate }, { __index = _G })
  return setmetatable({ env = env }, Lua)
end

---Compiles a text: an expression, or statements.
---@param text string
---@return function|nil fn nil when it is wrong, or goes on in the next line
---@return string|nil err
---@return boolean|nil unfinished
function Lua:compile(text)
  local fn = loadstring("return " .. text:gsub("^%s*=", ""), NAME)
  local err
  if not fn then
    fn, err = loadstring(text, NAME)
  end
  if not fn then
    return nil, err, err:find("near '<eof>'", 1, true) ~= nil
  end
  return setfenv(fn, self.env)
end

local function report(write, ...)
  local n = select("#", ...)
  for i = 1, n do
    write(pretty.text((select(i, ...))) .. "\n")
  end
  return true
end

-- Not compiled, so that Ctrl-C can stop a loop that never waits.
local function call(fn, heard)
  jit.off()
  terminal.guard(true, heard)
  return fn()
end

---Runs what compile() gave, as a task: Ctrl-C ends what it waits for, and a
---loop that never waits.
---@param fn function
---@param write fun(text: string)
---@param session lunate.repl.Session whose Ctrl-C it hears
---@return true|nil, string? err
function Lua:run(fn, write, session) -- luacheck: ignore 212
  local task = lunate.spawn(call, fn, session.heard)
  session:running(function() task:cancel() end)
  local function settle(...)
    terminal.guard(false, 0)
    jit.on()
    session:running(nil)
    if session:is_interrupted() then
      return nil, "interrupted"
    end
    local raised = task.results and task.results.raised
    if raised then
      local err = task.results[2]
      local is_own = type(err) == "table" and err.code == "script"
      return nil, is_own and err.message or tostring(err)
    end
    return report(write, ...)
  end
  return settle(task:join())
end


return M
