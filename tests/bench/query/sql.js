// The statements of the workloads, as in sql.lua.
'use strict';

module.exports = {
  PAGE: 20,
  point: 'SELECT abalance FROM pgbench_accounts WHERE aid = $1',
  page: `SELECT id, name, made, amount, active, ref, facts, score
  FROM bench_page WHERE id >= $1 ORDER BY id LIMIT 20`,
  insert: 'INSERT INTO bench_insert (aid, note) VALUES ($1, $2)',
  update: `UPDATE pgbench_accounts SET abalance = abalance + $2
  WHERE aid = $1`,
};
