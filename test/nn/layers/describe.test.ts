import { describe, expect, it, test } from 'vitest';
import { isDrawn } from '../../../lib/init/draw.js';
import {
  type Draw,
  type LayerKind,
  type LayerTensor,
  layer,
  layerDefinition,
  layerKinds,
  layerTensors,
} from '../../../lib/nn/layers/index.js';
import { cases, signatures, title } from './support.js';

const drawn = (draws: readonly Draw[]) => draws.map(({ tensor }) => tensor);
const names = (tensors: readonly LayerTensor[]) => tensors.map(({ name }) => name);

describe("the constructors' arguments", () => {
  it('all layers that were recorded are there, and no other', () => {
    expect([...layerKinds].sort()).toEqual(Object.keys(signatures).sort());
  });

  it.each(layerKinds)('%s has the names, the order and the defaults of PyTorch', (kind) => {
    const { arguments: list } = layerDefinition(kind);
    const ours = list.map(({ name, required, default: value }) => [name, required ? 'required' : value]);
    expect(ours).toEqual(signatures[kind]?.arguments);
  });

  it('those that PyTorch takes by name only are no positional ones', () => {
    for (const kind of layerKinds) {
      const byName = layerDefinition(kind).arguments.flatMap(({ name, positional }) => (positional ? [] : [name]));
      // PyTorch has _weight, which nninit lacks, before these two.
      const behindWeight = kind === 'EmbeddingBag' ? ['include_last_offset', 'padding_idx'] : [];
      expect(byName).toEqual([...(signatures[kind]?.by_name ?? []), ...behindWeight]);
    }
  });
});

