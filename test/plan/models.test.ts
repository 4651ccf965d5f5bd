import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Dtype } from '../../lib/core/dtype.js';
import { InputError } from '../../lib/core/errors.js';
import { documentOf, readJson } from '../../lib/core/json.js';
import { architectures, namedModels } from '../../lib/nn/families/index.js';
import { flatten } from '../../lib/nn/flatten.js';
import { container, repeat } from '../../lib/nn/module.js';
import { linear } from '../../lib/nn/modules/index.js';
import { modelNames, modelTypes, planOfConfig, planOfName } from '../../lib/plan/models.js';
import { resolvePlan } from '../../lib/plan/plan.js';
import { processorTime } from '../support.js';
import { neededKeys } from './model-cases.js';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const example = read('examples/gpt2/config.json');

const planOfText = (text: string, dtype?: Dtype) => planOfConfig(readJson(Buffer.from(text), 'config.json'), dtype);
const planOf = (config: object, dtype?: Dtype) =>
  planOfConfig(documentOf({ model_type: 'gpt2', ...config }, 'config.json'), dtype);
const shapesOf = (plan: Awaited<ReturnType<typeof planOf>>) => plan.tensors.map(({ name, shape }) => [name, shape]);

const tiny = { n_layer: 2, n_embd: 64, n_head: 4, vocab_size: 1000, n_positions: 128 };

test("what a config leaves out has transformers' defaults", async () => {
  const plan = await planOfText(example);
  expect(resolvePlan(plan).reduce((sum, { elements }) => sum + elements, 0)).toBe(124_439_808);
  expect(shapesOf(await planOf({}))).toEqual(shapesOf(plan));
});

test.each(Object.entries(neededKeys))('%s is refused without what transformers needs, %j', async (model_type, keys) => {
  await expect(planOf({ model_type })).rejects.toThrow(`${Object.keys(keys)[0]}: expected `);
});

test.each(modelTypes)('%s has a plan without any other key', async (model_type) => {
  const plan = await planOf({ model_type, ...neededKeys[model_type] });
  const parameters = resolvePlan(plan).reduce((sum, { elements }) => sum + elements, 0);
  expect(parameters).toBeGreaterThan(1e7);
  if (/^(clip|siglip|dinov3)|_vl_text$|_vision$|pixtral|encoder-decoder/.test(model_type)) return; // these have no head
  expect(JSON.parse(plan.config).architectures[0]).toMatch(
    /(For(CausalLM|CTC|MaskedLM|PreTraining|\w+Classification|\w+Generation)|LMHeadModel|MTModel)$/,
  );
});

test.each(modelNames)('%s has a plan that resolves', async (name) => {
  const tensors = resolvePlan(await planOfName(name));
  expect(tensors.filter(({ name }) => name.endsWith('num_batches_tracked')).every(({ bytes }) => bytes === 8)).toBe(
    true,
  );
  expect((await planOfName(name, 'bfloat16')).tensors.map(({ dtype }) => dtype)).toEqual(
    tensors.map(({ dtype }) => (dtype === 'int64' ? 'int64' : 'bfloat16')),
  );
});

test("GPT-2's residual projections are scaled by 1 / sqrt(2 · layers)", async () => {
  const fills = new Map(
    resolvePlan(await planOf({ ...tiny, initializer_range: 0.1 })).map(({ name, fill }) => [name, fill]),
  );
  const normal = (std: number) => ({ kind: 'normal', mean: 0, std });
  expect(fills.get('transformer.wte.weight')).toEqual(normal(0.1));
  expect(fills.get('transformer.h.1.attn.c_proj.weight')).toEqual(normal(0.1 / Math.sqrt(4)));
  expect(fills.get('transformer.h.1.mlp.c_proj.weight')).toEqual(normal(0.1 / Math.sqrt(4)));
});

test('an untied head is written, a tied one is another name of the embedding', async () => {
  expect((await planOf({ ...tiny, tie_word_embeddings: false })).tensors.at(-1)?.name).toBe('lm_head.weight');
  const [embedding] = (await planOf(tiny)).tensors;
  expect(embedding).toMatchObject({ name: 'transformer.wte.weight', tied: ['lm_head.weight'] });
});

