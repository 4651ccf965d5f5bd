import { describe, expectTypeOf, it } from 'vitest';
import * as layers from '../../../lib/nn/layers/index.js';
import type { Unlabelled } from '../../../lib/nn/layers/signature.js';
import type { Generator } from '../../../lib/random/generator.js';
import type { Tensor } from '../../../lib/tensor/tensor.js';

// What must not compile. The compiler, which runs before all tests, is the test proper: an error that does not come is an error there.
declare const generator: Generator;
declare const bias: boolean;
type Float32 = Tensor<Float32Array>;

/** Compiled, never run. */
function neverRun(): void {
  expectTypeOf(layers.Linear(20, 30)).branded.toEqualTypeOf<{ readonly weight: Float32; readonly bias: Float32 }>();
  expectTypeOf(layers.Linear(20, 30, { dtype: 'bfloat16' }).weight).toEqualTypeOf<Tensor<Uint16Array, 'bfloat16'>>();
  expectTypeOf(layers.BatchNorm1d(2, { dtype: 'float64' })).branded.toEqualTypeOf<{
    readonly weight: Tensor<Float64Array>;
    readonly bias: Tensor<Float64Array>;
    readonly running_mean: Tensor<Float64Array>;
    readonly running_var: Tensor<Float64Array>;
    readonly num_batches_tracked: layers.Counter;
  }>();

  // What an argument leaves out is not there; what it may leave out may not be there.
  expectTypeOf(layers.Linear(20, 30, false)).branded.toEqualTypeOf<{ readonly weight: Float32 }>();
  expectTypeOf(layers.Linear({ in_features: 20, out_features: 30, bias: false })).branded.toEqualTypeOf<{
    readonly weight: Float32;
  }>();
  expectTypeOf(layers.Linear(20, 30, { bias })).branded.toEqualTypeOf<{
    readonly weight: Float32;
    readonly bias?: Float32;
  }>();
  expectTypeOf(layers.LayerNorm(8, { bias: false })).branded.toEqualTypeOf<{ readonly weight: Float32 }>();
  expectTypeOf(layers.InstanceNorm1d(8)).branded.toEqualTypeOf<Record<never, never>>();
  expectTypeOf(layers.InstanceNorm1d(8, { affine: true }).weight).toEqualTypeOf<Float32>();
  expectTypeOf(layers.MultiheadAttention(8, 2).in_proj_weight).toEqualTypeOf<Float32>();
  expectTypeOf(layers.MultiheadAttention(8, 2, { kdim: 4 }).k_proj_weight).toEqualTypeOf<Float32 | undefined>();
  expectTypeOf(layers.MultiheadAttention(8, 2, { add_bias_kv: true }).bias_k).toEqualTypeOf<Float32>();
  expectTypeOf(layers.LSTM(8, 2, { num_layers: 2 }).weight_ih_l1).toEqualTypeOf<Float32 | undefined>(); // any number
  expectTypeOf(layers.LSTMCell(8, 2).bias_hh).toEqualTypeOf<Float32>();
  expectTypeOf(layers.TransformerEncoderLayer(8, 2)['self_attn.out_proj.weight']).toEqualTypeOf<Float32>();
  expectTypeOf(layers.TransformerDecoderLayer(8, 2)['norm3.bias']).toEqualTypeOf<Float32>();
  expectTypeOf(layers.Transformer(8, 2)['decoder.norm.weight']).toEqualTypeOf<Float32>();
  expectTypeOf(layers.Transformer(8, 2)['encoder.layers.3.linear1.weight']).toEqualTypeOf<Float32 | undefined>();
  const norm = { layer: 'LayerNorm', normalized_shape: 8 } as const;
  expectTypeOf(
    layers.TransformerEncoder({ layer: 'TransformerEncoderLayer', d_model: 8, nhead: 2 }, 2, norm)['norm.weight'],
  ).toEqualTypeOf<Float32 | undefined>();
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

  // @ts-expect-error a tensor's name, misspelt
  layers.Linear(20, 30).wieght;
  // @ts-expect-error there is none
  layers.Linear(20, 30, { bias: false }).bias;
  // @ts-expect-error it has one direction
  layers.GRU(8, 2).weight_ih_l0_reverse;
  // @ts-expect-error misspelt, in a pattern
  layers.LSTM(8, 2).wieght_ih_l0;
  // @ts-expect-error an encoder layer has two norms
  layers.TransformerEncoderLayer(8, 2)['norm3.bias'];
  // @ts-expect-error misspelt, far inside
  layers.Transformer(8, 2)['encoder.layers.0.self_attn.out_porj.weight'];
  // @ts-expect-error options come last
  layers.Linear({ in_features: 20 }, 30);
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
