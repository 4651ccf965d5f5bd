import { describe, expectTypeOf, it } from 'vitest';
import * as layers from '../../../lib/nn/layers/index.js';
import type { Unlabelled } from '../../../lib/nn/layers/signature.js';
import type { Generator } from '../../../lib/random/generator.js';
import type { Tensor } from '../../../lib/tensor/tensor.js';

// What must not compile. The compiler, which runs before all tests, is the test proper: an error that does not come is an error there.
declare const generator: Generator;

/** Compiled, never run. */
function neverRun(): void {
  expectTypeOf(layers.Linear(20, 30)).toEqualTypeOf<Record<string, Tensor<Float32Array>>>();
  expectTypeOf(layers.Linear(20, 30, { dtype: 'bfloat16' })).toEqualTypeOf<Record<string, Tensor<Uint16Array>>>();
  expectTypeOf(layers.BatchNorm1d(2, { dtype: 'float64' })).toEqualTypeOf<
    Record<string, Tensor<Float64Array> | layers.Counter>
  >();
  layers.Linear(20, 30, false);
  layers.Linear(20, 30, undefined, { generator, threads: 2 });
  layers.Linear(20, { out_features: 30 });
  layers.Linear({ in_features: 20, out_features: 30, bias: false });
  layers.Conv2d(3, 4, [3, 5], 1, 'same', { groups: 1, dtype: 'float16' });
  layers.ConvTranspose3d(3, 4, 3, [1, 1, 1], 0, 0, 1, true, 1, 'zeros');
  layers.Embedding(10, 3, null, 2, 2, true, false, { generator });
  layers.EmbeddingBag(10, 3, { padding_idx: 2, mode: 'sum' });
  layers.GroupNorm(2, 4, 1e-5, true, { bias: false });
  layers.TransformerEncoder({ layer: 'TransformerEncoderLayer', d_model: 8, nhead: 2 }, 2, null, true, true);
  layers.Transformer({ custom_encoder: { layer: 'Linear', in_features: 1, out_features: 1 }, d_model: 8 });
  layers.layer('Linear', { in_features: 1 });

  // @ts-expect-error missing
  layers.Linear(20);
  // @ts-expect-error missing
  layers.Linear({ in_features: 20 });
  // @ts-expect-error misspelt
  layers.Linear(20, 30, { biass: true });
  // @ts-expect-error twice
  layers.Linear(20, 30, true, { bias: true });
  // @ts-expect-error too many
  layers.Linear(20, 30, true, 1);
  // @ts-expect-error no such word
  layers.Conv2d(3, 4, 3, { padding_mode: 'mirror' });
  // @ts-expect-error a string is no number
  layers.Conv2d(3, '4', 3);
  // @ts-expect-error null is no value of it
  layers.Linear(20, 30, { bias: null });
  // @ts-expect-error by name only
  layers.GroupNorm(2, 4, 1e-5, true, false);
  // @ts-expect-error no such dtype
  layers.Linear(20, 30, { dtype: 'int8' });
  // @ts-expect-error no such layer
  layers.TransformerEncoder({ layer: 'Linaer', in_features: 1, out_features: 1 }, 2);
  // @ts-expect-error a layer's arguments are its own
  layers.TransformerEncoder({ layer: 'LayerNorm', in_features: 1 }, 2);
  // @ts-expect-error no such layer
  layers.layer('Linaer');
}

describe('types of layers', () => {
  it('are checked by the compiler', () => {
    expectTypeOf<Unlabelled>().toBeNever();
    expectTypeOf(neverRun).toBeFunction();
  });
});
