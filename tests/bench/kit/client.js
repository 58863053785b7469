// client - what the clients in JavaScript share: the contract with the runner
// (see README.md), a log-linear histogram as in client.lua, the measured window.
'use strict';

const fs = require('fs');

const BUCKETS = 2048;
const STEP = 64;
const FIRST = 0x3ff00000 / 0x4000; // the bucket of 1 us

class Hist {
  constructor() {
    this.time = new Float64Array(1);
    this.bits = new Uint32Array(this.time.buffer);
    this.clear();
  }

  clear() {
    this.counts = new Uint32Array(BUCKETS);
    this.n = 0;
  }

  add(us) {
    this.time[0] = us < 1 ? 1 : us;
    const i = (this.bits[1] >>> 14) - FIRST;
    this.counts[i < BUCKETS ? i : BUCKETS - 1]++;
    this.n++;
  }

  at(part) {
    let left = Math.ceil(this.n * part);
    for (let i = 0; this.n > 0 && i < BUCKETS; i++) {
      left -= this.counts[i];
      if (left <= 0)
        return 2 ** Math.floor(i / STEP) * (1 + ((i % STEP) + 0.5) / STEP);
    }
    return 0;
  }
}

function ask(name) {
  const text = process.env['BENCH_' + name.toUpperCase()];
  if (text === undefined)
    throw new Error(`BENCH_${name.toUpperCase()} is not set`);
  return text === '' || isNaN(text) ? text : Number(text);
}

// A whole number from low to high, both included.
function random(low, high) {
  return low + Math.floor(Math.random() * (high - low + 1));
}

function peak() {
  const text = fs.readFileSync('/proc/self/status', 'utf8');
  return Number(/VmHWM:\s*(\d+)/.exec(text)[1]);
}

function cpu() {
  const used = process.cpuUsage();
  return used.user + used.system;
}

const sleep = (seconds) =>
  new Promise((done) => setTimeout(done, seconds * 1000));

// Runs `tasks` endless chains of operation(), each awaited before the next,
// and prints what happened between the end of the warm-up and the end of the
// window. What an operation gives has to be `right`.
async function measure(operation, right) {
  const hist = new Hist();
  let stop = false;

  async function chain() {
    while (!stop) {
      const began = performance.now();
      const result = await operation();
      if (!right(result)) throw new Error('not the right number of rows');
      hist.add((performance.now() - began) * 1000);
    }
  }
  const chains = Array.from({ length: ask('tasks') }, chain);
  const broken = Promise.all(chains);
  await Promise.race([sleep(ask('warm')), broken]);
  hist.clear();
  const [time, used] = [performance.now(), cpu()];
  await Promise.race([sleep(ask('seconds')), broken]);
  const answer = {
    ops: hist.n,
    seconds: (performance.now() - time) / 1000,
    cpu_us: cpu() - used,
    peak_kb: peak(),
    p50_us: hist.at(0.5),
    p99_us: hist.at(0.99),
  };
  stop = true;
  await broken;
  process.stdout.write(JSON.stringify(answer) + '\n');
}

// A bench that cannot go on says why and fails.
function run(main) {
  main().catch((error) => {
    console.error(error);
    process.exit(1);
  });
}

module.exports = { Hist, ask, measure, random, run };
