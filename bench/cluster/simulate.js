// node bench/cluster/simulate.js: 1,000 workers that fail, on paper. Events in the order of their times; what is assumed stands below, and docs/scaling.md has the results.
import { fileURLToPath } from 'node:url';

/** Seconds, bytes and bytes a second. */
const usual = {
  bytes: 2e13, // 10^13 parameters in bfloat16
  partBytes: 2 ** 30,
  workers: 1000,
  ownRate: 1.5e9, // a worker makes and sends so much
  storeRate: 400e9, // all together write so much
  jobSeconds: 0.002, // what the queue takes of a worker for each job, as bench/cluster/load.js measured
  queueRate: 5000, // jobs a second that one Redis hands out
  meanLife: 3600, // until a worker is lost; another one comes in its place
  backAfter: 60,
  lostAfter: 45, // until its part is given to others
  finishSeconds: 5,
};

/** A generator of numbers in [0, 1), the same in each run (mulberry32). */
function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A heap of [time, event], the earliest on top. */
class Agenda {
  #heap = [];

  add(time, event) {
    const heap = this.#heap;
    let i = heap.push([time, event]) - 1;
    for (let up = (i - 1) >> 1; i > 0 && heap[up][0] > heap[i][0]; i = up, up = (i - 1) >> 1) {
      [heap[up], heap[i]] = [heap[i], heap[up]];
    }
  }

  next() {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (heap.length === 0 || last === undefined) return top;
    heap[0] = last;
    for (let i = 0; ; ) {
      const [left, right] = [2 * i + 1, 2 * i + 2];
      let least = i;
      if (left < heap.length && heap[left][0] < heap[least][0]) least = left;
      if (right < heap.length && heap[right][0] < heap[least][0]) least = right;
      if (least === i) return top;
      [heap[i], heap[least]] = [heap[least], heap[i]];
      i = least;
    }
  }
}

/** When all is there, how many workers were lost, and how many bytes were made twice. */
export function simulate(options) {
  const given = { ...usual, ...options };
  const { bytes, partBytes, workers, ownRate, storeRate, jobSeconds, queueRate } = given;
  const { meanLife, backAfter, lostAfter, finishSeconds } = given;
  const draw = random(1);
  const life = () => -Math.log(1 - draw()) * meanLife;
  const agenda = new Agenda();
  const parts = Math.ceil(bytes / partBytes);
  let [waiting, done, lost, twice, freeAt, now] = [parts, 0, 0, 0, 0, 0];
  const rate = Math.min(ownRate, storeRate / Math.min(workers, parts)); // the store is shared evenly
  const seconds = partBytes / rate + jobSeconds;
  const idle = [];
  const diesAt = Array.from({ length: workers }, life);
  const take = (worker) => {
    if (waiting === 0) return void idle.push(worker);
    waiting -= 1;
    freeAt = Math.max(now, freeAt) + 1 / queueRate; // one job after another
    const end = freeAt + seconds;
    if (diesAt[worker] > end) return agenda.add(end, { done: worker });
    lost += 1;
    twice += (Math.max(0, diesAt[worker] - freeAt) / seconds) * partBytes;
    agenda.add(Math.max(freeAt, diesAt[worker]) + lostAfter, { again: true });
    agenda.add(Math.max(freeAt, diesAt[worker]) + backAfter, { back: worker });
  };
  for (let worker = 0; worker < workers; worker++) take(worker);
  while (done < parts) {
    const [time, event] = agenda.next();
    now = time;
    if (event.done !== undefined) {
      done += 1;
      take(event.done);
    } else if (event.again) {
      waiting += 1;
      if (idle.length > 0) take(idle.pop());
    } else {
      diesAt[event.back] = now + life();
      take(event.back);
    }
  }
  const ideal = bytes / Math.min(workers * ownRate, storeRate);
  return { parts, seconds: now + finishSeconds, ideal, lost, twice };
}

const cases = [
  ['4 workers, none fails, no store in the way', { workers: 4, bytes: 1e11, storeRate: 1e15, meanLife: 1e9 }],
  ['1,000 workers, none fails', { meanLife: 1e9 }],
  ['1,000 workers, each lost once an hour', {}],
  ['… once in five minutes', { meanLife: 300 }],
  ['… parts of 64 MiB', { partBytes: 2 ** 26 }],
  ['… parts of 8 GiB', { partBytes: 2 ** 33 }],
  ['… found lost after 5 s', { lostAfter: 5 }],
  ['… a store of 50 GB/s', { storeRate: 50e9 }],
  ['… a store without a limit', { storeRate: 1e15 }],
];
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log('| case | parts | seconds | without any loss | workers lost | made twice |');
  console.log('| --- | --- | --- | --- | --- | --- |');
  for (const [name, options] of cases) {
    const { parts, seconds, ideal, lost, twice } = simulate(options);
    const cells = [name, parts, seconds.toFixed(1), ideal.toFixed(1), lost, `${(twice / 1e9).toFixed(1)} GB`];
    console.log(`| ${cells.join(' | ')} |`);
  }
}