test('a mixture of experts says where its parts belong in what is drawn', async () => {
  const { tensors } = await planOf({
    model_type: 'mixtral',
    ...{ hidden_size: 4, intermediate_size: 6, num_hidden_layers: 1, num_attention_heads: 2, num_local_experts: 3 },
  });
  const part = (name: string) => tensors.find((tensor) => tensor.name.endsWith(name))?.partOf;
  const gate_up = 'model.layers.0.mlp.experts.gate_up_proj';
  expect(part('experts.2.w1.weight')).toEqual({ tensor: gate_up, begin: 2 * 12 * 4 });
  expect(part('experts.2.w3.weight')).toEqual({ tensor: gate_up, begin: (2 * 12 + 6) * 4 });
  expect(part('experts.1.w2.weight')).toEqual({ tensor: 'model.layers.0.mlp.experts.down_proj', begin: 4 * 6 });
});

test('heads of an odd width are refused where positions are rotary', async () => {
  for (const model_type of ['llama', 'mistral', 'mixtral', 'qwen2', 'qwen3', 'gemma', 'gemma2', 'gemma3_text']) {
    await expect(planOf({ model_type, head_dim: 7 })).rejects.toThrow('head_dim: expected an even number');
  }
});

test("heads that transformers' checks of rotary embeddings pass are accepted: even ones, and tiny ones", async () => {
  for (const head_dim of [1, 3, 4, 6])
    expect((await planOf({ model_type: 'llama', head_dim })).tensors).not.toEqual([]);
});

describe('config.json beside the weights', () => {
  test('is copied to the letter', async () => {
    expect((await planOfText(example)).config).toBe(example);
    expect((await planOfText(example.replace('\n', '\r\n'), undefined)).config).toBe(example.replace('\n', '\r\n'));
  });

  test('tells --dtype, under the name it has there, and nothing else changes', async () => {
    const told = (await planOfText(example, 'bfloat16')).config;
    expect(JSON.parse(told)).toEqual({ ...JSON.parse(example), torch_dtype: 'bfloat16' });
    expect(told).toContain('"layer_norm_epsilon": 1e-05');
    const other = '{"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "dtype": "float32", "x": 1.0}';
    expect((await planOfText(other, 'float16')).config).toBe(other.replace('float32', 'float16'));
    expect((await planOfText(other, 'float32')).config).toBe(other);
  });

  test('names the class that was written', async () => {
    const told = async (config: object) => JSON.parse((await planOf(config)).config);
    expect(await told({})).toEqual({ model_type: 'gpt2', architectures: ['GPT2LMHeadModel'] });
    expect((await told({ architectures: [] })).architectures).toEqual(['GPT2LMHeadModel']);
    expect((await told({ architectures: ['GPT2Model'] })).architectures).toEqual(['GPT2Model']);
    expect((await told({ model_type: 't5', num_layers: 1 })).architectures).toEqual(['T5ForConditionalGeneration']);
  });
});

test.each([
  [{ dtype: 'bfloat16' }, 'bfloat16'],
  [{ torch_dtype: 'float16' }, 'float16'],
  [{ torch_dtype: 'torch.float16' }, 'float16'],
  [{ dtype: null }, 'float32'],
  [{}, 'float32'],
])('the dtype of %j is %s', async (config, dtype) => {
  expect((await planOf(config)).tensors.every((tensor) => tensor.dtype === dtype)).toBe(true);
  expect((await planOf(config, 'float64')).tensors.every((tensor) => tensor.dtype === 'float64')).toBe(true);
});

test("Llama-3-405B's plan takes well under a second", async () => {
  const config = {
    model_type: 'llama',
    ...{ hidden_size: 16384, intermediate_size: 53248, num_hidden_layers: 126, num_attention_heads: 128 },
    ...{ num_key_value_heads: 8, vocab_size: 128256 },
  };
  const begin = processorTime();
  expect(resolvePlan(await planOf(config)).reduce((sum, { elements }) => sum + elements, 0)).toBe(405_853_388_800);
  expect(processorTime() - begin).toBeLessThan(500);
});

