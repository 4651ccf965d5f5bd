import fc from 'fast-check';
import { expect, test } from 'vitest';
import { partsFor } from '../../lib/cluster/cut.js';

const [mebibyte, gibibyte] = [2 ** 20, 2 ** 30];

test.each([
  ['a small checkpoint', 4 * mebibyte, 1, 1],
  ['a checkpoint of a few workers', gibibyte, 1, 16],
  ['one that is cut finely enough', 10 * gibibyte, 1, 64],
  ['a large one', 100 * gibibyte, 30, 400],
  ['10,000 checkpoints of 1 MiB', 10_000 * mebibyte, 10_000, 78],
  ['10,000 checkpoints of 16 KiB', 10_000 * 2 ** 14, 10_000, 64],
  ['two of 40 KiB', 2 * 40_960, 2, 1],
  ['the largest', 1e15, 1000, 4096],
])('%s', (_, bytes, files, parts) => expect(partsFor(bytes, files)).toBe(parts));

test('a job is worth 64 MiB, a file being worth 1 MiB besides its bytes, and more work makes no fewer jobs', () => {
  const sizes = fc.tuple(fc.nat(2 ** 44), fc.nat(1e6));
  fc.assert(
    fc.property(sizes, sizes, ([bytes, files], [more, moreFiles]) => {
      const parts = partsFor(bytes, files);
      if (parts > 1) expect((bytes + files * mebibyte) / parts).toBeGreaterThanOrEqual(64 * mebibyte);
      expect(partsFor(bytes + more, files + moreFiles)).toBeGreaterThanOrEqual(parts);
    }),
  );
});
