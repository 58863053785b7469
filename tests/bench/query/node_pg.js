// node's `pg`: a pool, statements prepared under a name on each connection.
'use strict';

const { Pool } = require('pg');
const { ask, measure, random, run } = require('../kit/client');
const sql = require('./sql');

const accounts = ask('accounts');
const pages = ask('pages');
const NOTE = 'a note of the bench';

const named = (name, ...values) => ({ name, text: sql[name], values });

async function transaction(pool) {
  const client = await pool.connect();
  await client.query('BEGIN');
  for (let i = 0; i < 5; i++)
    await client.query(named('point', random(1, accounts)));
  const first = random(1, accounts - 3);
  for (let i = 0; i < 3; i++)
    await client.query(named('update', first + i, random(1, 100)));
  for (let i = 0; i < 2; i++)
    await client.query(named('insert', first, NOTE));
  await client.query('COMMIT');
  client.release();
}

const rows = (n) => (result) => result.rowCount === n;
const rights = {
  point: rows(1),
  page: rows(sql.PAGE),
  insert: rows(1),
  transaction: () => true,
};

const operations = {
  point: (pool) => pool.query(named('point', random(1, accounts))),
  page: (pool) => pool.query(named('page', random(1, pages - sql.PAGE))),
  insert: (pool) => pool.query(named('insert', random(1, accounts), NOTE)),
  transaction,
};

run(async () => {
  const pool = new Pool({
    host: ask('host'),
    port: ask('port'),
    user: ask('user'),
    database: ask('database'),
    max: ask('connections'),
  });
  const workload = ask('workload');
  const operation = operations[workload];
  await measure(() => operation(pool), rights[workload]);
  await pool.end();
});
