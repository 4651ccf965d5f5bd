import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import type { Dtype } from '../../../lib/core/dtype.js';
import * as init from '../../../lib/init/init.js';
import * as layers from '../../../lib/nn/layers/index.js';
import { default_generator, Generator, manual_seed } from '../../../lib/random/generator.js';
import { empty, type Tensor } from '../../../lib/tensor/tensor.js';
import { ks, normalCdf } from '../../statistics.js';
import { asNumbers, sha256 } from '../../support.js';
import { call, cases, functionOf, moduleCases, title } from './support.js';

/** The stream that a generator's next fill takes. */
const stream = (generator: Generator) => new DataView(generator.get_state().buffer).getBigUint64(16, true);
const hashes = (state: Record<string, Tensor>) => Object.values(state).map(({ data }) => sha256(data));
const numbers = ({ data, dtype }: Tensor) => asNumbers(data, dtype);

describe('what PyTorch makes', () => {
  it.each(moduleCases)('$module, called as in Python', ({ module, state_dict }) => {
    const made = call(module, { generator: new Generator({ seed: 1 }) });
    const shown = Object.entries(made).map(([name, { shape, dtype }]) => [name, [...shape], dtype]);
    expect(shown).toEqual(Object.entries(state_dict).map(([name, { shape, dtype }]) => [name, shape, dtype]));
  });

  it.each(cases.map((each) => [title(each), each] as const))('%s', (_, { kind, args, dtype, tensors }) => {
    const made = Object.entries(functionOf(kind)({ ...args, dtype }));
    expect(made.map(([name, { shape }]) => [name, shape])).toEqual(tensors.map((each) => [each[0], each.at(-1)]));
    for (const [name, tensor] of made) {
      expect(tensor.data).toHaveLength(tensor.shape.reduce((product, size) => product * size, 1));
      expect(tensor.dtype).toBe(name.endsWith('num_batches_tracked') ? 'int64' : dtype);
    }
  });
});

describe('values', () => {
  beforeEach(() => void manual_seed(5));

  /** λ of Kolmogorov and Smirnov against U(±bound); 2.7 comes once in a million. */
  const uniform = (tensor: Tensor | undefined, bound: number) =>
    ks(numbers(tensor as Tensor), (x) => Math.min(1, Math.max(0, (x + bound) / (2 * bound))));

  test('linear layers and convolutions: U(±1/√fan_in), the fan of the weight as it lies', () => {
    const { weight, bias } = layers.Linear(100, 5000);
    expect(uniform(weight, 0.1)).toBeLessThan(2.7);
    expect(uniform(bias, 0.1)).toBeLessThan(2.7);
    const conv = layers.Conv2d(64, 4000, [3, 3], { groups: 16 });
    expect(uniform(conv.weight, 1 / 6)).toBeLessThan(2.7);
    expect(uniform(conv.bias, 1 / 6)).toBeLessThan(2.7);
    const transposed = layers.ConvTranspose1d(2000, 2000, 4, { groups: 500 });
    expect(uniform(transposed.weight, 1 / 4)).toBeLessThan(2.7);
    expect(uniform(transposed.bias, 1 / 4)).toBeLessThan(2.7);
    expect(uniform(layers.Bilinear(25, 30, 40).weight, 1 / 5)).toBeLessThan(2.7);
  });

  test('embeddings: N(0, 1), the padding row zero', () => {
    const { weight } = layers.Embedding(500, 64, -2);
    const values = numbers(weight as Tensor);
    expect(values.subarray(498 * 64, 499 * 64).every((x) => x === 0)).toBe(true);
    expect(ks(values.subarray(0, 498 * 64), normalCdf)).toBeLessThan(2.7);
    expect(values.subarray(499 * 64).every((x) => x !== 0)).toBe(true);
  });

  test('the padding row changes no other', () => {
    const generator = () => new Generator({ seed: 3 });
    const plain = layers.Embedding(5, 2, { generator: generator() }).weight as Tensor;
    const padded = layers.Embedding(5, 2, { generator: generator(), padding_idx: 1 }).weight as Tensor;
    plain.data.fill(0, 2, 4);
    expect(padded.data).toEqual(plain.data);
  });

  test('recurrent layers: everything U(±1/√hidden_size)', () => {
    const state = layers.LSTM(100, 400, { num_layers: 2, bidirectional: true, proj_size: 50 });
    for (const tensor of Object.values(state)) expect(uniform(tensor, 1 / 20)).toBeLessThan(2.9);
  });

  test('attention: Xavier on the stacked weight, the output as a linear layer, biases zero', () => {
    const state = layers.MultiheadAttention(96, 4, { add_bias_kv: true });
    expect(uniform(state.in_proj_weight, Math.sqrt(6 / (4 * 96)))).toBeLessThan(2.7);
    expect(uniform(state['out_proj.weight'], 1 / Math.sqrt(96))).toBeLessThan(2.7);
    expect(new Set(state.in_proj_bias?.data)).toEqual(new Set([0]));
    expect(new Set(state['out_proj.bias']?.data)).toEqual(new Set([0]));
    const std = Math.sqrt(2 / (96 + 96));
    expect(ks(numbers(state.bias_k as Tensor), (x) => normalCdf(x / std))).toBeLessThan(2.7);
  });

  test('norms: 1 and 0, and a counter of 64 bits', () => {
    const state = layers.BatchNorm2d(3, { dtype: 'float64' });
    expect(Object.entries(state).map(([name, { data }]) => [name, Array.from<number | bigint>(data)])).toEqual([
      ['weight', [1, 1, 1]],
      ['bias', [0, 0, 0]],
      ['running_mean', [0, 0, 0]],
      ['running_var', [1, 1, 1]],
      ['num_batches_tracked', [0n]],
    ]);
    expect(layers.InstanceNorm2d(3)).toEqual({});
    expect(layers.PReLU(2, 0.5).weight?.data).toEqual(Float32Array.of(0.5, 0.5));
  });

  test('the layers of an encoder begin equal, those of a Transformer only where PyTorch leaves them so', () => {
    const encoder_layer = { layer: 'TransformerEncoderLayer', d_model: 8, nhead: 2, dim_feedforward: 16 } as const;
    const encoder: layers.StateDict = layers.TransformerEncoder(encoder_layer, 2);
    for (const name of Object.keys(encoder)) {
      expect(encoder[name]?.data).toEqual(encoder[name.replace('layers.1', 'layers.0')]?.data);
    }
    const both: layers.StateDict = layers.Transformer(8, 2, 2, 2, 16);
    const equal = (name: string) =>
      expect(both[`encoder.layers.0.${name}`]?.data).toEqual(both[`encoder.layers.1.${name}`]?.data);
    equal('linear1.bias');
    expect(() => equal('linear1.weight')).toThrow();
    expect(() => equal('self_attn.out_proj.weight')).toThrow();
  });
});

