import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

interface Mutant {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const path = (relative: string) => new URL(`../../${relative}`, import.meta.url);
const read = (relative: string) => readFileSync(path(relative), 'utf8');
const list = async () =>
  (await import(path('scripts/mutants/list.js').href)) as {
    mutants: readonly Mutant[];
    coefficientMutants(file: string, source: string): (readonly [string, string, string])[];
  };

// The run itself takes ten minutes (npm run mutants): here it is only seen that it would find what it changes.
test('the constants that mutants change are in the code', async () => {
  const { mutants } = await list();
  expect(mutants.length).toBeGreaterThan(100);
  const gone = mutants.filter(({ file, from }) => {
    const source = path(`native/${file}`);
    return !existsSync(source) || !readFileSync(source, 'utf8').includes(from);
  });
  expect(gone).toEqual([]);
});

test('docs/mutants.md has each of them, and no other', async () => {
  const { mutants, coefficientMutants } = await list();
  const coefficients = ['kernels/math-inl.h', 'torch/words-inl.h']
    .flatMap((file) => coefficientMutants(file, read(`native/${file}`)))
    .map(([file, from, to]) => ({ file, from, to }));
  const code = (text: string) => `\`${text.replaceAll('|', '\\|')}\``;
  const expected = [...mutants, ...coefficients].map(
    ({ file, from, to }) => `| ${file} | ${code(from)} | ${code(to)} |`,
  );
  const rows = [...read('docs/mutants.md').matchAll(/^\| \S+ \| `.*?` \| `.*?` \|/gm)].map(([row]) => row);
  expect(rows.toSorted()).toEqual(expected.toSorted());
});
