import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadPlan, verifyCheckpoint, virtualCheckpoint, writeCheckpoint } from '../../lib/checkpoint.js';
import { decode } from '../../lib/native/codes.js';

interface Case {
  readonly model: string;
  readonly quantize?: string;
  readonly quantization_config?: Readonly<Record<string, unknown>>;
}
type Config = Readonly<Record<string, unknown>>;

const read = (name: string): unknown => JSON.parse(readFileSync(`test/fixtures/quantized/${name}`, 'utf8'));
const { models, cases } = read('cases.json') as {
  readonly models: Readonly<Record<string, Config>>;
  readonly cases: readonly Case[];
};
const recorded = (read('recorded.json') as { readonly cases: readonly (readonly string[])[] }).cases;

function planOf({ model, quantize, quantization_config }: Case, options = {}) {
  return loadPlan({ ...models[model], ...(quantization_config && { quantization_config }) }, { quantize, ...options });
}

const shortNames: Readonly<Record<string, string>> = { float4_e2m1fn: 'uint8' };

type Plan = Awaited<ReturnType<typeof loadPlan>>;

/** Each tensor's bytes, from the one file. */
async function tensorsOf(plan: Plan, options: Parameters<typeof virtualCheckpoint>[1] = { seed: 8 }) {
  const virtual = virtualCheckpoint(plan, options);
  const file = await virtual.read('model.safetensors');
  const view = Buffer.from(file.buffer, file.byteOffset, file.length);
  const begin = 8 + Number(view.readBigUInt64LE(0));
  const header = JSON.parse(view.subarray(8, begin).toString()) as Record<
    string,
    { shape: number[]; data_offsets: [number, number] }
  >;
  const parts = plan.tensors.map(({ name }) => {
    const [from = 0, to = 0] = header[name]?.data_offsets ?? [];
    return [name, view.subarray(begin + from, begin + to)] as const;
  });
  return { virtual, file: view, tensors: new Map(parts) };
}

test.each(
  cases.map(
    (given, i) => [`${given.model} ${given.quantize ?? JSON.stringify(given.quantization_config)}`, given, i] as const,
  ),
)('%s: names, shapes, dtypes and bytes are those of the reference', async (_, given, i) => {
  const plan = await planOf(given);
  const { tensors } = await tensorsOf(plan);
  const lines = plan.tensors.map(({ name, dtype, shape }) => {
    const hash = createHash('sha256')
      .update(tensors.get(name) ?? '')
      .digest('hex');
    return `${name} ${shortNames[dtype] ?? dtype} [${shape.join(', ')}] ${hash.slice(0, 16)}`;
  });
  expect(lines.sort()).toEqual(recorded[i]);
});

const somePlaces = [0, 1, 2, 3, 5, 127, 128, 129, 1000, 4099];

const gptq8 = { quant_method: 'gptq', bits: 8, group_size: 32 };

test.each<Omit<Case, 'model'>>([
  { quantize: 'fp8' },
  { quantize: 'pack-quantized' },
  { quantize: 'gptq' },
  { quantize: 'awq' },
  { quantization_config: gptq8 },
])('any range of %j is the same bytes', async (settings) => {
  const { virtual, file } = await tensorsOf(await planOf({ model: 'llama', ...settings }));
  const step = Math.floor(file.length / 17);
  for (let i = 0; i < 40; i++) {
    const begin = Math.min(file.length - 1, (i % 17) * step + (somePlaces[i % somePlaces.length] ?? 0));
    const end = Math.min(file.length, begin + 1 + (i % 4) * 9001 + i);
    const range = await virtual.read('model.safetensors', begin, end);
    expect(Buffer.compare(range, file.subarray(begin, end)), `${begin} to ${end}`).toBe(0);
  }
});

test('mxfp4: any range is the same bytes, across experts too', async () => {
  const { virtual, file } = await tensorsOf(await planOf({ model: 'gpt_oss', quantize: 'mxfp4' }));
  for (let begin = 0; begin < file.length - 5000; begin += 1777) {
    const range = await virtual.read('model.safetensors', begin, begin + 4001);
    expect(Buffer.compare(range, file.subarray(begin, begin + 4001)), `${begin}`).toBe(0);
  }
});

/** A rank's codes, or another engine's, are the rounding of the weight that the same options give without quantization. */
async function compareFp8(plan: Plan, whole: Plan, options: Parameters<typeof virtualCheckpoint>[1]) {
  const [codes, weights] = [await tensorsOf(plan, options), await tensorsOf(whole, options)];
  const quantized = plan.tensors.filter(({ codes: each }) => each !== undefined);
  for (const { name, codes: { scale = 1 } = {} } of quantized) {
    const bytes = codes.tensors.get(name) ?? Buffer.alloc(0);
    const expected = new Float32Array(Uint8Array.from(weights.tensors.get(name) ?? []).buffer);
    const out = new Float32Array(bytes.length);
    decode(Uint8Array.from(bytes), 'float8_e4m3fn', out);
    expect(out.length).toBe(expected.length);
    const far = out.findIndex(
      (value, i) =>
        Math.abs(value * scale - (expected[i] ?? 0)) > Math.max(Math.abs(expected[i] ?? 0) / 16, scale / 1000),
    );
    expect(far, name).toBe(-1);
  }
  return quantized.length;
}

