import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { InputError } from '../../lib/checkpoint/errors.js';
import { read_json } from '../../lib/checkpoint/json.js';
import { resolve_plan } from '../../lib/checkpoint/plan.js';
import type { Dtype } from '../../lib/dtype.js';
import { plan_of_config } from '../../lib/models/index.js';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const example = read('examples/gpt2/config.json');
const reference = JSON.parse(read('test/fixtures/models/gpt2.json')) as Record<string, Record<string, number[]>>;

const plan_of_text = (text: string, dtype?: Dtype) =>
  plan_of_config(read_json(Buffer.from(text), 'config.json'), dtype);
const plan_of = (config: object, dtype?: Dtype) =>
  plan_of_text(JSON.stringify({ model_type: 'gpt2', ...config }), dtype);
const shapes_of = (plan: ReturnType<typeof plan_of>) => plan.tensors.map(({ name, shape }) => [name, shape]);

const tiny = { n_layer: 2, n_embd: 64, n_head: 4, vocab_size: 1000, n_positions: 128 };
const reference_of = (call: string) => Object.entries(reference[call] ?? {});
const tiny_reference = reference_of('GPT2Config(n_layer=2, n_embd=64, n_head=4, vocab_size=1000, n_positions=128)');

test("GPT-2's 124M config gives transformers' 148 names and shapes, in order, the tied head left out", () => {
  const plan = plan_of_text(example);
  expect(plan.tensors).toHaveLength(148);
  expect(shapes_of(plan)).toEqual(reference_of('GPT2Config()').filter(([name]) => name !== 'lm_head.weight'));
  expect(resolve_plan(plan).reduce((sum, { elements }) => sum + elements, 0)).toBe(124_439_808);
});

test('an untied head is written', () => {
  expect(shapes_of(plan_of({ ...tiny, tie_word_embeddings: false }))).toEqual(tiny_reference);
});

test("what a config leaves out has transformers' defaults", () => {
  expect(shapes_of(plan_of({}))).toEqual(shapes_of(plan_of_text(example)));
});

test('each tensor has the initializer of the reference code', () => {
  const fills = new Map(
    resolve_plan(plan_of({ ...tiny, initializer_range: 0.1 })).map(({ name, fill }) => [name, fill]),
  );
  const normal = (std: number) => ({ kind: 'normal', mean: 0, std });
  expect(fills.get('transformer.wte.weight')).toEqual(normal(0.1));
  expect(fills.get('transformer.wpe.weight')).toEqual(normal(0.1));
  expect(fills.get('transformer.h.1.attn.c_attn.weight')).toEqual(normal(0.1));
  expect(fills.get('transformer.h.1.attn.c_proj.weight')).toEqual(normal(0.1 / Math.sqrt(4)));
  expect(fills.get('transformer.h.1.mlp.c_proj.weight')).toEqual(normal(0.1 / Math.sqrt(4)));
  expect(fills.get('transformer.h.0.ln_2.weight')).toEqual({ kind: 'constant', value: 1 });
  for (const [name, fill] of fills) {
    if (name.endsWith('.bias')) expect(fill).toEqual({ kind: 'constant', value: 0 });
  }
});

test('n_inner sets the width of the MLP, null leaves it at 4 · n_embd', () => {
  const width = (n_inner: number | null) => {
    return plan_of({ ...tiny, n_inner }).tensors.find(({ name }) => name === 'transformer.h.0.mlp.c_fc.bias')?.shape;
  };
  expect(width(100)).toEqual([100]);
  expect(width(null)).toEqual([256]);
});

test("transformers' general names stand for GPT-2's own", () => {
  const general = {
    num_hidden_layers: 2,
    hidden_size: 64,
    num_attention_heads: 4,
    vocab_size: 1000,
    max_position_embeddings: 128,
  };
  expect(shapes_of(plan_of(general))).toEqual(shapes_of(plan_of(tiny)));
});

test('the config is copied to the letter', () => {
  expect(plan_of_text(example).config).toBe(example);
  expect(plan_of_text(example.replace('\n', '\r\n'), undefined).config).toBe(example.replace('\n', '\r\n'));
});

test('--dtype is told in the config, under the name it has there, and nothing else changes', () => {
  const told = plan_of_text(example, 'bfloat16').config;
  expect(JSON.parse(told)).toEqual({ ...JSON.parse(example), torch_dtype: 'bfloat16' });
  expect(told).toContain('"layer_norm_epsilon": 1e-05');
  const other = '{"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "dtype": "float32", "x": 1.0}';
  expect(plan_of_text(other, 'float16').config).toBe(other.replace('float32', 'float16'));
  expect(plan_of_text(other, 'float32').config).toBe(other);
});

test('architectures is added where it is missing', () => {
  expect(JSON.parse(plan_of({}).config)).toEqual({ model_type: 'gpt2', architectures: ['GPT2LMHeadModel'] });
});

test.each([
  [{ dtype: 'bfloat16' }, 'bfloat16'],
  [{ torch_dtype: 'float16' }, 'float16'],
  [{ torch_dtype: 'torch.float16' }, 'float16'],
  [{ dtype: null }, 'float32'],
  [{}, 'float32'],
])('the dtype of %j is %s', (config, dtype) => {
  expect(plan_of(config).tensors.every((tensor) => tensor.dtype === dtype)).toBe(true);
  expect(plan_of(config, 'float64').tensors.every((tensor) => tensor.dtype === 'float64')).toBe(true);
});

test.each<[object, string]>([
  [
    { model_type: 'llama' },
    "model_type: expected one of 'gpt2', but received 'llama'. Any other model can be written from a recipe",
  ],
  [{ model_type: 'gtp2' }, "received 'gtp2' (did you mean 'gpt2'?)"],
  [{ model_type: 7 }, 'model_type: expected one of'],
  [
    { architectures: ['GPT2DoubleHeadsModel'] },
    "architectures[0]: expected 'GPT2LMHeadModel', but received 'GPT2DoubleHeadsModel'",
  ],
  [{ n_layer: 0 }, 'n_layer: expected a whole number ≥ 1 and ≤ 100000, but received 0'],
  [{ n_layer: 1e6 }, 'n_layer: expected a whole number ≥ 1 and ≤ 100000, but received 1000000'],
  [{ n_embd: '768' }, "n_embd: expected a whole number ≥ 1, but received '768'"],
  [{ n_inner: 0.5 }, 'n_inner: expected a whole number ≥ 1, or null, but received 0.5'],
  [{ n_embd: 100 }, 'n_embd: expected a multiple of n_head, but received 100'],
  [{ initializer_range: -1 }, 'initializer_range: expected a finite number ≥ 0, but received -1'],
  [
    { add_cross_attention: true },
    'add_cross_attention: expected false: cross-attention is not supported, but received true',
  ],
  [{ tie_word_embeddings: 'no' }, "tie_word_embeddings: expected true or false, but received 'no'"],
  [
    { dtype: 'int8' },
    "dtype: expected one of 'float32', 'float64', 'float16', 'bfloat16', but received 'int8'; --dtype overrides it",
  ],
])('%j is refused', (config, message) => {
  expect(() => plan_of(config)).toThrow(InputError);
  expect(() => plan_of(config)).toThrow(message);
});
