import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { fill_part } from '../../lib/checkpoint/virtual/fill-part.js';
import { read_json } from '../../lib/core/json.js';
import { keys_for } from '../../lib/plan/keys.js';
import { type ModelPlan, plan_of_config, plan_of_name } from '../../lib/plan/models.js';
import { resolve_plan } from '../../lib/plan/plan.js';
import recorded from '../fixtures/torch/models.json' with { type: 'json' };

// Whole models, as PyTorch constructs them under a seed, from their plans.

/** The plan of what a case's text says. */
function plan_of(model: string): ModelPlan {
  const named = /^torchvision\.models\.(\w+)\(/.exec(model)?.[1];
  if (named !== undefined) return plan_of_name(named);
  const [, family = '', settings = ''] =
    /^transformers (\w+?)(?:LMHeadModel|ForCausalLM)\(\w+\((.*)\)\)$/.exec(model) ?? [];
  const given = Object.fromEntries(settings.split(', ').map((setting) => setting.split('=')));
  const config = { model_type: family.toLowerCase(), ...given };
  const numbers = JSON.stringify(config, (_, value) => (/^\d+$/.test(value) ? Number(value) : value));
  return plan_of_config(read_json(Buffer.from(numbers), 'config.json'));
}

describe.each(recorded.cases)('$model', ({ model, seed, state_dict }) => {
  test('has the bytes that PyTorch gives it', () => {
    const plan = plan_of(model);
    const tensors = resolve_plan(plan);
    const keys = keys_for('torch', BigInt(seed), { tensors, draws: plan.draws });
    const expected = state_dict as Readonly<Record<string, { readonly sha256: string }>>;
    const found = tensors.map((tensor) => {
      const bytes = new Uint8Array(tensor.bytes);
      fill_part(tensor, bytes, 0, keys.of(tensor), 0);
      return [tensor.name, createHash('sha256').update(bytes).digest('hex')];
    });
    expect(found).toEqual(tensors.map(({ name }) => [name, expected[name]?.sha256]));
    const tied = Object.keys(expected).filter((name) => !tensors.some((tensor) => tensor.name === name));
    expect(tied).toEqual(model.includes('GPT2') ? ['lm_head.weight'] : []);
  });
});
