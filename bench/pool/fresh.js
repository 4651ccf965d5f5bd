// node bench/pool/fresh.js [tensors]: an async iterable of new tensors of 4 MiB, beside tensors that are used again and again.
// NNINIT_DIST: the compiled nninit to look at, such as an older one's, to compare.

import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { header, ms } from './common.js';

const { createPool } = await import(process.env.NNINIT_DIST ?? '../../dist/lib/index.js');
const count = Number(process.argv[2] ?? 400);
const rounds = 5;
header(`${count} × pool.empty([1024, 1024]) from an async iterable, normal (delays beyond a timer of 1 ms)`);
const pool = createPool();
const shape = [1024, 1024];
const reused = Array.from({ length: 32 }, () => pool.empty(shape));
await pool.fill(reused.map((tensor) => ({ tensor, initializer: 'normal' })));

const kinds = {
  'used again and again': (i) => ({ tensor: reused[i % reused.length] }),
  'new, and dropped': () => ({ tensor: pool.empty(shape) }),
  ...(pool.release && {
    'new, and released when filled': () => ({ tensor: pool.empty(shape), onFilled: (tensor) => pool.release(tensor) }),
  }),
};

for (let round = 0; round < rounds; round++) {
  for (const [name, make] of Object.entries(kinds)) {
    async function* items() {
      for (let i = 0; i < count; i++) yield { ...make(i), initializer: 'normal' };
    }
    const delays = monitorEventLoopDelay({ resolution: 1 });
    delays.enable();
    const start = performance.now();
    const { tensors } = await pool.fill(items());
    const time = performance.now() - start;
    delays.disable();
    if (tensors !== count) throw new Error('not all were filled');
    const at = (q) => ms(Math.max(0, delays.percentile(q) / 1e6 - 1)).padStart(8);
    const mib = Math.round(process.memoryUsage.rss() / 2 ** 20);
    console.log(`${name.padEnd(30)} ${ms(time).padStart(10)}   p99 ${at(99)}   max ${at(100)}   ${mib} MiB`);
  }
}
await pool.close();