test('a tensor-parallel rank has the codes of its part', async () => {
  const tp = { ranks: 2, rank: 1 };
  const config = { ...models.llama, hidden_size: 512, num_key_value_heads: 4, intermediate_size: 512 };
  const plan = await loadPlan(config, { quantize: 'fp8', tp, rules: { '*': { dtype: 'float32' } } });
  const whole = await loadPlan(config, { dtype: 'float32', tp });
  expect(await compareFp8(plan, whole, { seed: 3 })).toBe(7);
  await expect(loadPlan({ ...config, intermediate_size: 384 }, { quantize: 'fp8', tp })).rejects.toThrow(
    'a multiple of 128 outputs a rank, but there is 192',
  );
});

test('the engine torch is quantized as it draws', async () => {
  const plan = await planOf({ model: 'llama', quantize: 'fp8' }, { dtype: 'float32' });
  const whole = await loadPlan({ ...models.llama }, { dtype: 'float32' });
  expect(await compareFp8(plan, whole, { seed: 3, engine: 'torch' })).toBe(7);
});

test('orthogonal weights are quantized too', async () => {
  const rules = { '*_proj.weight': { init: 'orthogonal' } };
  const plan = await planOf({ model: 'llama', quantize: 'fp8' }, { rules, dtype: 'float32' });
  const whole = await loadPlan({ ...models.llama }, { dtype: 'float32', rules });
  expect(await compareFp8(plan, whole, { seed: 3 })).toBe(7);
  const transposed = await tensorsOf(await planOf({ model: 'llama', quantize: 'awq' }, { rules }));
  const { virtual, file } = transposed;
  expect(Buffer.compare(await virtual.read('model.safetensors', 30_001, 50_003), file.subarray(30_001, 50_003))).toBe(
    0,
  );
});

test('a plan is the same out of JSON', async () => {
  const plan = await planOf({ model: 'llama', quantize: 'gptq' });
  const again = JSON.parse(JSON.stringify(plan)) as Plan;
  expect(virtualCheckpoint(again, { seed: 8 }).digest).toBe(virtualCheckpoint(plan, { seed: 8 }).digest);
});

const folder = mkdtempSync(join(tmpdir(), 'nninit-quantized-'));
afterAll(() => rmSync(folder, { recursive: true }));

test.each<Omit<Case, 'model'>>([
  { quantize: 'fp8' },
  { quantize: 'awq' },
  { quantize: 'pack-quantized' },
  { quantize: 'nvfp4-pack-quantized' },
  { quantization_config: gptq8 },
])('%j: a checkpoint verifies, and its codes are distributed as planned', async (settings) => {
  const dir = mkdtempSync(join(folder, 'checkpoint-'));
  const given = { model: 'llama', ...settings };
  const plan = await planOf(given);
  await writeCheckpoint(plan, dir, { seed: 8 });
  expect(await verifyCheckpoint(dir)).toMatchObject({ ok: true, differences: [] });
  expect(await verifyCheckpoint(dir, { statistics: true })).toMatchObject({ ok: true });
  // Codes of another deviation; and one tensor's codes drawn at random, as elsewhere.
  const wider = await planOf(given, { rules: { '*.down_proj.weight': { init: 'normal', std: 0.021 } } });
  expect(await verifyCheckpoint(dir, { plan: wider, statistics: true })).toMatchObject({ ok: false });
  const file = join(dir, 'model.safetensors');
  const bytes = readFileSync(file);
  const begin = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, begin).toString()) as Record<string, { data_offsets: [number, number] }>;
  const coded = plan.tensors.find(({ codes }) => codes !== undefined)?.name ?? '';
  const [from = 0, to = 0] = header[coded]?.data_offsets ?? [];
  for (let i = begin + from; i < begin + to; i++) bytes[i] = Math.imul(i, 0x9e3779b1) >>> 24;
  writeFileSync(file, bytes);
  const report = await verifyCheckpoint(dir, { statistics: true });
  expect(report.ok).toBe(false);
  expect(JSON.stringify(report)).toContain(coded);
});

test('rules and recipes name narrow dtypes for whole tensors', async () => {
  const plan = await loadPlan(
    {
      tensors: {
        'a.weight': { shape: [64, 64], init: 'zeros' },
        b: { shape: [64], dtype: 'float4_e2m1fn', init: 'ones' },
      },
    },
    { rules: { '*.weight': { dtype: 'float8_e5m2', init: 'normal', std: 3 } } },
  );
  const { tensors, virtual, file } = await tensorsOf(plan);
  const out = new Float32Array(4096);
  decode(Uint8Array.from(tensors.get('a.weight') ?? []), 'float8_e5m2', out);
  const std = Math.sqrt(out.reduce((sum, x) => sum + x * x, 0) / 4096);
  expect(Math.abs(std / 3 - 1)).toBeLessThan(0.05);
  expect(tensors.get('b')).toEqual(Buffer.alloc(32, 0x22));
  const range = await virtual.read('model.safetensors', file.length - 3000, file.length - 1);
  expect(Buffer.compare(range, file.subarray(file.length - 3000, file.length - 1))).toBe(0);
  await expect(loadPlan({ tensors: { w: { shape: [3], dtype: 'float4_e2m1fn', init: 'ones' } } })).rejects.toThrow(
    'expected whole bytes',
  );
});
