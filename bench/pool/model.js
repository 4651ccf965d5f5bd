// node bench/pool/model.js [rounds] [model …]: all weights of a model in memory, against one fill of as many elements.

import { createHash } from 'node:crypto';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { loadPlan } from '../../dist/lib/checkpoint.js';
import { createPool, init } from '../../dist/lib/index.js';
import { generator, header, ms, quantile, shared } from './common.js';

const rounds = Number(process.argv[2] ?? 30);
const models = process.argv.slice(3);
if (models.length === 0) models.push('examples/gpt2/config.json', 'resnet50');
header('A whole model (× is the speed relative to one fill, the median of ratios within a round, and their quartiles)');
const pool = createPool();

function hash(tensors) {
  const all = createHash('sha256');
  for (const { data } of tensors) all.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return all.digest('hex');
}

for (const model of models) {
  const plan = await loadPlan(model);
  const planned = plan.tensors.filter(({ dtype }) => dtype === 'float32');
  const items = planned.map(({ shape, initializer, name }) => ({ tensor: pool.empty(shape), initializer, name }));
  const tensors = items.map(({ tensor }) => tensor);
  const elements = tensors.reduce((sum, { data }) => sum + data.length, 0);
  const whole = shared(elements);
  const calls = items.map(({ tensor, initializer }) => {
    const { init: name, ...options } = typeof initializer === 'string' ? { init: initializer } : initializer;
    return { fn: `${name}_`, tensor, options };
  });
  const drawn = (options, fn, from) => (/zeros|ones|constant/.test(fn) ? options : { ...options, generator: from });
  const things = {
    'one fill': () => init.normal_(whole, { std: 0.02, generator: generator() }),
    init: () => {
      const from = generator();
      for (const { fn, tensor, options } of calls) init[fn](tensor, drawn(options, fn, from));
    },
    'pool.fill': () => pool.fill(items, { generator: generator() }),
    promises: () => {
      const from = generator();
      return Promise.all(calls.map(({ fn, tensor, options }) => pool.init[fn](tensor, drawn(options, fn, from))));
    },
  };
  const names = Object.keys(things);
  const times = Object.fromEntries(names.map((name) => [name, []]));
  const hashes = new Set();
  for (let round = -1; round < rounds; round++) {
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + Math.max(round, 0)) % names.length];
      const start = performance.now();
      await things[name]();
      if (round >= 0) times[name].push(performance.now() - start);
      else if (name !== 'one fill') hashes.add(hash(tensors));
    }
  }
  if (hashes.size !== 1) throw new Error(`${model}: not the same bytes`);
  console.log(`${model}: ${tensors.length} tensors, ${(elements / 1e6).toFixed(1)} M elements`);
  for (const name of names) {
    const ratios = times[name].map((time, i) => times['one fill'][i] / time).sort((a, b) => a - b);
    const sorted = [...times[name]].sort((a, b) => a - b);
    const [q1, q2, q3] = [0.25, 0.5, 0.75].map((q) => quantile(ratios, q).toFixed(2));
    console.log(
      `  ${name.padEnd(10)} median ${ms(quantile(sorted, 0.5)).padStart(9)}  min ${ms(sorted[0]).padStart(9)}  × ${q2} (${q1} to ${q3})`,
    );
  }
  const delays = monitorEventLoopDelay({ resolution: 1 });
  delays.enable();
  await setTimeout(5);
  delays.reset();
  for (let i = 0; i < 10; i++) await things['pool.fill']();
  delays.disable();
  const at = (q) => ms(Math.max(0, delays.percentile(q) / 1e6 - 1));
  console.log(
    `  event loop during pool.fill: p50 ${at(50)}  p99 ${at(99)}  max ${ms(Math.max(0, delays.max / 1e6 - 1))}\n`,
  );
  for (const tensor of tensors) pool.release(tensor);
}
await pool.close();
