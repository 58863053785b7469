// SPDX-License-Identifier: MIT
//
// server - a small HTTP service on lunate.
//
//   GET  /patients/7         {"id":7,"name":"Ada","born":"1950-01-31"}
//   GET  /patients?name=A    at most 20 whose name begins so
//   POST /patients           {"name":"Ada","born":"1950-01-31"} -> 201 {"id":7}
//   GET  /healthz            200 or 503, and how the database is
//
//   DATABASE_URL=postgres:///app PORT=8080 node server.js
//
// It makes the tables embed_people and embed_visits where they are missing.
// SIGTERM ends it: requests under way are answered first.
'use strict';

const http = require('node:http');
const { Database, LunateError } = require('./lunate.js');

const db = new Database({ timeout: 5, settings: { pool_max: 8 } });

async function setup() {
  await db.query(`create table if not exists embed_people (
    id int generated always as identity primary key,
    name text not null unique check (name <> ''), born date)`);
  await db.query(`create table if not exists embed_visits (
    patient_id int not null references embed_people,
    at timestamptz not null default now())`);
}

// ---- what can be asked -----------------------------------------------------

async function one(id) {
  const rows = await db.query(
    'select id, name, born from embed_people where id = $1', id);
  return rows.length ? [200, rows[0]] : [404, { error: 'no such patient' }];
}

async function list(url) {
  const rows = await db.query(`select id, name, born from embed_people
    where starts_with(name, $1) order by name limit 20`,
  url.searchParams.get('name') || '');
  return [200, rows];
}

// A patient without a first visit must not be seen: both, or neither.
async function add({ name, born }) {
  return db.transaction(async (tx) => {
    const [{ id }] = await tx.query(
      'insert into embed_people (name, born) values ($1, $2) returning id',
      name, born);
    await tx.query('insert into embed_visits (patient_id) values ($1)', id);
    return [201, { id }];
  });
}

async function health() {
  const report = await db.health();
  return [report.is_healthy ? 200 : 503, report];
}

async function route(request) {
  const url = new URL(request.url, 'http://localhost');
  const id = /^\/patients\/(\d{1,9})$/.exec(url.pathname);
  switch (`${request.method} ${id ? '/patients/N' : url.pathname}`) {
    case 'GET /patients/N': return one(id[1]);
    case 'GET /patients': return list(url);
    case 'POST /patients': return add(await body(request));
    case 'GET /healthz': return health();
    default: return [404, { error: 'no such page' }];
  }
}

// ---- HTTP ------------------------------------------------------------------

async function body(request) {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk;
    if (text.length > 65536) throw new SyntaxError('the body is too large');
  }
  const value = JSON.parse(text);
  if (typeof value !== 'object' || value === null)
    throw new SyntaxError('the body is no object');
  return value;
}

// Whose fault it was. Texts of lunate hold no values, so they may be told.
const STATUS = { constraint: 409, value: 400, parameters: 400 };

function failure(err) {
  if (err instanceof SyntaxError) return [400, { error: err.message }];
  if (!(err instanceof LunateError)) {
    console.error(err);
    return [500, { error: 'internal' }];
  }
  const busy = err.retryable || err.code === 'deadline';
  return [STATUS[err.code] || (busy ? 503 : 500), { error: err.code }];
}

const server = http.createServer(async (request, response) => {
  const [status, answer] = await route(request).catch(failure);
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(answer) + '\n');
});

async function stop() {
  server.close(() => db.close());
  server.closeIdleConnections();
}

process.once('SIGTERM', stop);
process.once('SIGINT', stop);

setup().then(() => {
  server.listen(Number(process.env.PORT || 8080), '127.0.0.1', () =>
    console.log(`listening on ${server.address().port}`));
}, async (err) => {
  console.error(`server: ${err.message}`);
  process.exitCode = 1;
  await db.close(1);
});
