import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Dtype } from '../../lib/core/dtype.js';
import { InputError } from '../../lib/core/errors.js';
import { readJson } from '../../lib/core/json.js';
import { modelNames, modelTypes, planOfConfig, planOfName } from '../../lib/plan/models.js';
import { resolvePlan } from '../../lib/plan/plan.js';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const example = read('examples/gpt2/config.json');

const planOfText = (text: string, dtype?: Dtype) => planOfConfig(readJson(Buffer.from(text), 'config.json'), dtype);
const planOf = (config: object, dtype?: Dtype) => planOfText(JSON.stringify({ model_type: 'gpt2', ...config }), dtype);
const shapesOf = (plan: ReturnType<typeof planOf>) => plan.tensors.map(({ name, shape }) => [name, shape]);

const tiny = { n_layer: 2, n_embd: 64, n_head: 4, vocab_size: 1000, n_positions: 128 };

test("what a config leaves out has transformers' defaults", () => {
  const plan = planOfText(example);
  expect(resolvePlan(plan).reduce((sum, { elements }) => sum + elements, 0)).toBe(124_439_808);
  expect(shapesOf(planOf({}))).toEqual(shapesOf(plan));
});

test.each(modelTypes)('%s has a plan without any other key', (model_type) => {
  const plan = planOf({ model_type });
  const parameters = resolvePlan(plan).reduce((sum, { elements }) => sum + elements, 0);
  expect(parameters).toBeGreaterThan(5e7);
  expect(JSON.parse(plan.config).architectures[0]).toMatch(
    /(For(CausalLM|MaskedLM|\w+Classification|\w+Generation)|LMHeadModel)$/,
  );
});

test.each(modelNames)('%s has a plan that resolves', (name) => {
  const tensors = resolvePlan(planOfName(name));
  expect(tensors.filter(({ name }) => name.endsWith('num_batches_tracked')).every(({ bytes }) => bytes === 8)).toBe(
    true,
  );
  expect(planOfName(name, 'bfloat16').tensors.map(({ dtype }) => dtype)).toEqual(
    tensors.map(({ dtype }) => (dtype === 'int64' ? 'int64' : 'bfloat16')),
  );
});

test("GPT-2's residual projections are scaled by 1 / sqrt(2 · layers)", () => {
  const fills = new Map(resolvePlan(planOf({ ...tiny, initializer_range: 0.1 })).map(({ name, fill }) => [name, fill]));
  const normal = (std: number) => ({ kind: 'normal', mean: 0, std });
  expect(fills.get('transformer.wte.weight')).toEqual(normal(0.1));
  expect(fills.get('transformer.h.1.attn.c_proj.weight')).toEqual(normal(0.1 / Math.sqrt(4)));
  expect(fills.get('transformer.h.1.mlp.c_proj.weight')).toEqual(normal(0.1 / Math.sqrt(4)));
});

test('an untied head is written, a tied one is another name of the embedding', () => {
  expect(planOf({ ...tiny, tie_word_embeddings: false }).tensors.at(-1)?.name).toBe('lm_head.weight');
  const [embedding] = planOf(tiny).tensors;
  expect(embedding).toMatchObject({ name: 'transformer.wte.weight', tied: ['lm_head.weight'] });
});

test('a mixture of experts says where its parts belong in what is drawn', () => {
  const { tensors } = planOf({
    model_type: 'mixtral',
    ...{ hidden_size: 4, intermediate_size: 6, num_hidden_layers: 1, num_attention_heads: 2, num_local_experts: 3 },
  });
  const part = (name: string) => tensors.find((tensor) => tensor.name.endsWith(name))?.partOf;
  const gate_up = 'model.layers.0.mlp.experts.gate_up_proj';
  expect(part('experts.2.w1.weight')).toEqual({ tensor: gate_up, begin: 2 * 12 * 4 });
  expect(part('experts.2.w3.weight')).toEqual({ tensor: gate_up, begin: (2 * 12 + 6) * 4 });
  expect(part('experts.1.w2.weight')).toEqual({ tensor: 'model.layers.0.mlp.experts.down_proj', begin: 4 * 6 });
});

