// Writes a model beside plain parallel writes of as many zeros, in turn on the same disk, and checks what was written:
//
//   npm run build && node bench/checkpoint/write.js FOLDER [--gb 4] [--dtype bfloat16] [--rounds 3] [--threads N]
//
// FOLDER should be on the disk (or tmpfs) in question, with room for the model once. Prints each round, the medians, their ratio,
// the largest resident set of nninit's process, and the rate of fills in memory that is written to again and again, and in memory that
// is fresh from the system, as a file's pages are.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { fillRange } from '../../build/modules/lib/native/addon.js';

const main = fileURLToPath(new URL('../../dist/lib/cli/main.js', import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    gb: { type: 'string', default: '4' },
    dtype: { type: 'string', default: 'bfloat16' },
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string', default: String(availableParallelism()) },
  },
});
const [folder = '.'] = positionals;
const { dtype } = values;
const rounds = Number(values.rounds);
const threads = Number(values.threads);
// Node's own writes are done by four threads, unless it is told otherwise as it begins: the plain writes are to have as many as nninit.
const { UV_THREADPOOL_SIZE: writers = '4', ...environment } = process.env;
if (Number(writers) < threads) {
  process.env.UV_THREADPOOL_SIZE = String(threads);
  const { status } = spawnSync(process.execPath, process.argv.slice(1), { stdio: 'inherit' });
  process.exit(status ?? 1);
}
const element = { float64: 8, float32: 4, float16: 2, bfloat16: 2 }[dtype] ?? 4;
const shardBytes = 5e9;

/** A decoder of Llama 3's shape, as many layers as make up the bytes. */
function recipe(bytes) {
  const tensors = {};
  const add = (name, ...shape) => {
    const wanted = shape.length === 1 ? { init: 'ones' } : { init: 'normal', std: 0.02 };
    tensors[name] = { shape, dtype, ...wanted };
    return shape.reduce((a, b) => a * b, 1) * element;
  };
  let total = 0;
  for (let layer = 0; total < bytes; layer++) {
    const at = `model.layers.${layer}`;
    for (const name of ['q', 'o']) total += add(`${at}.self_attn.${name}_proj.weight`, 4096, 4096);
    for (const name of ['k', 'v']) total += add(`${at}.self_attn.${name}_proj.weight`, 1024, 4096);
    for (const name of ['gate', 'up']) total += add(`${at}.mlp.${name}_proj.weight`, 14336, 4096);
    total += add(`${at}.mlp.down_proj.weight`, 4096, 14336);
    total += add(`${at}.input_layernorm.weight`, 4096);
  }
  return { text: JSON.stringify({ tensors }), bytes: total };
}

const secondsOf = async (work) => {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
};

/** As many zeros, a megabyte a write, `threads` writes under way at a time, files of a shard's size, each synced. */
async function zeros(into, bytes) {
  mkdirSync(into);
  const piece = new Uint8Array(2 ** 20);
  const syncs = [];
  for (let begin = 0, file = 0; begin < bytes; begin += shardBytes, file++) {
    const length = Math.min(shardBytes, bytes - begin);
    const handle = await open(join(into, `zeros-${file}`), 'w');
    let next = 0;
    const writer = async () => {
      for (;;) {
        const at = next;
        next += piece.length;
        if (at >= length) return;
        await handle.write(piece, 0, Math.min(piece.length, length - at), at);
      }
    };
    await Promise.all(Array.from({ length: threads }, writer));
    // As nninit does: the next file is written while this one is synced.
    syncs.push(handle.sync().then(() => handle.close()));
  }
  await Promise.all(syncs);
}

function nninit(input, into) {
  const args = [main, 'generate', input, '-o', into, '--quiet', '--threads', String(threads)];
  const timed = spawnSync('/usr/bin/time', ['-f', '%M', process.execPath, ...args], {
    env: environment,
    encoding: 'utf8',
  });
  if (timed.error === undefined && timed.status === 0) return Number(timed.stderr.trim().split('\n').at(-1)) * 1024;
  execFileSync(process.execPath, args, { env: environment, stdio: 'inherit' });
  return Number.NaN;
}

async function digest(into) {
  const hash = createHash('sha256');
  for (const name of readdirSync(into).sort()) {
    hash.update(name);
    for await (const piece of createReadStream(join(into, name), { highWaterMark: 2 ** 22 })) hash.update(piece);
  }
  return hash.digest('hex');
}

/** GB/s of fills without files. */
function inMemory(fresh) {
  const bytes = 2 ** 28;
  const view = () =>
    element === 8
      ? new Float64Array(bytes / 8)
      : element === 4
        ? new Float32Array(bytes / 4)
        : new Uint16Array(bytes / 2);
  let memory = view();
  const rates = [];
  for (let i = 0; i < 8; i++) {
    if (fresh) memory = view();
    const start = performance.now();
    fillRange(memory, dtype, { kind: 'normal', mean: 0, std: 0.02 }, { seed: 1n, stream: 1n }, 0, threads);
    rates.push(bytes / (performance.now() - start) / 1e6);
  }
  return median(rates.slice(1));
}

function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

const row = (...cells) => process.stdout.write(`${cells.map((cell) => String(cell).padEnd(14)).join('')}\n`);

const root = mkdtempSync(join(resolve(folder), 'nninit-bench-'));
try {
  const { text, bytes } = recipe(Number(values.gb) * 1e9);
  const input = join(root, 'recipe.json');
  writeFileSync(input, text);
  row(`${(bytes / 1e9).toFixed(2)} GB of ${dtype}, ${threads} threads, Node ${process.version}, in ${resolve(folder)}`);
  row('round', 'zeros GB/s', 'nninit GB/s', 'ratio', 'resident MB');
  const seen = { zeros: [], nninit: [], resident: [] };
  const digests = new Set();
  for (let round = 0; round < rounds; round++) {
    const out = join(root, 'out');
    const rate = async (work) => {
      const seconds = await secondsOf(work);
      return bytes / seconds / 1e9;
    };
    let [plain, ours, resident] = [0, 0, 0];
    const writeZeros = async () => {
      plain = await rate(() => zeros(out, bytes));
      rmSync(out, { recursive: true });
    };
    const writeModel = async () => {
      ours = await rate(() => {
        resident = nninit(input, out);
      });
      digests.add(await digest(out));
      const written = readdirSync(out).reduce((sum, name) => sum + statSync(join(out, name)).size, 0);
      if (written < bytes) throw new Error(`${written} bytes were written, of ${bytes}`);
      rmSync(out, { recursive: true });
    };
    // Disks remember what was written to them before: each goes first in every other round.
    for (const write of round % 2 === 0 ? [writeZeros, writeModel] : [writeModel, writeZeros]) await write();
    seen.zeros.push(plain);
    seen.nninit.push(ours);
    seen.resident.push(resident / 1e6);
    row(round + 1, plain.toFixed(2), ours.toFixed(2), (ours / plain).toFixed(2), (resident / 1e6).toFixed(0));
  }
  const ratio = (median(seen.nninit) / median(seen.zeros)).toFixed(2);
  row(
    'median',
    median(seen.zeros).toFixed(2),
    median(seen.nninit).toFixed(2),
    ratio,
    Math.max(...seen.resident).toFixed(0),
  );
  row('in memory', `${inMemory(false).toFixed(2)} GB/s warm, ${inMemory(true).toFixed(2)} GB/s fresh`);
  if (digests.size !== 1) throw new Error('the rounds wrote different bytes');
  row('sha256', [...digests][0]);
} finally {
  rmSync(root, { recursive: true, force: true });
}