test.each<[object, string]>([
  [{ model_type: 'rwkv' }, "model_type: expected one of 'gpt2', 'llama',"],
  [
    { model_type: 'rwkv' },
    'Any other model can be written like a checkpoint of its kind, with { like: path }, or from a recipe',
  ],
  [
    { model_type: 'xlnet' },
    "received 'xlnet', a family of transformers' that nninit does not know. Any other model can be",
  ],
  [{ model_type: 'led' }, "received 'led', a family of transformers' that"],
  [{ model_type: undefined, architectures: ['X'] }, 'model_type: expected one of'],
  [{ model_type: 'gtp2' }, "received 'gtp2' (did you mean 'gpt2'?)"],
  [{ model_type: 7 }, 'model_type: expected one of'],
  [{ model_type: 'toString' }, 'model_type: expected one of'],
  [{ architectures: ['LlamaForCausalLM'] }, "but received 'LlamaForCausalLM'"],
  [{ architectures: ['toString'] }, "but received 'toString'"],
  [{ n_layer: -1 }, 'n_layer: expected a whole number ≥ 0 and ≤ 10000, but received -1'],
  [{ n_layer: 10_001 }, 'n_layer: expected a whole number ≥ 0 and ≤ 10000, but received 10001'],
  [{ n_layer: 99_999 }, 'n_layer: expected a whole number ≥ 0 and ≤ 10000, but received 99999'],
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
    "dtype: expected one of 'float32', 'float64', 'float16', 'bfloat16', but received 'int8'; the option dtype overrides it",
  ],
  [{ quantization_config: { bits: 4 } }, "quantization_config: expected a quant_method of 'fp8', "],
  [{ model_type: 'llama', hidden_size: 100 }, 'hidden_size: expected a multiple of num_attention_heads'],
  [
    { model_type: 'llama', hidden_size: 224 },
    'hidden_size: expected heads of an even width (hidden_size / num_attention_heads, here 7), since rotary position ' +
      'embeddings turn one half of a head against the other, but received 224',
  ],
  [{ model_type: 'qwen2', head_dim: 5 }, 'head_dim: expected an even number, since rotary position embeddings turn'],
  [{ architectures: 7 }, "architectures[0]: expected one of 'GPT2LMHeadModel'"],
  [{ model_type: 'llama', pad_token_id: 32000 }, 'pad_token_id: expected a row of the vocabulary'],
  [{ model_type: 'llama', pad_token_id: 0.5 }, 'pad_token_id: expected a whole number, or null, but received 0.5'],
  [{ model_type: 'mistral', num_key_value_heads: null }, 'num_key_value_heads: expected a whole number ≥ 1'],
  [{ model_type: 'qwen3', head_dim: null }, 'head_dim: expected a whole number ≥ 1, but received null'],
  [{ model_type: 'bert', add_cross_attention: true }, 'is_decoder: expected true, since add_cross_attention is true'],
  [{ model_type: 'vit', image_size: [224] }, 'image_size: expected a whole number ≥ 1, or two of them'],
  [{ model_type: 'vit', image_size: 8 }, 'image_size: expected at least patch_size, but received 8'],
  [{ model_type: 'vit', initializer_range: 0 }, 'initializer_range: expected a finite number > 0, but received 0'],
  [{ model_type: 't5', feed_forward_proj: 'a-b' }, "feed_forward_proj: expected a name such as 'relu'"],
  [{ model_type: 't5', num_decoder_layers: 1e6 }, 'num_decoder_layers: expected a whole number ≥ 0 and ≤ 10000'],
])('%j is refused', async (config, message) => {
  await expect(planOf(config)).rejects.toThrow(InputError);
  await expect(planOf(config)).rejects.toThrow(message);
});

test('an unknown name is refused, the nearest one named', async () => {
  await expect(planOfName('resnet19')).rejects.toThrow(InputError);
  await expect(planOfName('resnet19')).rejects.toThrow(
    /^model: expected one of 'resnet18', .*'resnet19' \(did you mean 'resnet18'\?\)$/,
  );
  await expect(planOfName('constructor')).rejects.toThrow(InputError);
});

test('each family and each named model is what it is loaded as', async () => {
  for (const [model_type, load] of Object.entries(architectures)) expect((await load()).model_type).toBe(model_type);
  for (const [name, load] of Object.entries(namedModels)) expect(Object.keys(await load())).toContain(name);
});

