import { expect, test } from 'vitest';
import { fillPart } from '../../lib/checkpoint/virtual/fill-part.js';
import { InputError } from '../../lib/core/errors.js';
import { philoxKeys } from '../../lib/plan/keys.js';
import { type PlannedTensor, type ResolvedTensor, resolvePlan } from '../../lib/plan/plan.js';
import { forRank } from '../../lib/plan/tensor-parallel.js';

const normal = { init: 'normal', std: 0.02 } as const;

interface Sizes {
  readonly heads?: number;
  readonly kv_heads?: number;
  readonly vocabulary?: number;
  readonly width?: number;
}

/** Two layers of the family, with all that any member has; heads of 4, 24 inputs. */
function llama({ heads = 8, kv_heads = 4, vocabulary = 40, width = 48 }: Sizes = {}): ResolvedTensor[] {
  const tensors: PlannedTensor[] = [];
  const add = (name: string, shape: number[], initializer: PlannedTensor['initializer'] = normal) => {
    tensors.push({ name, shape, dtype: 'bfloat16', initializer });
  };
  add('model.embed_tokens.weight', [vocabulary, 24]);
  for (const layer of [0, 1]) {
    const at = `model.layers.${layer}`;
    for (const [name, rows] of [
      ['q', heads],
      ['k', kv_heads],
      ['v', kv_heads],
    ] as const) {
      add(`${at}.self_attn.${name}_proj.weight`, [rows * 4, 24]);
      add(`${at}.self_attn.${name}_proj.bias`, [rows * 4]);
    }
    add(`${at}.self_attn.o_proj.weight`, [24, heads * 4]);
    add(`${at}.self_attn.q_norm.weight`, [4], 'ones');
    add(`${at}.mlp.gate_proj.weight`, [width, 24]);
    add(`${at}.mlp.up_proj.weight`, [width, 24]);
    add(`${at}.mlp.down_proj.weight`, [24, width]);
    add(`${at}.block_sparse_moe.gate.weight`, [3, 24]);
    add(`${at}.block_sparse_moe.experts.2.w1.weight`, [width, 24]);
    add(`${at}.block_sparse_moe.experts.2.w2.weight`, [24, width]);
    add(`${at}.block_sparse_moe.experts.2.w3.weight`, [width, 24]);
    add(`${at}.input_layernorm.weight`, [24], 'ones');
  }
  add('model.norm.weight', [24], 'ones');
  add('lm_head.weight', [vocabulary, 24]);
  return resolvePlan({ tensors });
}

const config = (heads = 8) => ({ model_type: 'llama', num_attention_heads: heads });

function bytesOf(tensor: ResolvedTensor): Uint8Array {
  const bytes = new Uint8Array(tensor.bytes);
  fillPart(tensor, bytes, 0, philoxKeys(42n).of(tensor), 1);
  return bytes;
}

/** Parts of a tensor of one or two dimensions, side by side along one of them. */
function joined(parts: readonly ResolvedTensor[], dim: number): Buffer {
  const rows = dim === 0 ? 1 : (parts[0]?.shape[0] ?? 0);
  const bytes = parts.map(bytesOf);
  const lines = Array.from({ length: rows }, (_, row) =>
    bytes.map((part) => part.subarray((row * part.length) / rows, ((row + 1) * part.length) / rows)),
  );
  return Buffer.concat(lines.flat());
}

const split = {
  'embed_tokens.weight': 0,
  'lm_head.weight': 0,
  'q_proj.weight': 0,
  'q_proj.bias': 0,
  'k_proj.weight': 0,
  'k_proj.bias': 0,
  'v_proj.weight': 0,
  'v_proj.bias': 0,
  'o_proj.weight': 1,
  'gate_proj.weight': 0,
  'up_proj.weight': 0,
  'down_proj.weight': 1,
  'w1.weight': 0,
  'w3.weight': 0,
  'w2.weight': 1,
} as Readonly<Record<string, number | undefined>>;

const dimOf = (name: string) => split[name.split('.').slice(-2).join('.')];

test.each([1, 2, 4])('%i ranks side by side are the whole model, byte for byte', (tp) => {
  const whole = llama();
  const ranks = Array.from({ length: tp }, (_, rank) => forRank(whole, { tp, rank, config: config() }));
  for (const [i, tensor] of whole.entries()) {
    const parts = ranks.map((rank) => rank[i] as ResolvedTensor);
    const dim = dimOf(tensor.name);
    for (const part of parts) {
      expect(part.name).toBe(tensor.name);
      if (dim === undefined) expect(part).toBe(tensor);
      else expect(part.shape[dim]).toBe((tensor.shape[dim] as number) / tp);
      expect(part.bytes).toBe(part.shape.reduce((a, b) => a * b, 2));
    }
    if (dim !== undefined) expect(Buffer.compare(joined(parts, dim), bytesOf(tensor)), tensor.name).toBe(0);
  }
});

