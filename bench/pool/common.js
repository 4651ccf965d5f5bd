import { cpus } from 'node:os';
import { performance } from 'node:perf_hooks';
import { empty, Generator, get_num_threads, simdTarget } from '../../dist/lib/index.js';

export function header(title) {
  const cores = cpus();
  const machine = `${cores[0]?.model ?? 'unknown'}, ${cores.length} cores, Node ${process.version}`;
  console.log(`# ${title}\n${machine}, ${simdTarget()}, ${get_num_threads()} threads\n`);
}

/** Runs each of several things in turn, again and again, so that all see the same machine; the times in milliseconds. */
export async function compare(things, repeats) {
  const times = Object.fromEntries(Object.keys(things).map((name) => [name, []]));
  for (let i = 0; i <= repeats; i++) {
    for (const [name, run] of Object.entries(things)) {
      const start = performance.now();
      await run();
      if (i > 0) times[name].push(performance.now() - start); // the first time is for warming up
    }
  }
  for (const each of Object.values(times)) each.sort((a, b) => a - b);
  return times;
}

export function quantile(sorted, q) {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
}

export function ms(x) {
  return `${x.toFixed(x < 1 ? 3 : 2)} ms`;
}

/** A line for each thing, with the ratio of speeds to the first one's. */
export function table(times) {
  const [first] = Object.keys(times);
  for (const [name, each] of Object.entries(times)) {
    const ratio = (q) => (quantile(times[first], q) / quantile(each, q)).toFixed(2);
    console.log(
      `${name.padEnd(34)} min ${ms(quantile(each, 0)).padStart(10)} (×${ratio(0)})   median ${ms(quantile(each, 0.5)).padStart(10)} (×${ratio(0.5)})`,
    );
  }
  console.log();
}

/** Throws unless two tensors have the same bytes. */
export function verify(a, b, what) {
  const bytes = ({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  if (!bytes(a).equals(bytes(b))) throw new Error(`${what}: not the same bytes`);
}

export const generator = () => new Generator({ seed: 42 });
export const shared = (elements) => empty([elements], { shared: true });
