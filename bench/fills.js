// Nanoseconds an element of the main fills, on one thread and on all, beside memset in the same run.
//
//   npm run bench                                2^26 elements
//   node bench/fills.js --log2 24 --rounds 15
//   node bench/fills.js --python ~/venv/bin/python     and PyTorch's, from a Python that has it
//
// Needs a build (scripts/setup). Every round runs every trial once, so that a noisy moment hits all alike; what is
// printed are medians, and the spread (third quartile over first) as the noise that was seen.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { empty, Generator, get_num_threads, init, simd_target } from '../dist/index.js';

const { values: options } = parseArgs({
  options: {
    log2: { type: 'string', default: '26' },
    rounds: { type: 'string', default: '9' },
    python: { type: 'string' },
  },
});
const count = 2 ** Number(options.log2);
const rounds = Number(options.rounds);
const generator = new Generator();

/** Each trial: a name, how to run it on `threads`, and the elements it writes. */
const fills = [
  ['uniform_', 'float32', (w, o) => init.uniform_(w, o)],
  ['normal_', 'float32', (w, o) => init.normal_(w, o)],
  ['trunc_normal_', 'float32', (w, o) => init.trunc_normal_(w, o)],
  ['constant_', 'float32', (w, { threads }) => init.constant_(w, 0.5, { threads })],
  ['uniform_', 'bfloat16', (w, o) => init.uniform_(w, o)],
  ['normal_', 'bfloat16', (w, o) => init.normal_(w, o)],
  ['uniform_', 'float64', (w, o) => init.uniform_(w, o)],
  ['normal_', 'float64', (w, o) => init.normal_(w, o)],
];
const all = get_num_threads();
const thread_counts = all === 1 ? [1] : [1, all];

const tensors = Object.fromEntries(
  [...new Set(fills.map(([, dtype]) => dtype))].map((dtype) => [dtype, init.zeros_(empty([count], { dtype }))]),
);
const square = empty([2048, 2048]);
const trials = [];
for (const [name, dtype, run] of fills) {
  for (const threads of thread_counts) {
    trials.push({
      label: `${name} ${dtype}`,
      threads,
      elements: count,
      run: () => run(tensors[dtype], { threads, generator }),
    });
  }
}
for (const threads of thread_counts) {
  trials.push({
    label: 'orthogonal_ 2048² float32',
    threads,
    elements: square.data.length,
    run: () => init.orthogonal_(square, { threads, generator }),
  });
}
const bytes = Buffer.from(tensors.float32.data.buffer);
// Buffer.fill with one byte is the C library's memset.
trials.push({ label: 'memset of 4 bytes', threads: 1, elements: count, run: () => bytes.fill(1) });

/** The bytes must not depend on the threads. */
function check() {
  for (const [name, dtype, run] of fills) {
    const hashes = thread_counts.map((threads) => {
      const { data } = run(empty([100_003], { dtype }), { threads, generator: new Generator({ seed: 1 }) });
      return createHash('sha256').update(new Uint8Array(data.buffer)).digest('hex');
    });
    if (new Set(hashes).size !== 1) throw new Error(`${name} ${dtype}: the bytes depend on the threads`);
  }
}

function quartiles(times) {
  const sorted = times.toSorted((x, y) => x - y);
  return [0.25, 0.5, 0.75].map((q) => sorted[Math.round(q * (sorted.length - 1))]);
}

function torch() {
  const script = `
import json, time, torch
torch.set_num_threads(1)
n, rounds = ${count}, ${rounds}
out = {}
def run(label, t, f):
    times = []
    for _ in range(rounds):
        s = time.perf_counter(); f(t); times.append((time.perf_counter() - s) / t.numel() * 1e9)
    out[label] = sorted(times)[rounds // 2]
with torch.no_grad():
    for name in ['float32', 'bfloat16', 'float64']:
        t = torch.zeros(n, dtype=getattr(torch, name))
        run('uniform_ ' + name, t, torch.nn.init.uniform_)
        run('normal_ ' + name, t, torch.nn.init.normal_)
    t = torch.zeros(n // 16)
    run('trunc_normal_ float32', t, torch.nn.init.trunc_normal_)
    torch.set_num_threads(${all})
    run('orthogonal_ 2048² float32', torch.zeros(2048, 2048), torch.nn.init.orthogonal_)
print(json.dumps({'version': torch.__version__, 'ns': out}))`;
  const { status, stdout, stderr } = spawnSync(options.python, ['-c', script], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`PyTorch did not run: ${stderr}`);
  return JSON.parse(stdout);
}

check();
console.log(`${cpus()[0]?.model}, ${cpus().length} cores, ${simd_target()}, Node ${process.version}`);
console.log(`${count} elements a fill, ${rounds} rounds, warm memory; nanoseconds an element (median)`);
const times = trials.map(() => []);
for (let round = -1; round < rounds; round++) {
  for (const [i, trial] of trials.entries()) {
    const start = process.hrtime.bigint();
    trial.run();
    const ns = Number(process.hrtime.bigint() - start) / trial.elements;
    if (round >= 0) times[i].push(ns);
  }
}
const peer = options.python ? torch() : undefined;
if (peer) console.log(`PyTorch ${peer.version}: one thread, but for orthogonal_ all`);
const memset = quartiles(times.at(-1))[1];
for (const [i, { label, threads }] of trials.entries()) {
  const [first, median, third] = quartiles(times[i]);
  const spread = third / first - 1;
  const torch_ns = peer?.ns[label];
  const parts = [
    label.padEnd(26),
    `${threads} thr`.padEnd(8),
    median.toFixed(3).padStart(8),
    `${(median / memset).toFixed(1)} × memset`.padStart(14),
    peer ? (torch_ns ? `PyTorch ${torch_ns.toFixed(2)}, ${(torch_ns / median).toFixed(1)} ×` : '').padStart(24) : '',
    spread > 0.1 ? `noisy: ± ${(50 * spread).toFixed(0)} %` : '',
  ];
  console.log(parts.join(' ').trimEnd());
}
