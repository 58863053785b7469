-- SPDX-License-Identifier: MIT
--
-- rejects - the file of rows that were not loaded.
--
-- Each row of it has two fields: `file:line: reason`, and the row as it stood
-- in that file.  The file exists only when something was rejected; it holds
-- what the rows hold, so it deserves the same care as they do.

local csv = require "clinic.csv"

local rejects = {}

---@class clinic.Rejects
---@field count integer
---@field path string
local Rejects = {}
Rejects.__index = Rejects

--- Rejects go to `path`; one left there by an earlier import goes away.
---@param path string
---@return clinic.Rejects
function rejects.new(path)
  os.remove(path)
  return setmetatable({ path = path, count = 0 }, Rejects)
end

---@param file string
---@param record clinic.csv.Record
---@param reason string
function Rejects:add(file, record, reason)
  if not self.out then
    self.out = assert(io.open(self.path, "wb"))
    self.out:write(csv.line({ "why", "row" }))
  end
  self.count = self.count + 1
  local why = ("%s:%d: %s"):format(file, record.line,
    (reason:gsub("%s+", " ")))
  self.out:write(csv.line({ why, record.raw }))
end

function Rejects:close()
  if self.out then
    assert(self.out:close())
    self.out = nil
  end
end

return rejects
