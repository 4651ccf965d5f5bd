import { createHash } from 'node:crypto';
import { describe, expect, it, test } from 'vitest';
import * as layers from '../../../lib/nn/layers/index.js';
import { Generator } from '../../../lib/random/generator.js';
import { sha256 } from '../../support.js';
import { call, cases, functionOf, moduleCases, title } from './support.js';

// The engine torch makes the bits of a new module of PyTorch, and stands where PyTorch's generator stands afterwards.

const bytesOf = (data: ArrayBufferView) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** A state's generator, as the fixture has it. */
const stateOf = (generator: Generator) => createHash('sha256').update(generator.get_state()).digest('hex');

describe('what was recorded', () => {
  it.each(moduleCases)('$module', ({ module, seed, state_dict }) => {
    const made = call(module, { generator: new Generator({ engine: 'torch', seed }) });
    const hashes = Object.entries(made).map(([name, { data }]) => [name, sha256(bytesOf(data) as never)]);
    expect(hashes).toEqual(Object.entries(state_dict).map(([name, tensor]) => [name, tensor.sha256]));
  });

  it.each(cases.map((each) => [title(each), each] as const))('%s', (_, { kind, args, dtype, seed, ...expected }) => {
    const generator = new Generator({ engine: 'torch', seed });
    const made = functionOf(kind)({ ...args, dtype, generator, threads: 2 });
    const all = createHash('sha256');
    for (const { data } of Object.values(made)) all.update(bytesOf(data));
    expect(all.digest('hex')).toBe(expected.sha256);
    expect(stateOf(generator)).toBe(expected.state_sha256);
  });
});

test('layers made one after the other are those of a Python script that makes them so', () => {
  const generator = new Generator({ engine: 'torch', seed: 61 });
  const first = layers.Linear(20, 30, { generator });
  const again = new Generator({ engine: 'torch', seed: 61 });
  expect(layers.Linear(20, 30, { generator: again })).toEqual(first);
  expect(layers.Linear(20, 30, { generator: again })).not.toEqual(first);
});
