-- lunate.rowmaker - a function that makes the rows of one shape.
--
-- return function(v1, v2) return { ["id"] = v1, ["name"] = v2 } end

---@param names (string|false)[] false: a name that came before
---@param positional boolean the values also as [1..n]
---@return fun(...): table
return function(names, positional)
  local values, fields = {}, {}
  for i, name in ipairs(names) do
    values[i] = "v" .. i
    if name then
      fields[#fields + 1] = ("[%q] = v%d"):format(name, i)
    end
    if positional then
      fields[#fields + 1] = ("[%d] = v%d"):format(i, i)
    end
  end
  local text = ("return function(%s) return { %s } end"):format(
    table.concat(values, ", "), table.concat(fields, ", "))
  return assert(loadstring(text, "=row"))()
end
