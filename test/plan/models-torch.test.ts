import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { fillPart } from '../../lib/checkpoint/virtual/fill-part.js';
import { readJson } from '../../lib/core/json.js';
import { keysFor } from '../../lib/plan/keys.js';
import { type ModelPlan, planOfConfig, planOfName } from '../../lib/plan/models.js';
import { resolvePlan } from '../../lib/plan/plan.js';
import recorded from '../fixtures/torch/models.json' with { type: 'json' };

// Whole models, as PyTorch constructs them under a seed, from their plans.

/** The plan of what a case's text says. */
function planOf(model: string): ModelPlan {
  const named = /^torchvision\.models\.(\w+)\(/.exec(model)?.[1];
  if (named !== undefined) return planOfName(named);
  const [, family = '', settings = ''] =
    /^transformers (\w+?)(?:LMHeadModel|ForCausalLM)\(\w+\((.*)\)\)$/.exec(model) ?? [];
  const given = Object.fromEntries(settings.split(', ').map((setting) => setting.split('=')));
  const config = { model_type: family.toLowerCase(), ...given };
  const numbers = JSON.stringify(config, (_, value) => (/^\d+$/.test(value) ? Number(value) : value));
  return planOfConfig(readJson(Buffer.from(numbers), 'config.json'));
}

describe.each(recorded.cases)('$model', ({ model, seed, state_dict }) => {
  test('has the bytes that PyTorch gives it', () => {
    const plan = planOf(model);
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
