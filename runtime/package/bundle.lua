-- Turns lua/**/*.lua into one C table of (module name, text), so that the
-- library carries its own scripts.  Usage: bundle.lua ROOT FILE...
local root = arg[1]

local function module_name(path)
  local name = path:sub(#root + 2):gsub("%.lua$", ""):gsub("/", ".")
  return (name:gsub("%.init$", ""))
end

local function emit(path, index)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  print(("static const unsigned char text%d[] = {"):format(index))
  for i = 1, #text, 16 do
    local bytes = { text:byte(i, i + 15) }
    print(table.concat(bytes, ",") .. ",")
  end
  print("0};")
  return { name = module_name(path), size = #text, index = index,
    path = path:sub(#root + 2) }
end

print('#include "bundle.h"')
local all = {}
for i = 2, #arg do
  all[#all + 1] = emit(arg[i], i)
end
print("const struct bundle_file bundle_files[] = {")
for _, f in ipairs(all) do
  print(('{"%s", "@lunate:%s", (const char *)text%d, %d},')
    :format(f.name, f.path, f.index, f.size))
end
print("{0, 0, 0, 0}};")