describe('randomness', () => {
  test('each random tensor takes one stream, in the order of the draws; what is drawn in vain takes none', () => {
    const generator = new Generator({ seed: 9 });
    const state = layers.MultiheadAttention(8, 2, { generator });
    expect(stream(generator)).toBe(2n);
    const alike = new Generator({ seed: 9 });
    const output = init.kaiming_uniform_(empty([8, 8]), Math.sqrt(5), { generator: alike });
    const input = init.xavier_uniform_(empty([24, 8]), { generator: alike });
    expect(state['out_proj.weight']?.data).toEqual(output.data);
    expect(state.in_proj_weight?.data).toEqual(input.data);
  });

  test('without a generator it is the default one', () => {
    manual_seed(11);
    const state = layers.Linear(4, 3);
    expect(hashes(state)).toEqual(hashes(layers.Linear(4, 3, { generator: new Generator({ seed: 11 }) })));
    expect(stream(default_generator)).toBe(2n);
  });

  test('threads change nothing', () => {
    const make = (threads: number) =>
      hashes(layers.Linear(700, 900, { generator: new Generator({ seed: 2 }), threads }));
    expect(make(1)).toEqual(make(7));
  });

  test.each<Dtype>(['float32', 'float64', 'float16', 'bfloat16'])('%s', (dtype) => {
    const generator = new Generator({ seed: 4 });
    const { weight } = layers.Embedding(40, 3, { dtype, generator });
    const alike = init.normal_(empty([40, 3], { dtype }), { generator: new Generator({ seed: 4 }) });
    expect(weight).toEqual(alike);
  });
});