test('heads of an odd width are refused where positions are rotary', () => {
  for (const model_type of ['llama', 'mistral', 'mixtral', 'qwen2', 'qwen3', 'gemma', 'gemma2', 'gemma3_text']) {
    expect(() => planOf({ model_type, head_dim: 7 })).toThrow('head_dim: expected an even number');
  }
});

test("heads that transformers' checks of rotary embeddings pass are accepted: even ones, and tiny ones", () => {
  for (const head_dim of [1, 3, 4, 6]) expect(planOf({ model_type: 'llama', head_dim }).tensors).not.toEqual([]);
});

describe('config.json beside the weights', () => {
  test('is copied to the letter', () => {
    expect(planOfText(example).config).toBe(example);
    expect(planOfText(example.replace('\n', '\r\n'), undefined).config).toBe(example.replace('\n', '\r\n'));
  });

  test('tells --dtype, under the name it has there, and nothing else changes', () => {
    const told = planOfText(example, 'bfloat16').config;
    expect(JSON.parse(told)).toEqual({ ...JSON.parse(example), torch_dtype: 'bfloat16' });
    expect(told).toContain('"layer_norm_epsilon": 1e-05');
    const other = '{"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "dtype": "float32", "x": 1.0}';
    expect(planOfText(other, 'float16').config).toBe(other.replace('float32', 'float16'));
    expect(planOfText(other, 'float32').config).toBe(other);
  });

  test('names the class that was written', () => {
    const told = (config: object) => JSON.parse(planOf(config).config);
    expect(told({})).toEqual({ model_type: 'gpt2', architectures: ['GPT2LMHeadModel'] });
    expect(told({ architectures: [] }).architectures).toEqual(['GPT2LMHeadModel']);
    expect(told({ architectures: ['GPT2Model'] }).architectures).toEqual(['GPT2Model']);
    expect(told({ model_type: 't5', num_layers: 1 }).architectures).toEqual(['T5ForConditionalGeneration']);
  });
});

test.each([
  [{ dtype: 'bfloat16' }, 'bfloat16'],
  [{ torch_dtype: 'float16' }, 'float16'],
  [{ torch_dtype: 'torch.float16' }, 'float16'],
  [{ dtype: null }, 'float32'],
  [{}, 'float32'],
])('the dtype of %j is %s', (config, dtype) => {
  expect(planOf(config).tensors.every((tensor) => tensor.dtype === dtype)).toBe(true);
  expect(planOf(config, 'float64').tensors.every((tensor) => tensor.dtype === 'float64')).toBe(true);
});

test("Llama-3-405B's plan takes well under a second", () => {
  const config = {
    model_type: 'llama',
    ...{ hidden_size: 16384, intermediate_size: 53248, num_hidden_layers: 126, num_attention_heads: 128 },
    ...{ num_key_value_heads: 8, vocab_size: 128256 },
  };
  const begin = performance.now();
  expect(resolvePlan(planOf(config)).reduce((sum, { elements }) => sum + elements, 0)).toBe(405_853_388_800);
  expect(performance.now() - begin).toBeLessThan(500);
});

