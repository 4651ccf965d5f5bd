import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isFileName, readIndex } from '../../../lib/formats/safetensors/read-index.js';
import { temporaryFolder } from '../../checkpoint/temporary.js';
import { expectOften, fuzzed } from '../../fuzz/fuzzed.js';

const root = temporaryFolder();

async function read(text: string): Promise<[string, string][] | undefined> {
  const path = join(root.path, 'model.safetensors.index.json');
  writeFileSync(path, text);
  return readIndex(path).then(
    (files) => [...files].sort(),
    () => undefined,
  );
}

/** What Python's json and the rules of names say. */
function expected(text: string): [string, string][] | undefined {
  try {
    const map = (JSON.parse(text) as { weight_map?: unknown }).weight_map;
    if (typeof map !== 'object' || map === null || Array.isArray(map)) return undefined;
    const entries = Object.entries(map);
    if (entries.length === 0 || !entries.every(([, file]) => typeof file === 'string' && isFileName(file)))
      return undefined;
    return entries.sort();
  } catch {
    return undefined;
  }
}

const name = fc.oneof(
  fc.constantFrom('h.0.weight', 'h.1.weight', '0', '1', '__proto__', 'weight_map', 'é', 'a"b', 'a\\b', 'tab\t', ''),
  fc.string(),
);
const file = fc.oneof(fc.constantFrom('1.safetensors', '2.safetensors'), fc.constantFrom('../x', '', 'ä.safetensors'));
const map = fc.array(fc.tuple(name, file), { maxLength: 6 });
const spaces = fc.constantFrom('', ' ', '\n  ');

/** An object of pairs, written by hand: keys may stand twice. */
const written = (pairs: readonly (readonly [string, string])[], space: string) =>
  `{${space}${pairs.map(([key, value]) => `${JSON.stringify(key)}:${space}${value}`).join(`,${space}`)}${space}}`;

test('an index is what JSON says it is, however it is written', async () => {
  let found = 0;
  const member = fc.tuple(fc.constantFrom('weight_map', 'weight_map', 'metadata', 'x"weight_map'), map, fc.boolean());
  await fc.assert(
    fc.asyncProperty(
      fc.array(member, { maxLength: 3 }),
      spaces,
      fc.nat(),
      fc.nat(9),
      async (parts, space, at, spoil) => {
        const members = parts.map(([key, pairs, isDeep]) => {
          const object = written(
            pairs.map(([tensor, of]) => [tensor, JSON.stringify(of)] as const),
            space,
          );
          return [key, isDeep && key === 'metadata' ? `{"weight_map": ${object}}` : object] as const;
        });
        const text = written(members, space);
        const place = at % text.length;
        const broken = spoil > 0 ? text : text.slice(0, place) + text.slice(place + 1);
        const files = await read(broken);
        if (files !== undefined) found += 1;
        expect(files).toEqual(expected(broken));
      },
    ),
    fuzzed(1000),
  );
  expectOften(found, 50);
});