test.each([
  { num_hidden_layers: 10_000, num_local_experts: 100_000 },
  { num_hidden_layers: 7, num_local_experts: 100_000 },
])('%j has too many tensors, which is said before they are made', async (sizes) => {
  const start = processorTime();
  await expect(planOf({ model_type: 'mixtral', ...sizes })).rejects.toThrow(
    'num_local_experts: expected at most 2000000 tensors of experts, three a layer and expert, but received 100000',
  );
  expect(processorTime() - start).toBeLessThan(500);
});

test('whatever makes them, a model has no more than two million tensors', () => {
  const layer = container(
    'Layer',
    Object.fromEntries(Array.from({ length: 2001 }, (_, i) => [i, linear(1, 1, false)])),
  );
  expect(() => flatten(repeat(1000, () => layer))).toThrow('expected at most 2,000,000 tensors in all');
});

test('no family that transformers has is taken for a misspelt one, and what is near none gets no hint', async () => {
  const { otherTypes } = await import('../../lib/nn/families/other-types.js');
  expect(otherTypes.size + modelTypes.length).toBeGreaterThan(700);
  for (const model_type of [...otherTypes, 'x', 'abcd', 'my-model'])
    await expect(planOf({ model_type })).rejects.not.toThrow('did you mean');
  for (const known of modelTypes) expect(otherTypes.has(known)).toBe(false);
});

test("wav2vec 2.0's codes are in float32 in a model of any dtype, as torch.FloatTensor makes them", async () => {
  const config = { model_type: 'wav2vec2', architectures: ['Wav2Vec2ForPreTraining'], num_hidden_layers: 1 };
  const { tensors } = await planOf(config, 'bfloat16');
  const others = tensors.filter(({ dtype }) => dtype !== 'bfloat16');
  expect(others.map(({ name, dtype }) => `${name} ${dtype}`)).toEqual(['quantizer.codevectors float32']);
});

test("DeBERTa's classifier has the model's width, whatever the pooler's is", async () => {
  const config = { model_type: 'deberta-v2', hidden_size: 48, num_attention_heads: 4, pooler_hidden_size: 32 };
  const plan = await planOf({ ...config, architectures: ['DebertaV2ForSequenceClassification'] });
  const shapes = new Map(plan.tensors.map(({ name, shape }) => [name, shape]));
  expect(shapes.get('pooler.dense.weight')).toEqual([32, 32]);
  expect(shapes.get('classifier.weight')).toEqual([2, 48]);
});

test.each([
  [{ pad_token_id: 6 }, 'pad_token_id: expected a row of the positions'],
  [{ pad_token_id: -7 }, 'pad_token_id: expected a row of the positions'],
  [{ d_model: 3, encoder_attention_heads: 1, decoder_attention_heads: 1 }, 'd_model: expected no 2 and no 3'],
  [{ pad_token_id: 5 }, undefined],
])('M2M-100 is refused where its positions cannot be made: %j', async (keys, message) => {
  const plan = planOf({ model_type: 'm2m_100', max_position_embeddings: 4, ...keys });
  if (message === undefined) await expect(plan).resolves.toBeDefined();
  else await expect(plan).rejects.toThrow(message);
});

const sized = { hidden_size: 32, intermediate_size: 48, num_hidden_layers: 1, num_attention_heads: 4, vocab_size: 50 };
const gpt2 = { model_type: 'gpt2', n_embd: 32, n_layer: 1, n_head: 4, vocab_size: 50 };

// What transformers 5.18 refuses, which reads keys of the text's config and ties the head to embed_tokens.
test.each([
  [
    'llava',
    { ...gpt2, tie_word_embeddings: true },
    /tie_word_embeddings: expected false beside a text_config of model_type gpt2, whose embedding is not embed_tokens/,
  ],
  [
    'paligemma',
    { model_type: 'llama', ...sized },
    /text_config: expected a config with use_bidirectional_attention, which PaliGemma reads, but model_type llama has none/,
  ],
  [
    'mistral3',
    { model_type: 'gpt_neox', ...sized },
    /text_config: expected a config with rms_norm_eps, which Mistral 3's projector reads, but model_type gpt_neox has none/,
  ],
  [
    'paligemma',
    { model_type: 'gemma4_text', ...sized },
    /text_config: use_bidirectional_attention: expected 'all' or 'vision'/,
  ],
  [
    'idefics3',
    { model_type: 'codegen', n_embd: 32, n_layer: 1, n_head: 4, vocab_size: 50 },
    /text_config: expected a config with pad_token_id, which Idefics3 reads, but model_type codegen has none/,
  ],
])('%s is refused around a text model that transformers cannot put there', async (model_type, text_config, message) => {
  const plan = planOf({
    model_type,
    text_config,
    vision_config: sized,
    tie_word_embeddings: text_config.model_type === 'gpt2',
  });
  await expect(plan).rejects.toThrow(InputError);
  await expect(plan).rejects.toThrow(message);
});