describe('tensors and draws', () => {
  it.each(cases.map((each) => [title(each), each] as const))('%s', (_, { kind, args, tensors }) => {
    const { tensors: ours, draws } = layer(kind, args);
    const shown = ours.map(({ name, dtype, shape }) => (dtype === undefined ? [name, shape] : [name, dtype, shape]));
    expect(shown).toEqual(tensors);

    const byName = new Map(ours.map((tensor) => [tensor.name, tensor]));
    for (const { name, copyOf, shape, initializer } of ours) {
      const source = byName.get(copyOf ?? name);
      expect(source).toMatchObject({ shape, initializer });
      expect(source).not.toHaveProperty('copyOf');
      const own = draws.findLast(({ tensor }) => tensor === name);
      if (copyOf !== undefined) expect(own).toBeUndefined();
      else if (isDrawn(initializer)) expect(own).toEqual({ tensor: name, shape, initializer });
    }
  });

  test('attention draws its output first, and its bias in vain', () => {
    const { tensors, draws } = layer('MultiheadAttention', {
      embed_dim: 32,
      num_heads: 4,
      kdim: 24,
      add_bias_kv: true,
    });
    expect(names(tensors)).toEqual([
      'q_proj_weight',
      'k_proj_weight',
      'v_proj_weight',
      'in_proj_bias',
      'bias_k',
      'bias_v',
      'out_proj.weight',
      'out_proj.bias',
    ]);
    expect(drawn(draws)).toEqual([
      'out_proj.weight',
      'out_proj.bias',
      'q_proj_weight',
      'k_proj_weight',
      'v_proj_weight',
      'bias_k',
      'bias_v',
    ]);
    expect(draws[1]).toEqual({
      tensor: 'out_proj.bias',
      shape: [32],
      initializer: { init: 'uniform', a: -1 / Math.sqrt(32), b: 1 / Math.sqrt(32) },
    });
  });

  test('an encoder draws one layer, and copies it', () => {
    const encoder_layer = { layer: 'TransformerEncoderLayer', d_model: 8, nhead: 2, dim_feedforward: 16 };
    const one = layer('TransformerEncoderLayer', { d_model: 8, nhead: 2, dim_feedforward: 16 });
    const { tensors, draws } = layer('TransformerEncoder', { encoder_layer, num_layers: 3 });
    expect(draws).toEqual(one.draws.map((draw) => ({ ...draw, tensor: `layers.0.${draw.tensor}` })));
    expect(tensors.find(({ name }) => name === 'layers.2.linear1.bias')?.copyOf).toBe('layers.0.linear1.bias');
    // A constant needs no copying.
    expect(tensors.find(({ name }) => name === 'layers.2.norm1.weight')).not.toHaveProperty('copyOf');
    // PyTorch draws the layer before it is asked for copies of it.
    const none = layer('TransformerEncoder', { encoder_layer, num_layers: 0 });
    expect(none).toEqual({ tensors: [], draws });
  });

  test('copies of copies stand for the first of them', () => {
    const inner = {
      layer: 'TransformerEncoder',
      encoder_layer: { layer: 'Linear', in_features: 2, out_features: 1 },
      num_layers: 2,
    };
    const tensors = layerTensors('TransformerEncoder', { encoder_layer: inner, num_layers: 2 });
    const sources = tensors.filter(({ name }) => name.endsWith('weight')).map(({ name, copyOf }) => [name, copyOf]);
    expect(sources).toEqual([
      ['layers.0.layers.0.weight', undefined],
      ['layers.0.layers.1.weight', 'layers.0.layers.0.weight'],
      ['layers.1.layers.0.weight', 'layers.0.layers.0.weight'],
      ['layers.1.layers.1.weight', 'layers.0.layers.0.weight'],
    ]);
  });

  test('Transformer draws a layer of each kind, then every matrix again', () => {
    const { tensors, draws } = layer('Transformer', {
      d_model: 4,
      nhead: 2,
      num_encoder_layers: 2,
      num_decoder_layers: 1,
    });
    const matrices = tensors.filter(({ shape }) => shape.length > 1);
    expect(matrices.map(({ initializer, copyOf }) => [initializer, copyOf])).toEqual(
      matrices.map(() => ['xavier_uniform', undefined]),
    );
    expect(drawn(draws).slice(-matrices.length)).toEqual(names(matrices));
    const before = drawn(draws.slice(0, -matrices.length));
    expect(before.slice(0, 2)).toEqual([
      'encoder.layers.0.self_attn.out_proj.weight',
      'encoder.layers.0.self_attn.out_proj.bias',
    ]);
    expect(before).not.toContain('encoder.layers.1.linear1.weight');
    expect(before.at(-1)).toBe('decoder.layers.0.linear2.bias');
    const bias = tensors.find(({ name }) => name === 'encoder.layers.1.linear1.bias');
    expect(bias?.copyOf).toBe('encoder.layers.0.linear1.bias');
  });

  test('a custom decoder, being an argument, is drawn before the encoder', () => {
    const custom_decoder = { layer: 'Bilinear', in1_features: 9, in2_features: 1, out_features: 1 };
    const { tensors, draws } = layer('Transformer', { d_model: 4, nhead: 2, custom_decoder });
    expect(draws[0]?.shape).toEqual([1, 9, 1]);
    expect(draws[1]?.tensor).toBe('decoder.bias');
    expect(names(tensors).slice(-2)).toEqual(['decoder.weight', 'decoder.bias']);
  });

  test('a row of an embedding is zero, counted from the end too', () => {
    const row = (padding_idx: number | null) =>
      layerTensors('Embedding', { num_embeddings: 10, embedding_dim: 2, padding_idx })[0]?.zeroRow;
    expect([3, -1, 0, -10, null].map(row)).toEqual([3, 9, 0, 0, undefined]);
  });

  test('sizes may be one number for all dimensions', () => {
    const given = { in_channels: 4, out_channels: 6, kernel_size: 3, padding: 'same' };
    expect(layer('Conv2d', given)).toEqual(
      layer('Conv2d', { ...given, kernel_size: [3, 3], padding: 1, stride: [1, 1] }),
    );
    expect(layerTensors('LayerNorm', { normalized_shape: [] })[0]?.shape).toEqual([]);
  });

  test('what matters to the forward pass only changes nothing', () => {
    const all: Readonly<Record<string, unknown>> = {
      dropout: 0.5,
      batch_first: true,
      nonlinearity: 'relu',
      eps: 1,
      stride: 2,
    };
    const given: Partial<Record<LayerKind, object>> = {
      RNN: { input_size: 3, hidden_size: 4 },
      MultiheadAttention: { embed_dim: 4, num_heads: 2 },
      Conv3d: { in_channels: 1, out_channels: 2, kernel_size: 1 },
      BatchNorm1d: { num_features: 3 },
    };
    for (const [kind, args] of Object.entries(given) as [LayerKind, object][]) {
      const unused = layerDefinition(kind).arguments.filter(({ name, unused }) => unused && Object.hasOwn(all, name));
      expect(unused.length).toBeGreaterThan(0);
      const changed = Object.fromEntries(unused.map(({ name }) => [name, all[name]]));
      expect(layer(kind, { ...args, ...changed })).toEqual(layer(kind, { ...args }));
    }
  });
});