test.each<[object, string]>([
  [{ model_type: 'bloom' }, "model_type: expected one of 'gpt2', 'llama',"],
  [
    { model_type: 'bloom' },
    'Any other model can be written like a checkpoint of its kind, with --like, or from a recipe',
  ],
  [{ model_type: 'gtp2' }, "received 'gtp2' (did you mean 'gpt2'?)"],
  [{ model_type: 7 }, 'model_type: expected one of'],
  [{ model_type: 'toString' }, 'model_type: expected one of'],
  [
    { architectures: ['GPT2DoubleHeadsModel'] },
    "architectures[0]: expected one of 'GPT2LMHeadModel', 'GPT2Model', 'GPT2ForSequenceClassification'",
  ],
  [{ architectures: ['LlamaForCausalLM'] }, "but received 'LlamaForCausalLM'"],
  [{ architectures: ['toString'] }, "but received 'toString'"],
  [{ n_layer: 0 }, 'n_layer: expected a whole number ≥ 1 and ≤ 100000, but received 0'],
  [{ n_layer: 1e6 }, 'n_layer: expected a whole number ≥ 1 and ≤ 100000, but received 1000000'],
  [{ n_embd: '768' }, "n_embd: expected a whole number ≥ 1, but received '768'"],
  [{ hidden_size: '768' }, "n_embd: expected a whole number ≥ 1, but received '768'"],
  [{ n_inner: 0.5 }, 'n_inner: expected a whole number ≥ 1, or null, but received 0.5'],
  [{ n_embd: 100 }, 'n_embd: expected a multiple of n_head, but received 100'],
  [{ initializer_range: -1 }, 'initializer_range: expected a finite number ≥ 0, but received -1'],
  [{ tie_word_embeddings: 'no' }, "tie_word_embeddings: expected true or false, but received 'no'"],
  [{ num_labels: -1 }, 'num_labels: expected a whole number from 0 to 1000000000, but received -1'],
  [{ id2label: ['a'] }, 'id2label: expected an object from numbers to names'],
  [
    { dtype: 'int8' },
    "dtype: expected one of 'float32', 'float64', 'float16', 'bfloat16', but received 'int8'; --dtype overrides it",
  ],
  [{ quantization_config: { bits: 4 } }, 'quantization_config: expected none'],
  [{ model_type: 'llama', hidden_size: 100 }, 'hidden_size: expected a multiple of num_attention_heads'],
  [
    { model_type: 'llama', hidden_size: 224 },
    'hidden_size: expected heads of an even width (hidden_size / num_attention_heads, here 7), since rotary position ' +
      'embeddings turn one half of a head against the other, but received 224',
  ],
  [{ model_type: 'qwen2', head_dim: 5 }, 'head_dim: expected an even number, since rotary position embeddings turn'],
  [{ model_type: 'llama', architectures: 'LlamaModel' }, 'architectures: expected a list of the name of a class'],
  [{ model_type: 'llama', pad_token_id: 32000 }, 'pad_token_id: expected a row of the vocabulary'],
  [{ model_type: 'llama', pad_token_id: 0.5 }, 'pad_token_id: expected a whole number, or null, but received 0.5'],
  [{ model_type: 'mistral', num_key_value_heads: null }, 'num_key_value_heads: expected a whole number ≥ 1'],
  [{ model_type: 'qwen3', head_dim: null }, 'head_dim: expected a whole number ≥ 1, but received null'],
  [{ model_type: 'bert', add_cross_attention: true }, 'is_decoder: expected true, since add_cross_attention is true'],
  [{ model_type: 'vit', image_size: [224] }, 'image_size: expected a whole number ≥ 1, or two of them'],
  [{ model_type: 'vit', image_size: 8 }, 'image_size: expected at least patch_size, but received 8'],
  [{ model_type: 'vit', initializer_range: 0 }, 'initializer_range: expected a finite number > 0, but received 0'],
  [{ model_type: 't5', feed_forward_proj: 'a-b' }, "feed_forward_proj: expected a name such as 'relu'"],
  [{ model_type: 't5', num_decoder_layers: 1e6 }, 'num_decoder_layers: expected a whole number ≥ 1 and ≤ 100000'],
])('%j is refused', (config, message) => {
  expect(() => planOf(config)).toThrow(InputError);
  expect(() => planOf(config)).toThrow(message);
});

test('an unknown name is refused, the nearest one named', () => {
  expect(() => planOfName('resnet19')).toThrow(InputError);
  expect(() => planOfName('resnet19')).toThrow(
    /^model: expected one of 'resnet18', .*'resnet19' \(did you mean 'resnet18'\?\)$/,
  );
  expect(() => planOfName('constructor')).toThrow(InputError);
});
