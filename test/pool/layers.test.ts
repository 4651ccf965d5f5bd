import { afterAll, describe, expect, test } from 'vitest';
import { createPool, default_generator, Generator, layers, manual_seed, type Tensor } from '../../lib/index.js';
import { isLayerKind, type LayerKind, layerKinds } from '../../lib/nn/layers/index.js';
import { cases, functionOf, title } from '../nn/layers/support.js';
import { bytes, sleep } from './cases.js';

const pool = createPool({ threads: 2 });
afterAll(() => pool.close());

type Make = (...args: readonly unknown[]) => Promise<ReturnType<ReturnType<typeof functionOf>>>;
const onPool = (kind: LayerKind): Make => pool.layers[kind] as unknown as Make;

test('there is each layer, by its name', () => {
  expect(Object.keys(pool.layers)).toEqual(layerKinds);
  expect(Object.keys(layers).filter(isLayerKind).sort()).toEqual([...layerKinds].sort());
  expect(pool.layers.Linear.name).toBe('Linear');
});

describe.each(['philox', 'torch'] as const)('engine %s', (engine) => {
  test.each(cases.map((each) => [title(each), each] as const))(
    'the bytes of the layer made here: %s',
    async (_, each) => {
      const { kind, args, dtype, seed } = each;
      const [here, there] = [new Generator({ engine, seed }), new Generator({ engine, seed })];
      const expected = functionOf(kind)({ ...args, dtype, generator: here });
      const state = await onPool(kind)({ ...args, dtype, generator: there, threads: 1 + (seed % 2) });
      expect(Object.keys(state)).toEqual(Object.keys(expected));
      for (const [name, tensor] of Object.entries(expected)) {
        expect(state[name]?.data, name).toEqual(tensor.data);
        expect(state[name]).toMatchObject({ shape: tensor.shape, dtype: tensor.dtype });
      }
      expect(there.get_state()).toEqual(here.get_state());
    },
  );
});

test('large ones, with copies and a row of zeros', async () => {
  const encoder = { layer: 'TransformerEncoderLayer', d_model: 512, nhead: 8 } as const;
  const make = (seed: number) => new Generator({ seed });
  const running = [
    pool.layers.TransformerEncoder(encoder, 3, { generator: make(1) }),
    pool.layers.Embedding(3000, 512, 7, { generator: make(2), dtype: 'bfloat16' }),
  ] as const;
  const expected = [
    layers.TransformerEncoder(encoder, 3, { generator: make(1) }),
    layers.Embedding(3000, 512, 7, { generator: make(2), dtype: 'bfloat16' }),
  ] as const;
  for (const [i, state] of (await Promise.all(running)).entries()) {
    expect(Object.keys(state)).toEqual(Object.keys(expected[i] ?? {}));
    for (const [name, tensor] of Object.entries(state)) {
      expect(bytes(tensor).equals(bytes((expected[i] as Readonly<Record<string, Tensor>>)[name] as Tensor)), name).toBe(
        true,
      );
    }
    expect(Object.values(state).every(({ data }) => data.buffer instanceof SharedArrayBuffer)).toBe(true);
  }
});

test('streams are taken when it is called', async () => {
  manual_seed(3);
  const calls = [pool.layers.Linear(400, 300), pool.layers.GRU(40, 50)] as const;
  const after = default_generator.get_state();
  manual_seed(3);
  const expected = [layers.Linear(400, 300), layers.GRU(40, 50)] as const;
  expect(default_generator.get_state()).toEqual(after);
  expect((await calls[0]).weight?.data).toEqual(expected[0].weight?.data);
  expect((await calls[1]).weight_hh_l0?.data).toEqual(expected[1].weight_hh_l0?.data);
});

test('progress, and an abort', async () => {
  let last: unknown;
  await pool.layers.Linear(1000, 500, { onProgress: (progress) => (last = progress) });
  expect(last).toMatchObject({ elements: 500_500, totalElements: 500_500 });
  const controller = new AbortController();
  const running = pool.layers.TransformerEncoderLayer(2048, 16, { signal: controller.signal });
  const outcome = running.catch((error) => error);
  await sleep(3);
  controller.abort(new Error('enough'));
  expect(await outcome).toMatchObject({ message: 'enough' });
});

test('refusals are rejections before anything is drawn', async () => {
  const generator = new Generator({ seed: 1 });
  const before = generator.get_state();
  const linear = onPool('Linear');
  await expect(linear(20, { generator })).rejects.toThrow('Linear: expected');
  await expect(linear(20, 30, { generator, sginal: 1 })).rejects.toThrow("did you mean 'signal'?");
  await expect(linear(20, 30, { generator, signal: 1 })).rejects.toThrow('Linear: expected an AbortSignal');
  await expect(linear(20, 30, { generator, signal: AbortSignal.abort('no') })).rejects.toBe('no');
  expect(generator.get_state()).toEqual(before);
  const closed = createPool({ threads: 1 });
  await closed.close();
  await expect(closed.layers.Linear(2, 3)).rejects.toMatchObject({ code: 'ERR_NNINIT_POOL_CLOSED' });
});

test('types: those of layers, with signal and onProgress', async () => {
  const { weight } = await pool.layers.Linear(2, 3, { dtype: 'bfloat16' });
  const bits: Uint16Array | undefined = weight?.data;
  expect(bits).toBeInstanceOf(Uint16Array);
  // @ts-expect-error: no such option
  await expect(pool.layers.Linear(2, 3, { sginal: undefined })).rejects.toThrow();
  // @ts-expect-error: in_features is a number
  await expect(pool.layers.Linear('2', 3)).rejects.toThrow();
});