describe('arguments', () => {
  const made = (kind: string, ...args: unknown[]) =>
    Object.entries(functionOf(kind)(...args)).map(([name, { shape }]) => [name, shape]);

  test('by position, by name, and both', () => {
    const expected = [['weight', [6, 2, 3, 3]]];
    const all = { in_channels: 4, out_channels: 6, kernel_size: 3, groups: 2, bias: false };
    expect(made('Conv2d', 4, 6, 3, 1, 0, 1, 2, false)).toEqual(expected);
    expect(made('Conv2d', all)).toEqual(expected);
    expect(made('Conv2d', 4, 6, { kernel_size: [3, 3], groups: 2, bias: false })).toEqual(expected);
    expect(made('Conv2d', 4, 6, 3, undefined, undefined, undefined, 2, { bias: false, stride: undefined })).toEqual(
      expected,
    );
    expect(made('GroupNorm', 2, 4, { bias: false })).toEqual([['weight', [4]]]);
    expect(made('LayerNorm', [2, 3], 1e-6, true, false)).toEqual([['weight', [2, 3]]]);
    expect(made('BatchNorm1d', 2, 1e-5, null, true, false)).toEqual([
      ['weight', [2]],
      ['bias', [2]],
    ]);
  });

  test('a layer as the last argument is no keyword', () => {
    const encoder_layer = { layer: 'Linear', in_features: 1, out_features: 1 };
    const norm = { layer: 'RMSNorm', normalized_shape: 3 };
    const expected = [
      ['layers.0.weight', [1, 1]],
      ['layers.0.bias', [1]],
      ['norm.weight', [3]],
    ];
    expect(made('TransformerEncoder', encoder_layer, 1, norm)).toEqual(expected);
    expect(made('TransformerEncoder', encoder_layer, 1, norm, { threads: 1 })).toEqual(expected);
    expect(made('TransformerEncoder', { encoder_layer, num_layers: 1, norm })).toEqual(expected);
  });

  describe('are refused before the generator moves', () => {
    beforeEach(() => void manual_seed(0));
    afterEach(() => expect(stream(default_generator)).toBe(0n));

    const linear = { layer: 'Linear', in_features: 1, out_features: 1 };
    it.each<[kind: string, args: unknown[], type: typeof TypeError | typeof RangeError, text: string]>([
      ['Linear', [20], TypeError, 'Linear: expected an integer ≥ 0 for out_features, but received undefined'],
      ['Linear', [20, '30'], TypeError, "an integer ≥ 0 for out_features, but received '30' of type string"],
      ['Linear', [20, -1], RangeError, 'Linear: expected an integer ≥ 0 for out_features, but received -1'],
      ['Linear', [20, 2.5], RangeError, 'for out_features'],
      ['Linear', [20, 30, 1], TypeError, 'Linear: expected a boolean for bias, but received 1 of type number'],
      ['Linear', [20, 30, true, 1], TypeError, 'it takes in_features, out_features, bias, { options }'],
      ['Linear', [20, 30, { biass: false }], TypeError, "did you mean 'bias'?"],
      ['Linear', [20, 30, { out_features: 3 }], TypeError, 'it was given by position already'],
      ['Linear', [20, 30, { dtype: 'int8' }], RangeError, 'for dtype'],
      ['Linear', [20, 30, { threads: 0 }], RangeError, 'for threads'],
      ['Linear', [20, 30, { generator: {} }], TypeError, 'a Generator for generator'],
      ['Linear', [20, 30, new Generator()], TypeError, 'a plain object of keywords for bias'],
      ['Linear', [2 ** 30, 2 ** 30], RangeError, 'a product of at most 2^53 - 1 elements for shape'],
      ['Bilinear', [0, 2, 3], RangeError, 'Bilinear: expected an integer ≥ 1 for in1_features, but received 0'],
      ['PReLU', [1, Number.NaN], RangeError, 'a finite number for init'],
      ['PReLU', [1, 1e6, { dtype: 'float16' }], RangeError, "float16's largest number"],
      ['Conv2d', [3, 4], TypeError, 'an integer ≥ 0 or an array of 2 for kernel_size, but received undefined'],
      ['Conv2d', [3, 4, [3]], RangeError, 'an array of 2 for kernel_size'],
      ['Conv2d', [3, 4, [3, 'x']], TypeError, 'for kernel_size[1]'],
      ['Conv2d', [3, 4, 3, new Array(2)], TypeError, 'an integer ≥ 1 for stride[0], but received undefined'],
      ['Conv2d', [3, 4, 3, { groups: 2 }], RangeError, 'a multiple of groups (2) for in_channels, but received 3'],
      ['Conv2d', [4, 3, 3, { groups: 2 }], RangeError, 'a multiple of groups (2) for out_channels, but received 3'],
      ['Conv2d', [4, 4, 3, { groups: 0 }], RangeError, 'an integer ≥ 1 for groups'],
      ['Conv1d', [3, 4, 3, { padding: 'full' }], RangeError, "one of 'valid', 'same' for padding"],
      ['Conv1d', [3, 4, 3, { padding: 'same', stride: 2 }], RangeError, "1 where padding is 'same' for stride"],
      ['Conv1d', [3, 4, 3, { padding_mode: 'mirror' }], RangeError, "'circular' for padding_mode"],
      ['ConvTranspose1d', [3, 4, 3, { padding_mode: 'reflect' }], RangeError, "'zeros' for padding_mode"],
      ['ConvTranspose1d', [3, 4, 3, { padding: 'same' }], TypeError, 'for padding'],
      ['Embedding', [10, 3, 10], RangeError, 'an integer from -10 to 9 for padding_idx, but received 10'],
      ['Embedding', [10, 3, -11], RangeError, 'for padding_idx'],
      ['EmbeddingBag', [10, 3, { mode: 'min' }], RangeError, "one of 'mean', 'sum', 'max' for mode"],
      ['RNN', [3, 4, { nonlinearity: 'gelu' }], RangeError, "one of 'tanh', 'relu' for nonlinearity"],
      ['RNN', [3, 4, { proj_size: 2 }], TypeError, "but received 'proj_size'"],
      ['LSTM', [3, 4, { proj_size: 4 }], RangeError, 'less than hidden_size (4) for proj_size, but received 4'],
      ['LSTM', [0, 4], RangeError, 'an integer ≥ 1 for input_size'],
      ['GRU', [3, 4, 0], RangeError, 'for num_layers'],
      ['GRU', [3, 4, { dropout: 1.5 }], RangeError, 'a finite number from 0 to 1 for dropout'],
      ['MultiheadAttention', [10, 3], RangeError, 'a divisor of the number of features (10) for num_heads'],
      ['MultiheadAttention', [10, 0], RangeError, 'an integer ≥ 1 for num_heads'],
      ['TransformerEncoderLayer', [8, 2, { activation: 'silu' }], RangeError, "one of 'relu', 'gelu' for activation"],
      ['TransformerEncoder', [{}, 2], TypeError, 'for encoder_layer.layer, but received undefined'],
      ['TransformerEncoder', [[], 2], TypeError, "a layer, { layer: 'Linear', … }, for encoder_layer"],
      ['TransformerEncoder', [linear], TypeError, 'for num_layers, but received undefined'],
      ['TransformerEncoder', [linear, -1], RangeError, 'for num_layers'],
      ['TransformerEncoder', [linear, 1e9], RangeError, 'an integer from 0 to 100000 for num_layers'],
      [
        'TransformerEncoder',
        [{ layer: 'TransformerEncoder', encoder_layer: linear, num_layers: 9e4 }, 99],
        RangeError,
        'at most 5000000 tensors for num_layers',
      ],
      ['TransformerEncoder', [{ layer: 'Linaer' }, 1], RangeError, "did you mean 'Linear'?"],
      ['TransformerEncoder', [{ layer: 'Linear' }, 1], TypeError, 'Linear: expected an integer ≥ 0 for in_features'],
      ['TransformerEncoder', [{ ...linear, dtype: 'float16' }, 1], TypeError, 'Linear: expected one of'],
      ['GroupNorm', [3, 4], RangeError, 'a multiple of num_groups (3) for num_channels, but received 4'],
      ['GroupNorm', [0, 4], RangeError, 'an integer ≥ 1 for num_groups'],
      ['LayerNorm', ['8'], TypeError, 'an integer ≥ 0 or an array of them for normalized_shape'],
      ['BatchNorm1d', [4, null], TypeError, 'a finite number for eps, but received null'],
    ])('%s(%j)', (kind, args, type, text) => {
      let error: unknown;
      try {
        functionOf(kind)(...args);
      } catch (caught) {
        error = caught;
      }
      expect(error).toBeInstanceOf(type);
      expect((error as Error).message).toContain(text);
      expect((error as Error).message).toMatch(/^\w+: expected .+ for .+, but received .+ of type \w+( \(.+\))?$/);
    });

    test('kinds that are none, and layers without an end', () => {
      expect(() => layers.layer('Linaer' as 'Linear')).toThrow(/^layer: expected .+ for kind.+did you mean 'Linear'\?/);
      expect(() => layers.layerTensors('Linear', [] as never)).toThrow(TypeError);
      let nested: layers.LayerDescription = { layer: 'Linear', in_features: 1, out_features: 1 };
      for (let i = 0; i < 40; i++) nested = { layer: 'TransformerEncoder', encoder_layer: nested, num_layers: 1 };
      expect(() => layers.TransformerEncoder(nested, 1)).toThrow(/at most 32 layers in one another/);
    });
  });
});