test('fewer heads of keys and values than ranks: neighbours hold the same one', () => {
  const whole = llama({ kv_heads: 2 });
  const ranks = Array.from({ length: 8 }, (_, rank) => forRank(whole, { tp: 8, rank, config: config() }));
  const slices = ranks.map((rank) => rank.find(({ name }) => name.endsWith('k_proj.weight'))?.slice?.ranges);
  const head = (start: number) => [{ dim: 0, start, length: 4 }];
  expect(slices).toEqual([0, 0, 0, 0, 4, 4, 4, 4].map(head));
});

test('heads are not cut, however many rows they have', () => {
  const whole = llama({ heads: 6, kv_heads: 6 });
  expect(() => forRank(whole, { tp: 4, rank: 0, config: config(6) })).toThrow(
    /q_proj.weight': expected heads of attention that 4 ranks can share, but there are 6/,
  );
  const three = llama({ kv_heads: 3 });
  expect(() => forRank(three, { tp: 4, rank: 0, config: config() })).toThrow(
    /keys and values .* 4 .*, but there are 3/,
  );
});

test('what ranks cannot share equally is refused, naming it', () => {
  const refuse = (sizes: Sizes, options: Partial<Parameters<typeof forRank>[1]> = {}) =>
    expect(() => forRank(llama(sizes), { tp: 4, rank: 0, config: config(), source: 'config.json', ...options }));
  refuse({ vocabulary: 42 }).toThrow(
    "config.json: tensor 'model.embed_tokens.weight': expected a vocabulary that 4 ranks can share, but there are 42",
  );
  refuse({ width: 46 }).toThrow(/gate_proj.weight': expected a width that 4 ranks can share, but there are 46/);
  refuse({}, { rank: 4 }).toThrow('expected a rank from 0 to 3, but received 4');
  refuse({}, { rank: -1 }).toThrow(InputError);
  refuse({}, { tp: 0 }).toThrow('expected a whole number of ranks ≥ 1, but received 0');
  refuse({}, { config: { model_type: 'lama' } }).toThrow("but received 'lama' (did you mean 'llama'?)");
  refuse({}, { config: undefined }).toThrow("expected a model_type of 'llama', 'mistral'");
  refuse({}, { config: config(5) }).toThrow("num_attention_heads: expected a divisor of q_proj's 32 rows");
  refuse({}, { config: config() }).not.toThrow();
});

test('a tensor that is not known is refused rather than copied to every rank', () => {
  const [first] = llama();
  const odd = { ...(first as ResolvedTensor), name: 'model.layers.0.self_attn.qkv_proj.weight' };
  expect(() => forRank([...llama(), odd], { tp: 2, rank: 0, config: config() })).toThrow(
    "tensor 'model.layers.0.self_attn.qkv_proj.weight': it is not known how tensor-parallel ranks share it",
  );
});

test("a family's own number of heads is used where the config says nothing", () => {
  const gemma = llama({ heads: 16, kv_heads: 16, vocabulary: 32 });
  const [, q] = forRank(gemma, { tp: 16, rank: 3, config: { model_type: 'gemma' } });
  expect(q?.slice?.ranges).toEqual([{ dim: 0, start: 12, length: 4 }]);
});

test('parts have no half bytes, and parts of nothing are nothing', () => {
  const at = 'model.layers.0.self_attn';
  const tensors: PlannedTensor[] = [
    { name: `${at}.q_proj.weight`, shape: [4, 0], dtype: 'float32', initializer: normal },
    { name: `${at}.o_proj.weight`, shape: [0, 4], dtype: 'float32', initializer: normal },
    { name: 'model.layers.0.mlp.up_proj.weight', shape: [2, 3], dtype: 'float4_e2m1fn', initializer: 'zeros' },
  ];
  const partsOf = (given: PlannedTensor[]) => {
    return forRank(resolvePlan({ tensors: given }), { tp: 2, rank: 1, config: config(2) });
  };
  expect(partsOf(tensors.slice(0, 2)).map(({ shape, elements, bytes }) => [shape, elements, bytes])).toEqual([
    [[2, 0], 0, 0],
    [[0, 2], 0, 0],
  ]);
  expect(() => partsOf(tensors)).toThrow(
    "tensor 'model.layers.0.mlp.up_proj.weight': expected parts of whole bytes, but [1,3] of float4_e2m1fn takes 1.5",
  );
  const none: PlannedTensor = { name: 'lm_head.weight', shape: [0, 4], dtype: 'float32', initializer: normal };
  expect(partsOf([...tensors.slice(0, 1), none])[1]).toMatchObject({ shape: [0, 4], elements: 0, bytes: 0 });
});

test('half a head of keys and values is nothing that ranks share', () => {
  const whole = resolvePlan({
    tensors: [
      { name: 'model.layers.0.self_attn.q_proj.weight', shape: [64, 8], dtype: 'float32', initializer: normal },
      { name: 'model.layers.0.self_attn.k_proj.weight', shape: [8, 8], dtype: 'float32', initializer: normal },
    ],
  });
  const share = () => forRank(whole, { tp: 2, rank: 1, config: config(4) });
  expect(share).toThrow(
    /k_proj\.weight.*: expected heads of keys and values that 2 ranks can share, but there are 0\.5/,
  );
});
