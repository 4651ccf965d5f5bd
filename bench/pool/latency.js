// node bench/pool/latency.js: how soon a promise comes back, and how soon an abort.

import { createPool, empty, init } from '../../dist/lib/index.js';
import { generator, header, ms, quantile, shared, verify } from './common.js';

header('Latency');
const pool = createPool();

function report(name, times) {
  times.sort((a, b) => a - b);
  const at = (q) => ms(quantile(times, q));
  console.log(`${name.padEnd(52)} median ${at(0.5)}   p99 ${at(0.99)}   max ${at(1)}`);
}

for (const [name, tensor, repeats] of [
  ['1 Ki elements (filled by the calling thread)', empty([1024]), 5000],
  ['16 Ki elements, plain memory (one batch)', empty([16_384]), 3000],
  ['64 Ki elements, shared memory (one turn)', shared(65_536), 3000],
]) {
  const times = [];
  for (let i = 0; i < repeats; i++) {
    const start = performance.now();
    await pool.init.normal_(tensor, { generator: generator() });
    times.push(performance.now() - start);
    if (i % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  }
  verify(tensor, init.normal_(empty(tensor.shape), { generator: generator() }), name);
  report(`promise of ${name}`, times);
}

const square = pool.empty([2048, 2048]);
const big = pool.empty([128 << 20]);
for (const [name, fill] of [
  ['orthogonal_ 2048 × 2048', (signal) => pool.init.orthogonal_(square, { signal })],
  ['trunc_normal_ 512 MiB', (signal) => pool.init.trunc_normal_(big, { signal })],
]) {
  const times = [];
  for (let i = 0; i < 60; i++) {
    const controller = new AbortController();
    const stopped = fill(controller.signal).then(
      () => false,
      () => true,
    );
    await new Promise((resolve) => setTimeout(resolve, 3 + (i % 10)));
    const start = performance.now();
    controller.abort();
    if (await stopped) times.push(performance.now() - start);
  }
  report(`abort of ${name} (${times.length} times)`, times);
}
await pool.close();
