-- sql - the statements of the workloads, the same for every client.
local M = {}

M.PAGE = 20

M.point = "SELECT abalance FROM pgbench_accounts WHERE aid = $1"

M.page = [[SELECT id, name, made, amount, active, ref, facts, score
  FROM bench_page WHERE id >= $1 ORDER BY id LIMIT 20]]

M.insert = "INSERT INTO bench_insert (aid, note) VALUES ($1, $2)"

M.update = [[UPDATE pgbench_accounts SET abalance = abalance + $2
  WHERE aid = $1]]

return M
