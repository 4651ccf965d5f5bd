// Imports go downwards only: docs/design.md lists the rooms from top to bottom, and nothing imports in a circle.
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../', import.meta.url));

interface Import {
  readonly from: string;
  readonly to: string;
}

const folders = ['lib', 'bench/harness', 'bench/pictures'];

/** All imports within the library and the benchmark's harness, of types too, and those at run time. */
function allImports(): Import[] {
  return folders
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => posix.join(folder, file)),
    )
    .filter((file) => file.endsWith('.ts'))
    .map((file) => file.replaceAll('\\', '/'))
    .flatMap((from) => {
      const text = readFileSync(join(root, from), 'utf8');
      const found = text.matchAll(/\b(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']+)'/g);
      return Array.from(found, ([, path = '']) => ({
        from,
        to: posix.join(posix.dirname(from), path).replace(/\.js$/, '.ts'),
      }));
    });
}

/** lib/'s folders, the benchmark as one, and 'public' for the files that package.json exports. */
function roomOf(path: string): string {
  const [top = '', room = '', ...more] = path.split('/');
  if (top === 'bench') return 'bench';
  return more.length === 0 ? 'public' : room;
}

/** The rooms in the order of the design's list. */
function listed(): string[] {
  const text = readFileSync(join(root, 'docs/design.md'), 'utf8');
  const block = /## Rooms\n[\s\S]*?```\n([\s\S]*?)```/.exec(text)?.[1] ?? '';
  return Array.from(block.matchAll(/^(\w+)\/? /gm), ([, name = '']) => name);
}

test('the design lists all rooms', () => {
  const names = readdirSync(join(root, 'lib'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect([...listed()].sort()).toEqual([...names.map(({ name }) => name), 'bench', 'public'].sort());
});

/** Imports that lead up the list. */
function upwards(imports: readonly Import[]): Import[] {
  const rows = new Map(listed().map((room, row) => [room, row]));
  return imports.filter(({ from, to }) => (rows.get(roomOf(to)) ?? -1) < (rows.get(roomOf(from)) ?? 0));
}

test('rooms import only those that the design lists below them', () => {
  const imports = allImports();
  expect(imports.length).toBeGreaterThan(300);
  expect(upwards(imports)).toEqual([]);
  expect(upwards([{ from: 'lib/core/check.ts', to: 'lib/plan/plan.ts' }])).toHaveLength(1);
});
