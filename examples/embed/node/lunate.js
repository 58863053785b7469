// SPDX-License-Identifier: MIT
//
// lunate - runtime/lunate.h for Node.js: promises over the C API, by koffi.
//
//   const db = new Database({ url: 'postgres:///app' });
//   const rows = await db.query('select name from patients where id = $1', 7);
//   await db.transaction(async (tx) => { await tx.query(...); });
//   await db.close();
//
// JavaScript runs on one thread, and so does every callback here: answers wait
// in a port, libuv watches the port's descriptor, and lunate_port_run() calls
// back from there. No thread of lunate ever enters JavaScript, and no call on
// the main thread waits: what waits in C (health, close) runs on koffi's
// threads.
'use strict';

const koffi = require('koffi');

// Deep: what libpq wants of OpenSSL comes from its own library, not from the
// one that is linked into node.
const lib = koffi.load(process.env.LIBLUNATE || 'liblunate.so.0',
  { deep: true });

const TEXT = 4, NULL = 0, JSON_TEXT = 6; // enum lunate_type
const OIDS = { bool: 16, int8: 20, int2: 21, int4: 23, json: 114,
  float4: 700, float8: 701, jsonb: 3802 };

koffi.proto('void lunate_done(uintptr_t arg, void *rows, void *e)');
const CError = koffi.struct('lunate_error', {
  code: 'int', retryable: 'int', sqlstate: koffi.array('char', 8),
  constraint: koffi.array('char', 64), text: koffi.array('char', 600),
  reserved: koffi.array('char', 88) });
const Setting = koffi.struct('lunate_setting',
  { key: 'const char *', value: 'const char *' });
const Options = koffi.struct('lunate_options', {
  size: 'size_t', url: 'const char *', settings: koffi.pointer(Setting),
  workers: 'int', no_environment: 'int', log: 'void *', log_arg: 'void *',
  panic: 'void *' });
// Every value travels as text here; the server knows what it has to become.
const Value = koffi.struct('lunate_value', {
  type: 'int', reserved: 'int', len: 'size_t', text: 'const char *' });
const Call = koffi.struct('lunate_call', {
  size: 'size_t', sql: 'const char *', sql_len: 'size_t', statement: 'void *',
  values: koffi.pointer(Value), nvalues: 'int', flags: 'unsigned int',
  tx: 'void *', context: 'void *', timeout: 'double', priority: 'int',
  cls: 'int' });
const Then = koffi.struct('lunate_then', {
  size: 'size_t', done: 'lunate_done *', arg: 'uintptr_t', port: 'void *',
  ticket: 'void *' });

