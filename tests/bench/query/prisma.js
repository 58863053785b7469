// Prisma 7 with its adapter for `pg`: its own calls where they exist, as its
// users write them.
'use strict';

const { PrismaPg } = require('@prisma/adapter-pg');
const { PrismaClient } = require('@prisma/client');
const { ask, measure, random, run } = require('../kit/client');
const { PAGE } = require('./sql');

const accounts = ask('accounts');
const pages = ask('pages');
const NOTE = 'a note of the bench';

const point = (db) =>
  db.pgbench_accounts.findUnique({
    where: { aid: random(1, accounts) },
    select: { abalance: true },
  });

const insert = (db, aid) =>
  db.bench_insert.create({ data: { aid, note: NOTE }, select: { id: true } });

const update = (db, aid) =>
  db.pgbench_accounts.update({
    where: { aid },
    data: { abalance: { increment: random(1, 100) } },
    select: { aid: true },
  });

async function transaction(tx) {
  for (let i = 0; i < 5; i++) await point(tx);
  const first = random(1, accounts - 3);
  for (let i = 0; i < 3; i++) await update(tx, first + i);
  for (let i = 0; i < 2; i++) await insert(tx, first);
}

const rights = {
  point: (row) => typeof row.abalance === 'number',
  page: (rows) => rows.length === PAGE,
  insert: (row) => typeof row.id === 'bigint',
  transaction: () => true,
};

const operations = {
  point,
  page: (db) =>
    db.bench_page.findMany({
      where: { id: { gte: random(1, pages - PAGE) } },
      orderBy: { id: 'asc' },
      take: PAGE,
    }),
  insert: (db) => insert(db, random(1, accounts)),
  transaction: (db) =>
    db.$transaction(transaction, { maxWait: 60000, timeout: 60000 }),
};

run(async () => {
  const adapter = new PrismaPg({
    host: ask('host'),
    port: ask('port'),
    user: ask('user'),
    database: ask('database'),
    max: ask('connections'),
  });
  const db = new PrismaClient({ adapter });
  const workload = ask('workload');
  const operation = operations[workload];
  await measure(() => operation(db), rights[workload]);
  await db.$disconnect();
});
