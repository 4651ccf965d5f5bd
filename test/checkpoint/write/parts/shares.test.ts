import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cutBytes, missingOf, shareOf } from '../../../../lib/checkpoint/write/parts/shares.js';

const head = new Uint8Array(0);
const files = fc
  .array(fc.oneof(fc.nat(10), fc.nat(5 * cutBytes), fc.nat(2 ** 40)), { minLength: 1, maxLength: 8 })
  .map((sizes) => sizes.map((fileBytes, i) => ({ name: `f${i}`, head, fileBytes })));

test('parts are all of every file, each byte once, and about as long as each other', () => {
  fc.assert(
    fc.property(files, fc.integer({ min: 1, max: 40 }), (all, count) => {
      const shares = Array.from({ length: count }, (_, index) => shareOf({ files: all }, { index, count }));
      const total = all.reduce((sum, { fileBytes }) => sum + fileBytes, 0);
      for (const [file, { fileBytes }] of all.entries()) {
        const extents = shares.flat().filter((extent) => extent.file === file);
        let at = 0;
        for (const { begin, end } of extents) {
          expect(begin).toBe(at);
          expect(begin % cutBytes).toBe(0);
          at = end;
        }
        expect(at).toBe(fileBytes);
        if (fileBytes === 0) expect(extents).toHaveLength(1);
      }
      for (const share of shares) {
        const bytes = share.reduce((sum, { begin, end }) => sum + end - begin, 0);
        expect(Math.abs(bytes - total / count)).toBeLessThanOrEqual(cutBytes + 1);
      }
    }),
  );
});

test('what is missing of an extent is what neither the beginning nor a mark has', () => {
  const all = { files: [{ name: 'f', head: new Uint8Array(10), fileBytes: 100 }] };
  const nothing = { complete: new Set<string>(), held: new Map(), partial: new Map(), parts: new Map() };
  const wanted = { file: 0, begin: 5, end: 90 };
  const parts = new Map([
    [
      'f',
      [
        { begin: 30, end: 40 },
        { begin: 60, end: 95 },
      ],
    ],
  ]);
  const partial = new Map([['f', { file: 'f.tmp', bytes: 10 }]]);
  expect(missingOf(all, wanted, nothing)).toEqual([wanted]);
  expect(missingOf(all, wanted, { ...nothing, parts })).toEqual([
    { file: 0, begin: 5, end: 30 },
    { file: 0, begin: 40, end: 60 },
  ]);
  expect(missingOf(all, wanted, { ...nothing, parts, partial })).toEqual([
    { file: 0, begin: 20, end: 30 },
    { file: 0, begin: 40, end: 60 },
  ]);
  expect(missingOf(all, { ...wanted, begin: 35 }, { ...nothing, parts })).toEqual([{ file: 0, begin: 40, end: 60 }]);
  expect(missingOf(all, { file: 0, begin: 60, end: 100 }, { ...nothing, parts })).toEqual([
    { file: 0, begin: 95, end: 100 },
  ]);
  expect(missingOf(all, wanted, { ...nothing, complete: new Set(['f']) })).toEqual([]);
  expect(missingOf(all, wanted, { ...nothing, held: new Map([['f', 'f.done']]) })).toEqual([]);
});
