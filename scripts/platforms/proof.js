// Runs wherever nninit is installed, and prints checksums of what it makes there: every fill × dtype on this thread and on a pool, both
// engines, and a checkpoint that is written and verified.
import { createHash } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { createPool, empty, fillSlice, Generator, init, initializers } from 'nninit';
import { loadPlan, verifyCheckpoint, writeCheckpoint } from 'nninit/checkpoint';

const dtypes = ['float32', 'float64', 'float16', 'bfloat16'];
const fills = {
  uniform: ['uniform', 0.25, 0.75],
  normal: ['normal', 0, 0.02],
  trunc_normal: ['trunc_normal', 0, 1, -2, 2],
  'trunc_normal far': ['trunc_normal', 0, 1, 3, 5],
  constant: ['constant', 0.1],
  ones: ['ones'],
  zeros: ['zeros'],
  eye: ['eye'],
  xavier_uniform: ['xavier_uniform'],
  xavier_normal: ['xavier_normal'],
  kaiming_uniform: ['kaiming_uniform'],
  kaiming_normal: ['kaiming_normal'],
  lecun_normal: ['lecun_normal'],
  variance_scaling: ['variance_scaling'],
  orthogonal: ['orthogonal'],
  sparse: ['sparse', 0.1],
};

function checksum(data) {
  return createHash('sha256').update(data).digest('hex').slice(0, 16);
}
const bytesOf = ({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

const checksums = {};
const pool = createPool({ threads: 2 });
for (const engine of ['philox', 'torch']) {
  for (const [name, [fill, ...args]] of Object.entries(fills)) {
    for (const dtype of dtypes) {
      const key = `${engine} ${name} ${dtype}`;
      const options = () => (initializers[fill].random ? { generator: new Generator({ engine, seed: 7 }) } : {});
      const small = init[`${fill}_`](empty([257, 130], { dtype }), ...args, options());
      checksums[key] = checksum(bytesOf(small));
      const large = await pool.init[`${fill}_`](pool.empty([257, 130], { dtype }), ...args, options());
      checksums[`${key} pool`] = checksum(bytesOf(large));
    }
  }
}
checksums['short normals'] = checksum(
  bytesOf(init.normal_(empty([15]), 0, 1, { generator: new Generator({ engine: 'torch', seed: 7 }) })),
);
const ranges = [
  { dim: 0, start: 10, length: 10 },
  { dim: 1, start: 30, length: 60 },
];
const slice = fillSlice(empty([10, 60]), 'kaiming_uniform', {
  of: [300, 200],
  ranges,
  generator: new Generator({ seed: 7 }),
});
checksums.slice = checksum(bytesOf(slice));
await pool.close();

const plan = await loadPlan('resnet18', { rules: { 'layer[34].*': 'zeros' }, dtype: 'bfloat16' });
for (const engine of ['philox', 'torch']) {
  const { path } = await writeCheckpoint(plan, 'proof-out', { seed: 7, engine, existing: 'replace' });
  checksums[`checkpoint ${engine}`] = checksum(readFileSync(path));
  const { ok } = await verifyCheckpoint('proof-out');
  if (!ok) throw new Error(`a checkpoint of the engine ${engine} is not what was written`);
}
rmSync('proof-out', { recursive: true });
const { platform, arch, version } = process;
console.log(JSON.stringify({ platform, arch, version, checksums }));
