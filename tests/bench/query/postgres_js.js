// node's `postgres` (postgres.js): prepares by itself, pipelines when there
// are more queries than connections.
'use strict';

const postgres = require('postgres');
const { ask, measure, random, run } = require('../kit/client');
const { PAGE } = require('./sql');

const accounts = ask('accounts');
const pages = ask('pages');
const NOTE = 'a note of the bench';

const point = (sql) =>
  sql`SELECT abalance FROM pgbench_accounts WHERE aid = ${random(1, accounts)}`;

const insert = (sql, aid) =>
  sql`INSERT INTO bench_insert (aid, note) VALUES (${aid}, ${NOTE})`;

const update = (sql, aid) =>
  sql`UPDATE pgbench_accounts SET abalance = abalance + ${random(1, 100)}
    WHERE aid = ${aid}`;

async function transaction(tx) {
  for (let i = 0; i < 5; i++) await point(tx);
  const first = random(1, accounts - 3);
  for (let i = 0; i < 3; i++) await update(tx, first + i);
  for (let i = 0; i < 2; i++) await insert(tx, first);
}

const rows = (n) => (result) => result.count === n;
const rights = {
  point: rows(1),
  page: rows(PAGE),
  insert: rows(1),
  transaction: () => true,
};

const operations = {
  point,
  page: (sql) => sql`
    SELECT id, name, made, amount, active, ref, facts, score
    FROM bench_page WHERE id >= ${random(1, pages - PAGE)}
    ORDER BY id LIMIT 20`,
  insert: (sql) => insert(sql, random(1, accounts)),
  transaction: (sql) => sql.begin(transaction),
};

run(async () => {
  const sql = postgres({
    host: ask('host'),
    port: ask('port'),
    user: ask('user'),
    database: ask('database'),
    max: ask('connections'),
    prepare: true,
    fetch_types: false,
  });
  const workload = ask('workload');
  const operation = operations[workload];
  await measure(() => operation(sql), rights[workload]);
  await sql.end();
});