const C = {};
for (const line of [
  'int lunate_open(lunate_options *o, _Out_ void **db, _Out_ lunate_error *e)',
  'int lunate_close(_Inout_ void **db, double seconds)',
  'const char *lunate_error_word(int code)',
  'int lunate_query_async(void *db, lunate_call *call, lunate_then *then, '
    + '_Out_ lunate_error *e)',
  'int lunate_begin(void *db, void *o, _Out_ void **tx, _Out_ lunate_error *e)',
  'int lunate_commit_async(_Inout_ void **tx, lunate_then *then, '
    + '_Out_ lunate_error *e)',
  'void lunate_rollback(_Inout_ void **tx)',
  'int lunate_port_new(_Out_ void **p, _Out_ lunate_error *e)',
  'int lunate_port_fd(void *p)',
  'int lunate_port_run(void *p, int most)',
  'int lunate_port_free(_Inout_ void **p)',
  'size_t lunate_rows_count(void *r)',
  'int lunate_rows_columns(void *r)',
  'const char *lunate_rows_name(void *r, int col)',
  'unsigned int lunate_rows_type(void *r, int col)',
  'const char *lunate_rows_cell(void *r, size_t row, int col, void *len)',
  'void lunate_rows_free(_Inout_ void **r)',
  'int lunate_health(void *db, _Out_ void **json, _Out_ lunate_error *e)',
  'void lunate_free(void *text)',
]) C[line.match(/lunate_(\w+)\(/)[1]] = lib.func(line);

const promised = (fn, ...args) => new Promise((resolve, reject) =>
  fn.async(...args, (err, rc) => err ? reject(err) : resolve(rc)));

class LunateError extends Error {
  constructor(e) {
    super(e.text);
    this.name = 'LunateError';
    this.code = C.error_word(e.code); // 'constraint', 'deadline', ...
    this.sqlstate = e.sqlstate;
    this.constraint = e.constraint;
    this.retryable = e.retryable === 1;
  }
}

const check = (rc, e) => { if (rc < 0) throw new LunateError(e); };

// ---- values ----------------------------------------------------------------

function value(v) {
  if (v === null || v === undefined)
    return { type: NULL, reserved: 0, len: 0, text: null };
  const json = typeof v === 'object' && !(v instanceof Date);
  const text = json ? JSON.stringify(v)
    : v instanceof Date ? v.toISOString() : String(v);
  return { type: json ? JSON_TEXT : TEXT, reserved: 0,
    len: Buffer.byteLength(text), text };
}

const readers = new Map([
  [OIDS.bool, (t) => t === 't'],
  // Beyond 2^53 a BigInt: no digit is lost.
  [OIDS.int8, (t) => Number.isSafeInteger(+t) ? +t : BigInt(t)],
  [OIDS.json, JSON.parse], [OIDS.jsonb, JSON.parse],
]);
for (const name of ['int2', 'int4', 'float4', 'float8'])
  readers.set(OIDS[name], Number);

// The rows as objects; what C holds of them is given back.
function take(rows) {
  const n = Number(C.rows_count(rows)), columns = [], all = [];
  for (let c = 0; c < C.rows_columns(rows); c++)
    columns.push({ name: C.rows_name(rows, c),
      read: readers.get(C.rows_type(rows, c)) || String });
  for (let r = 0; r < n; r++) {
    const row = {};
    columns.forEach(({ name, read }, c) => {
      const text = C.rows_cell(rows, r, c, null);
      row[name] = text === null ? null : read(text);
    });
    all.push(row);
  }
  C.rows_free([rows]);
  return all;
}

// ---- a database ------------------------------------------------------------

class Transaction {
  constructor(db, tx) {
    this.db = db;
    this.tx = tx;
  }

  query(sql, ...values) {
    return this.db.ask(sql, values, this.tx);
  }
}

class Database {
  #db; #port; #poll; #done;
  #waiting = new Map(); // number -> { resolve, reject }
  #number = 0;

  /** { url, timeout (seconds, of each query), settings: { pool_max: 8 } } */
  constructor({ url = null, timeout = 0, settings = {} } = {}) {
    const list = Object.entries(settings)
      .map(([key, v]) => ({ key, value: String(v) }));
    const db = [null], port = [null], e = {};
    this.timeout = timeout;
    check(C.open({ size: koffi.sizeof(Options), url,
      settings: [...list, { key: null, value: null }] }, db, e), e);
    this.#db = db[0];
    check(C.port_new(port, e), e);
    this.#port = port[0];
    this.#done = koffi.register((number, rows, error) =>
      this.#answer(Number(number), rows, error), 'lunate_done *');
    this.#poll = koffi.node.poll(C.port_fd(this.#port), { readable: true },
      () => C.port_run(this.#port, 0));
  }

  // Nothing may be thrown into C: promises take both ways to end.
  #answer(number, rows, error) {
    const { resolve, reject } = this.#waiting.get(number);
    this.#waiting.delete(number);
    try {
      if (error) reject(new LunateError(koffi.decode(error, CError)));
      else resolve(rows ? take(rows) : []);
    } catch (err) {
      reject(err);
    }
  }

  // begin(then, e) starts it; what cannot be begun has no answer.
  #begin(begin) {
    return new Promise((resolve, reject) => {
      const number = ++this.#number, e = {};
      this.#waiting.set(number, { resolve, reject });
      const then = { size: koffi.sizeof(Then), done: this.#done, arg: number,
        port: this.#port, ticket: null };
      if (begin(then, e) < 0) {
        this.#waiting.delete(number);
        reject(new LunateError(e));
      }
    });
  }

  ask(sql, values, tx) {
    const call = { size: koffi.sizeof(Call), sql, sql_len: 0, statement: null,
      values: values.map(value), nvalues: values.length, flags: 0, tx,
      context: null, timeout: this.timeout, priority: 0, cls: 0 };
    return this.#begin((then, e) => C.query_async(this.#db, call, then, e));
  }

  /** Rows as objects by column name. */
  query(sql, ...values) {
    return this.ask(sql, values, null);
  }

  /** BEGIN, fn(tx), COMMIT; what it throws rolls back. */
  async transaction(fn) {
    const tx = [null], e = {};
    check(C.begin(this.#db, null, tx, e), e);
    try {
      const result = await fn(new Transaction(this, tx[0]));
      await this.#begin((then, err) => C.commit_async(tx, then, err));
      return result;
    } finally {
      C.rollback(tx); // nothing is left of one that was committed
    }
  }

  async health() {
    const json = [null], e = {};
    check(await promised(C.health, this.#db, json, e), e);
    const text = koffi.decode.string(json[0]);
    C.free(json[0]);
    return JSON.parse(text);
  }

  /** Waits for what is under way, at most that long. */
  async close(seconds = 10) {
    await promised(C.close, [this.#db], seconds);
    C.port_run(this.#port, 0); // the last answers
    this.#poll.close();
    C.port_free([this.#port]);
    koffi.unregister(this.#done);
  }
}

module.exports = { Database, LunateError };
