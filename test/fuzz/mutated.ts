// Inputs that are almost right: those that are there, changed in a few places.
import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';

const root = new URL('../../', import.meta.url);

/** The inputs in folders of this project: the usual ones, and those that something was found with. */
export function inputsIn(...folders: string[]): Buffer[] {
  return folders.flatMap((folder) => {
    const url = new URL(`${folder}/`, root);
    return readdirSync(url)
      .sort()
      .map((file) => readFileSync(new URL(file, url)));
  });
}

const interesting = fc.constantFrom(...Buffer.from('{}[]",:0123456789-+.eE \\u\n\0tnfFBI/*?'), 0xff, 0xc0, 0xed);
const change = fc.record({
  at: fc.nat(),
  byte: fc.oneof(interesting, fc.nat(255)),
  how: fc.constantFrom('replace', 'insert', 'remove', 'cut'),
});

/** Some of the inputs with up to three bytes replaced, put in or left out, or cut off. */
export function mutated(inputs: readonly Uint8Array[]): fc.Arbitrary<Buffer> {
  return fc
    .tuple(fc.constantFrom(...inputs), fc.array(change, { minLength: 1, maxLength: 3 }))
    .map(([input, changes]) =>
      changes.reduce((bytes, { at, byte, how }) => {
        const from = at % (bytes.length + 1);
        const tail = { replace: from + 1, insert: from, remove: from + 1, cut: bytes.length }[how];
        const added = how === 'replace' || how === 'insert' ? [byte] : [];
        return Buffer.concat([bytes.subarray(0, from), Buffer.from(added), bytes.subarray(tail)]);
      }, Buffer.from(input)),
    );
}

/** What takes the place of a value in JSON. */
const other = fc.oneof(
  fc.constantFrom<unknown>(0, 1, 2, 3, 7, -1, 0.5, 1e-5, 64, 1e6, 2 ** 31, 2 ** 53 - 1, 2 ** 53, 1e308, -1e308),
  fc.constantFrom<unknown>(true, false, null, '', 'x', '__proto__', 'a\nb', [], {}, [2, 3], [0], ['x'], {
    init: 'normal',
  }),
  fc.constantFrom<unknown>('normal', 'orthogonal', 'float16', 'int64', 'gelu', '{0..3}', '*', '1GB'),
  fc.jsonValue({ maxDepth: 2 }),
);

/** Some of the inputs, JSON objects, with up to three values replaced or left out. */
export function mutatedJson(inputs: readonly Uint8Array[]): fc.Arbitrary<Buffer> {
  const change = fc.record({ at: fc.nat(), value: other, remove: fc.boolean() });
  return fc
    .tuple(fc.constantFrom(...inputs), fc.array(change, { minLength: 1, maxLength: 3 }))
    .map(([input, changes]) => {
      const value = JSON.parse(input.toString()) as unknown;
      for (const { at, value: drawn, remove } of changes) {
        const given = structuredClone(drawn); // what is put in is changed next, and drawn again
        const places = placesIn(value);
        const [holder, key] = places[at % places.length] ?? [];
        if (holder === undefined || key === undefined) break;
        if (remove) delete holder[key];
        else Object.defineProperty(holder, key, { value: given, enumerable: true, configurable: true, writable: true });
      }
      return Buffer.from(JSON.stringify(value));
    });
}

type Holder = Record<string, unknown>;

/** All keys in a value, with the objects that hold them. */
function placesIn(value: unknown): [holder: Holder, key: string][] {
  if (typeof value !== 'object' || value === null) return [];
  const holder = value as Holder;
  return Object.keys(holder).flatMap((key) => [[holder, key] as [Holder, string], ...placesIn(holder[key])]);
}
