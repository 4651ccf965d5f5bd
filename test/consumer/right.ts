// What a program that uses the package may write, and what the compiler must refuse. test/consumer.test.ts compiles it.
import {
  createPool,
  empty,
  Generator,
  get_rng_state,
  init,
  layers,
  type PoolTensor,
  type Tensor,
  tensor,
  toFloat32Array,
} from 'nninit';
import { loadPlan, openCheckpoint, streamCheckpoint, virtualCheckpoint, writeCheckpoint } from 'nninit/checkpoint';
import { orderCheckpoint, startWorker } from 'nninit/cluster';
import { reportPage, type SignalReport, signalReport, tensorDifferences, tensorReport } from 'nninit/report';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A>(_: A): <B>(..._b: Same<A, B> extends true ? [] : [never]) => void {
  return () => undefined;
}

const generator = new Generator({ seed: 7n });

// A tensor's dtype is known, and so is its array; what fills it gives it back as it was.
const half = empty([2, 3], { dtype: 'bfloat16' });
same(half.dtype)<'bfloat16'>();
same(half)<Tensor<Uint16Array, 'bfloat16'>>();
const w = init.kaiming_uniform_(empty([2, 3]), 0, 'fan_in', { nonlinearity: 'relu', generator });
same(w)<Tensor<Float32Array>>();
same(init.zeros_(half))<typeof half>();
same(tensor(new Uint16Array(4), [4], { dtype: 'float16' }).dtype)<'float16'>();
const foreign = { data: new Float64Array(4), dims: [4], type: 'float64' };
same(init.normal_(foreign, 0, 0.02, generator))<typeof foreign>();
new Blob([get_rng_state(), toFloat32Array(w)]);

// A layer's tensors are known by name.
const linear = layers.Linear(20, 30);
same(linear.weight)<Tensor<Float32Array>>();
same(linear.bias.data)<Float32Array>();
same(layers.Conv2d(3, 8, [3, 3], { bias: false, dtype: 'float16' }).weight.dtype)<'float16'>();
same(layers.BatchNorm2d(8).num_batches_tracked.dtype)<'int64'>();
same(layers.MultiheadAttention(8, 2)['out_proj.weight'])<Tensor<Float32Array>>();
same(layers.MultiheadAttention(8, 2).in_proj_bias)<Tensor<Float32Array>>();
same(layers.LSTM(8, 4, { num_layers: 2 }).weight_ih_l1)<Tensor<Float32Array>>();
same(layers.GRUCell(8, 4).bias_hh)<Tensor<Float32Array>>();
same(layers.TransformerEncoderLayer(8, 2)['self_attn.in_proj_weight'])<Tensor<Float32Array>>();
same(layers.Transformer(8, 2)['decoder.layers.0.norm3.bias'])<Tensor<Float32Array>>();
layers.TransformerEncoder({ layer: 'TransformerEncoderLayer', d_model: 8, nhead: 2 }, 2)['layers.1.linear1.weight'];
const state: layers.StateDict = layers.Transformer(8, 2);
for (const [name, { data, shape }] of Object.entries(state)) console.log(name, data.length, shape);
// What an initialization does, in numbers and as a page.
const signals: SignalReport = await signalReport('linear 8 x 3, tanh', { initializers: ['normal', { init: 'eye' }] });
same(signals.best)<readonly string[]>();
same(signals.series[0]?.theory?.[0]?.weightGradient)<number | undefined>();
const looked = [await tensorReport('a'), await tensorReport(new URL('https://example.org/b'), { threads: 2 })];
const differences = await tensorDifferences('a', 'b', { seeds: [1, 2n] });
same(await reportPage({ signals: [signals], tensors: looked, differences }))<string>();
// @ts-expect-error misspelt
linear.wieght;
// @ts-expect-error there is none
layers.Linear(20, 30, { bias: false }).bias;
// @ts-expect-error misspelt
layers.LSTM(8, 4).wieght_ih_l0;
// @ts-expect-error given twice
init.normal_(w, 0, { mean: 1 });
// @ts-expect-error options come last
init.normal_(w, { mean: 0 }, 1);
// @ts-expect-error required
init.constant_(w);
// @ts-expect-error not what the array holds
tensor(new Float32Array(2), [2], { dtype: 'float64' });

export async function everything(signal: AbortSignal): Promise<void> {
  const pool = createPool({ threads: 2 });
  same(pool.empty([2], { dtype: 'float64' }))<PoolTensor<Float64Array, 'float64'>>();
  same(await pool.init.orthogonal_(w, { gain: 2, signal }))<typeof w>();
  await pool.fill([{ tensor: w, initializer: 'zeros' }], { signal, generator });
  await pool.fill([
    { tensor: w, initializer: 'zeros', onFilled: (filled) => console.log(filled.data) },
    { tensor: w, initializer: 'zeros', onFilled: ({ data, shape }: typeof w) => console.log(data.length, shape) },
  ]);
  const onFilled = (filled: number) => filled;
  // @ts-expect-error no function of a tensor
  await pool.fill([{ tensor: w, initializer: 'zeros', onFilled }]);
  const plan = await loadPlan('resnet18', { dtype: 'bfloat16' });
  await writeCheckpoint(plan, 'out', {
    seed: 1,
    pool,
    existing: 'resume',
    onProgress: ({ bytes }) => console.log(bytes),
  });
  for await (const bytes of streamCheckpoint(plan, { pool })) console.log(bytes.length);
  await virtualCheckpoint(plan).read('model.safetensors', 0, 8, { pool, signal });
  const checkpoint = await openCheckpoint('out');
  const read = await checkpoint.read('fc.weight');
  if (read.dtype === 'int64') read.data satisfies BigInt64Array;
  if (read.dtype === 'bfloat16') init.zeros_({ ...read });
  await checkpoint.close();
  const worker = await startWorker({ redis: 'redis://localhost', root: '/shared' });
  const order = await orderCheckpoint(plan, '/shared/out', { redis: 'redis://localhost', seed: 1n, parts: 8 });
  const written = await order.wait({ signal, onProgress: ({ bytes, workers }) => console.log(bytes, workers) });
  console.log(written.path);
  await worker.close();
  await pool.close();
}
