-- data - whose rows the bench of isolation reads.
local M = { TENANTS = 1000, VISITS = 400000 }

--- The i-th tenant; row n belongs to tenant (n - 1) % TENANTS + 1.
---@param i integer
---@return string
function M.tenant(i)
  return ("0b5e0000-0000-4000-8000-%012x"):format(i)
end

-- Twice the same: one for row policies, one without.
M.TABLES = ([[
create role bench_app login;
create table visits (id int primary key, clinic_id uuid not null,
  balance int not null);
insert into visits select n, ('0b5e0000-0000-4000-8000-' ||
  lpad(to_hex((n - 1) %% %d + 1), 12, '0'))::uuid, n %% 997
  from generate_series(1, %d) n;
create table plain (like visits including all);
insert into plain select * from visits;
grant select on visits, plain to bench_app;
]]):format(M.TENANTS, M.VISITS)

local FILE = [[
tenant { type = "uuid" }
rows "%s" { by = "clinic_id" }
database { mode = "%s" }
]]

--- isolation.lua of a mode; with row policies or on the table without.
---@param table_name string
---@param mode string
---@return string
function M.policy(table_name, mode)
  return FILE:format(table_name, mode)
end

return M
