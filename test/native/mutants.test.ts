import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

interface Mutant {
  readonly file: string;
  readonly from: string;
}

const path = (relative: string) => new URL(`../../${relative}`, import.meta.url);

// The run itself takes ten minutes (npm run mutants): here it is only seen that it would find what it changes.
test('the constants that mutants change are in the code', async () => {
  const { mutants } = (await import(path('scripts/mutants/list.js').href)) as { mutants: readonly Mutant[] };
  expect(mutants.length).toBeGreaterThan(100);
  const gone = mutants.filter(({ file, from }) => {
    const source = path(`native/${file}`);
    return !existsSync(source) || !readFileSync(source, 'utf8').includes(from);
  });
  expect(gone).toEqual([]);
});
