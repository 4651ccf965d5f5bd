// Configs, recipes, rules and manifests that are almost right: a plan that can be laid out, or a refusal in one line, and soon.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { InputError, loadPlan, virtualCheckpoint, writeCheckpoint } from '../../lib/checkpoint.js';
import { readHeaders } from '../../lib/formats/reader.js';
import { expectOften, fuzzed } from './fuzzed.js';
import { inputsIn, mutated, mutatedJson } from './mutated.js';

let root = '';
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'nninit-fuzz-'));
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

/** Whatever comes of it is there soon; an error is an InputError of one line. */
async function soon<T>(work: () => Promise<T>): Promise<T | undefined> {
  const start = performance.now();
  try {
    return await work();
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none may be printed
    expect((error as Error).message).toMatch(/^[^\u0000-\u001f\u007f-\u009f]+$/);
    expect((error as InputError).code).toMatch(/^ERR_NNINIT_/);
    return undefined;
  } finally {
    expect(performance.now() - start).toBeLessThan(15_000);
  }
}

describe.each([
  ['config', ['test/fuzz/corpus/config']],
  ['recipe', ['test/fuzz/corpus/recipe', 'examples/recipes']],
])('a %s that is almost right', (kind, folders) => {
  test('is a plan, or refused in one line', async () => {
    const inputs = inputsIn(...folders);
    const path = join(root, `${kind}.json`);
    let plans = 0;
    await fc.assert(
      fc.asyncProperty(fc.oneof(mutatedJson(inputs), mutated(inputs)), async (bytes) => {
        writeFileSync(path, bytes);
        const plan = await soon(() => loadPlan(path));
        if (plan === undefined) return;
        plans += 1;
        const checkpoint = await soon(async () => virtualCheckpoint(plan, { seed: 1 }));
        for (const { size } of checkpoint?.files ?? []) expect(Number.isSafeInteger(size)).toBe(true);
      }),
      fuzzed(900), // of recipes, one in ten is still a plan
    );
    expectOften(plans, 20);
  });
});

test('rules that are almost right are followed, or refused in one line', async () => {
  const inputs = inputsIn('test/fuzz/corpus/rules');
  const [rules, config] = [join(root, 'rules.json'), join(root, 'of-rules.json')];
  writeFileSync(config, inputsIn('test/fuzz/corpus/config')[0] ?? '');
  let followed = 0;
  await fc.assert(
    fc.asyncProperty(fc.oneof(mutatedJson(inputs), mutated(inputs)), async (bytes) => {
      writeFileSync(rules, bytes);
      if ((await soon(() => loadPlan(config, { rules }))) !== undefined) followed += 1;
    }),
    fuzzed(300),
  );
  expectOften(followed, 10);
});

describe.each(['npy', 'raw', 'safetensors'] as const)('a folder of %s files in which one is damaged', (format) => {
  test('is what it was, or refused in one line', async () => {
    const folder = join(root, format);
    const tensors = { a: { shape: [3, 2], init: 'normal' }, b: { shape: [], init: 'ones', dtype: 'float64' } };
    // Two files and an index of safetensors.
    await writeCheckpoint(await loadPlan({ tensors }), folder, {
      seed: 1,
      format,
      ...(format === 'safetensors' ? { maxShardSize: 24 } : {}),
    });
    const read = async () => (await readHeaders(folder)).tensors;
    const shapes = async () => Array.from(await read(), ([name, { shape, dtype }]) => ({ name, shape, dtype }));
    const before = await shapes();
    const files = readdirSync(folder).map((name) => ({
      path: join(folder, name),
      bytes: readFileSync(join(folder, name)),
    }));
    const damaged = fc.constantFrom(...files).chain((file) => {
      const json = file.path.endsWith('.json') ? [mutatedJson([file.bytes])] : [];
      return fc.record({ file: fc.constant(file), bytes: fc.oneof(mutated([file.bytes]), ...json) });
    });
    await fc.assert(
      fc.asyncProperty(damaged, async ({ file, bytes }) => {
        writeFileSync(file.path, bytes);
        const after = await soon(shapes);
        writeFileSync(file.path, file.bytes);
        // Names are what a manifest, an index or a header says; shapes must agree with the files.
        if (after !== undefined && !file.path.endsWith('.json') && format !== 'safetensors')
          expect(after).toEqual(before);
      }),
      fuzzed(300),
    );
  });
});
