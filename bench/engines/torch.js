// The engine torch beside PyTorch itself, in one run: the same bytes, and how long they take.
//
//   node bench/engines/torch.js [--python PYTHON] [--elements N]
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { empty, Generator, get_num_threads, init } from '../../dist/lib/index.js';
import { header, quantile } from '../pool/common.js';

const { values } = parseArgs({ options: { python: { type: 'string' }, elements: { type: 'string' } } });
const elements = Number(values.elements ?? 2 ** 26);
const jobs = [
  { fn: 'uniform_', dtype: 'float32', repeats: 5 },
  { fn: 'normal_', dtype: 'float32', repeats: 5 },
  { fn: 'uniform_', dtype: 'bfloat16', repeats: 5 },
  { fn: 'normal_', dtype: 'bfloat16', repeats: 5 },
  { fn: 'uniform_', dtype: 'float64', repeats: 3 },
  { fn: 'normal_', dtype: 'float64', repeats: 3 },
  { fn: 'trunc_normal_', dtype: 'float32', repeats: 3 },
].map((job) => ({ ...job, elements }));

function measure({ fn, dtype, repeats }, threads) {
  const tensor = empty([elements], { dtype });
  const generator = new Generator({ engine: 'torch', seed: 0 });
  const fill = () => init[fn](tensor, { generator, threads });
  fill();
  const sha256 = createHash('sha256').update(new Uint8Array(tensor.data.buffer)).digest('hex');
  const times = [];
  for (let i = 0; i < repeats; i++) {
    const start = performance.now();
    fill();
    times.push((performance.now() - start) / 1000);
  }
  times.sort((a, b) => a - b);
  return { sha256, seconds: quantile(times, 0.5) };
}

function torch(job) {
  if (values.python === undefined) return undefined;
  const script = fileURLToPath(new URL('peer.py', import.meta.url));
  return JSON.parse(execFileSync(values.python, [script, JSON.stringify([job])], { encoding: 'utf8' }));
}

const ns = ({ seconds }) => ((seconds / elements) * 1e9).toFixed(3);
header(`the engine torch, ${elements} elements, median ns an element`);
const counts = [...new Set([1, get_num_threads()])];
for (const job of jobs) {
  const theirs = torch(job);
  const cells = counts.map((threads) => {
    const ours = measure(job, threads);
    if (theirs !== undefined && theirs.sha256 !== ours.sha256)
      throw new Error(`${job.fn} ${job.dtype}: other bytes than PyTorch's`);
    const ratio = theirs === undefined ? '' : ` (${(theirs.seconds / ours.seconds).toFixed(1)} ×)`;
    return `${threads} threads ${ns(ours)}${ratio}`;
  });
  const peer = theirs === undefined ? '' : `PyTorch ${ns(theirs)}, the same bytes   `;
  console.log(`${`${job.fn} ${job.dtype}`.padEnd(24)} ${peer}${cells.join('   ')}`);
}
