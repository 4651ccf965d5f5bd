import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isPossible, Laboratory } from './laboratory.js';
import { endingsOf, prepare, tryEndings } from './matrix.js';
import { drawRound, race } from './race.js';
import { errors, errorsOf, scenarioOf, tryAll, wrongOf } from './scenarios.js';

// A part of what scripts/crash-matrix tries.
describe.skipIf(!isPossible)('a run that ends at any system call', () => {
  let lab: Laboratory;
  beforeAll(() => {
    lab = new Laboratory();
  });
  afterAll(() => lab.remove(lab.root));

  test.each(['--force, single file', '--force, shards', '--resume, shards', 'three parts, --force, npy'])(
    '%s: one whole checkpoint is there, or none, and --resume and --force go on',
    async (name) => {
      const prepared = await prepare(lab, scenarioOf(name));
      expect(wrongOf(await tryEndings(lab, prepared))).toEqual([]);
      // What the copies show is what a process leaves that is ended in earnest.
      const some = endingsOf(prepared.calls).filter((_, i) => i % 27 === 4);
      const outcomes = await tryAll(lab, prepared, some);
      expect(wrongOf(outcomes)).toEqual([]);
      expect(outcomes.filter(({ reached }) => reached).length).toBeGreaterThan(some.length / 2);
    },
    240_000,
  );

  test('an error of the system is one line with the path, and loses nothing', async () => {
    const prepared = await prepare(lab, scenarioOf('--force, shards'));
    const faults = await Promise.all(errors.map((row) => errorsOf(lab, prepared, row)));
    const some = faults.flatMap((each) =>
      each.length === 0 ? [] : [each[Math.floor(each.length * 0.7)] ?? { at: 1, how: '5' }],
    );
    expect(some.length).toBeGreaterThan(10);
    expect(wrongOf(await tryAll(lab, prepared, some))).toEqual([]);
  }, 240_000);

  test('of two at once one succeeds, or both say why, and no file is spoiled', async () => {
    let seed = 12345;
    const random = () => {
      seed = (seed * 1103515245 + 12345) % 2 ** 31;
      return seed / 2 ** 31;
    };
    const rounds = Array.from({ length: 8 }, () => drawRound(random));
    const outcomes = await Promise.all(
      [0, 4].map(async (from) => {
        const wrong: string[] = [];
        for (const round of rounds.slice(from, from + 4)) wrong.push(...(await race(lab, round)).wrong);
        return wrong;
      }),
    );
    expect(outcomes.flat()).toEqual([]);
  }, 240_000);
});