test("PaliGemma's images have one size, which is divided by that of the patches", async () => {
  const vision_config = { model_type: 'vit', ...sized, image_size: [32, 32] };
  const plan = planOf({ model_type: 'paligemma', text_config: { ...sized, head_dim: 8 }, vision_config });
  await expect(plan).rejects.toThrow('vision_config: image_size: expected one whole number, which PaliGemma divides');
  const swin = {
    model_type: 'swin',
    image_size: 16,
    patch_size: 2,
    embed_dim: 8,
    depths: [1],
    num_heads: [2],
    window_size: 4,
  };
  const taken = { model_type: 'paligemma', text_config: { ...sized, head_dim: 8 }, vision_config: swin };
  await expect(planOf(taken)).resolves.toBeDefined();
});

test('a text model that has the key which PaliGemma reads is taken, whatever its family', async () => {
  const text_config = { model_type: 'llama', ...sized, use_bidirectional_attention: null };
  const plan = await planOf({ model_type: 'paligemma', text_config, projection_dim: 32, tie_word_embeddings: false });
  expect(plan.tensors.length).toBeGreaterThan(10);
});

test("DistilBERT's width is known to a decoder that reads it", async () => {
  const encoder = { model_type: 'distilbert', dim: 24, hidden_dim: 32, n_layers: 1, n_heads: 4, vocab_size: 50 };
  const decoder = { ...gpt2, is_decoder: true, add_cross_attention: true };
  const plan = await planOf({ model_type: 'encoder-decoder', encoder, decoder });
  expect(plan.tensors.find(({ name }) => name === 'enc_to_dec_proj.weight')?.shape).toEqual([32, 24]);
});

test("heads that do not divide the width are told of the part that has them, and an encoder's only where there is one", async () => {
  const decoder = {
    model_type: 'blenderbot',
    d_model: 18,
    decoder_attention_heads: 4,
    decoder_ffn_dim: 8,
    vocab_size: 8,
  };
  await expect(
    planOf({ model_type: 'encoder-decoder', encoder: { model_type: 'bert', ...sized }, decoder }),
  ).rejects.toThrow('config.json: decoder: d_model: expected a multiple of decoder_attention_heads, but received 18');
  const alone = { ...decoder, decoder_attention_heads: 3, max_position_embeddings: 8, decoder_layers: 1 };
  await expect(planOf(alone)).rejects.toThrow(
    'd_model: expected a multiple of encoder_attention_heads, but received 18',
  );
  const plan = await planOf({ ...alone, architectures: ['BlenderbotForCausalLM'] });
  expect(plan.tensors[0]).toMatchObject({ name: 'model.decoder.embed_tokens.weight', shape: [8, 18] });
});

test.each(['WhisperForCausalLM', 'WhisperForAudioClassification'])(
  'a %s needs heads that divide its width of the stack alone that it has',
  async (name) => {
    const [own, other] = name === 'WhisperForCausalLM' ? ['decoder', 'encoder'] : ['encoder', 'decoder'];
    const config = { model_type: 'whisper', architectures: [name], d_model: 18, vocab_size: 8, pad_token_id: 0 };
    const heads = { [`${own}_attention_heads`]: 3, [`${other}_attention_heads`]: 4 };
    await expect(planOf({ ...config, ...heads })).resolves.toBeDefined();
    await expect(planOf({ ...config, ...heads, [`${own}_attention_heads`]: 4 })).rejects.toThrow(
      `d_model: expected a multiple of ${own}_attention_heads, but received 18`,
    );
  },
);
