// node bench/pool/event-loop.js [GiB]: what the event loop feels while much is filled.

import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { createPool, empty, init } from '../../dist/lib/index.js';
import { generator, header, ms, verify } from './common.js';

const gib = Number(process.argv[2] ?? 8);
header(`The event loop while ${gib} GiB are filled (delays beyond a timer of 1 ms)`);
const pool = createPool();
await pool.init.normal_(empty([100_000]));

/** `make` gives tensors of 64 MiB in turn. */
async function observe(name, make, check) {
  const delays = monitorEventLoopDelay({ resolution: 1 });
  delays.enable();
  const start = performance.now();
  const before = performance.eventLoopUtilization();
  const tensors = [make(), make(), make(), make()];
  function* items() {
    for (let i = 0; i < gib * 16; i++) yield { tensor: tensors[i % tensors.length], initializer: 'normal' };
  }
  await pool.fill(items(), { generator: generator() });
  const seconds = (performance.now() - start) / 1000;
  const { utilization } = performance.eventLoopUtilization(before);
  delays.disable();
  check(tensors);
  const at = (q) => ms(Math.max(0, delays.percentile(q) / 1e6 - 1));
  console.log(
    `${name.padEnd(28)} p50 ${at(50)}   p99 ${at(99)}   max ${ms(delays.max / 1e6 - 1)}   ` +
      `${(gib / seconds).toFixed(1)} GiB/s, loop busy ${(100 * utilization).toFixed(0)} %`,
  );
}

/** The last four fills are still there. */
function check(tensors) {
  const from = generator();
  const fill = { kind: 'normal', mean: 0, std: 1 };
  for (let i = 0; i < gib * 16 - 4; i++) from.nextKey(fill, 'float32', 16 << 20);
  for (let i = 0; i < 4; i++) {
    const expected = init.normal_(empty([16 << 20]), { generator: from });
    verify(tensors[(gib * 16 - 4 + i) % 4], expected, 'event loop');
  }
}

{
  const delays = monitorEventLoopDelay({ resolution: 1 });
  delays.enable();
  await new Promise((resolve) => setTimeout(resolve, 2000));
  delays.disable();
  const at = (q) => ms(Math.max(0, delays.percentile(q) / 1e6 - 1));
  console.log(
    `${'nothing, for comparison'.padEnd(28)} p50 ${at(50)}   p99 ${at(99)}   max ${ms(delays.max / 1e6 - 1)}`,
  );
}
await observe('shared memory', () => pool.empty([16 << 20]), check);
await observe('plain memory (copied)', () => empty([16 << 20]), check);
await pool.close();
