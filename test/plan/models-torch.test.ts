import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { fillPart } from '../../lib/checkpoint/virtual/fill-part.js';
import { viewOf } from '../../lib/core/dtype.js';
import { documentOf, readJson } from '../../lib/core/json.js';
import { keysFor } from '../../lib/plan/keys.js';
import { type ModelPlan, planOfConfig, planOfName } from '../../lib/plan/models.js';
import { resolvePlan } from '../../lib/plan/plan.js';
import { tensor as tensorOf } from '../../lib/tensor/tensor.js';
import { toFloat32Array } from '../../lib/tensor/widen.js';
import recorded from '../fixtures/torch/models.json' with { type: 'json' };
import { tinyCases } from './model-cases.js';

// Whole models, as PyTorch constructs them under a seed, from their plans.

/** The plan of what a case's text says. */
async function planOf(model: string): Promise<ModelPlan> {
  const named = /^torchvision\.models\.(\w+)\(/.exec(model)?.[1];
  if (named !== undefined) return planOfName(named);
  const [, family = '', settings = ''] =
    /^transformers (\w+?)(?:LMHeadModel|ForCausalLM)\(\w+\((.*)\)\)$/.exec(model) ?? [];
  const given = Object.fromEntries(settings.split(', ').map((setting) => setting.split('=')));
  const config = { model_type: family.toLowerCase(), ...given };
  const numbers = JSON.stringify(config, (_, value) => (/^\d+$/.test(value) ? Number(value) : value));
  return planOfConfig(readJson(Buffer.from(numbers), 'config.json'));
}

const computed = tinyCases.filter(({ values }) => values !== undefined);

test.each(computed.map((tiny) => [tiny.class, tiny] as const))(
  '%s: tables, and what is computed from random numbers, are the reference’s',
  async (_, { class: name, config, values = {} }) => {
    const plan = await planOfConfig(documentOf({ architectures: [name], ...config }, 'config.json'));
    const tensors = resolvePlan(plan);
    const keys = keysFor('torch', 0n, { tensors, draws: plan.draws });
    for (const [tensor, numbers] of Object.entries(values)) {
      const expected = numbers.split(' ').map(Number);
      const resolved = tensors.find((one) => one.name === tensor);
      if (resolved === undefined) throw new Error(`no tensor ${tensor}`);
      const bytes = new Uint8Array(resolved.bytes);
      fillPart(resolved, bytes, 0, keys.of(resolved), 0);
      if (resolved.steps !== undefined) {
        expect(Array.from(new BigInt64Array(bytes.buffer), Number), tensor).toEqual(expected);
        continue;
      }
      const { shape } = resolved;
      const dtype = resolved.dtype === 'bfloat16' ? 'bfloat16' : 'float32';
      const found = toFloat32Array(tensorOf(viewOf(dtype, bytes.buffer, 0, expected.length), shape, { dtype }));
      // The reference rounds steps on the way to float32, angles of sines too; ours are rounded once.
      const step = dtype === 'bfloat16' ? 2 ** -8 : 5e-7;
      const scale = resolved.fill.kind === 'sinusoid' ? (shape[0] ?? 0) * 1e-7 : step;
      for (const [i, x] of found.entries()) {
        const exact = expected[i] ?? Number.NaN;
        expect(Math.abs(x - exact), `${tensor} ${i}`).toBeLessThanOrEqual(scale * Math.max(1, Math.abs(exact)));
      }
    }
  },
);

describe.each(recorded.cases)('$model', ({ model, seed, state_dict }) => {
  test('has the bytes that PyTorch gives it', async () => {
    const plan = await planOf(model);
    const tensors = resolvePlan(plan);
    const keys = keysFor('torch', BigInt(seed), { tensors, draws: plan.draws });
    const expected = state_dict as Readonly<Record<string, { readonly sha256: string }>>;
    const found = tensors.map((tensor) => {
      const bytes = new Uint8Array(tensor.bytes);
      fillPart(tensor, bytes, 0, keys.of(tensor), 0);
      return [tensor.name, createHash('sha256').update(bytes).digest('hex')];
    });
    expect(found).toEqual(tensors.map(({ name }) => [name, expected[name]?.sha256]));
    const tied = Object.keys(expected).filter((name) => !tensors.some((tensor) => tensor.name === name));
    expect(tied).toEqual(model.includes('GPT2') ? ['lm_head.weight'] : []);
  });
});
