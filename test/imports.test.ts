// Imports go downwards only: docs/design.md says in which order the folders of lib/ stand, and nothing there imports in a circle.
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../', import.meta.url));

interface Import {
  readonly from: string;
  readonly to: string;
}

/** All imports within lib/, of types too, and those at run time. */
function importsOfLib(): Import[] {
  const files = readdirSync(join(root, 'lib'), { recursive: true, encoding: 'utf8' });
  return files
    .filter((file) => file.endsWith('.ts'))
    .map((file) => file.replaceAll('\\', '/'))
    .flatMap((from) => {
      const text = readFileSync(join(root, 'lib', from), 'utf8');
      const found = text.matchAll(/\b(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']+)'/g);
      return Array.from(found, ([, path = '']) => ({
        from,
        to: posix.join(posix.dirname(from), path).replace(/\.js$/, '.ts'),
      }));
    });
}

/** A folder with all that is in it, or a file that is in none. */
const partOf = (path: string): string => path.split('/')[0] ?? path;

/** A way that leads from a part back to it; undefined where there is none. */
function circle(imports: readonly Import[]): string[] | undefined {
  const below = new Map<string, Set<string>>();
  for (const { from, to } of imports) {
    const [upper, lower] = [partOf(from), partOf(to)];
    if (upper !== lower) below.set(upper, (below.get(upper) ?? new Set()).add(lower));
  }
  const done = new Set<string>();
  const walk = (part: string, way: readonly string[]): string[] | undefined => {
    if (way.includes(part)) return [...way.slice(way.indexOf(part)), part];
    if (done.has(part)) return undefined;
    for (const lower of below.get(part) ?? []) {
      const found = walk(lower, [...way, part]);
      if (found !== undefined) return found;
    }
    done.add(part);
    return undefined;
  };
  for (const part of below.keys()) {
    const found = walk(part, []);
    if (found !== undefined) return found;
  }
  return undefined;
}

test('no folder and no file of lib/ imports one that imports it', () => {
  const imports = importsOfLib();
  expect(imports.length).toBeGreaterThan(300);
  expect(circle(imports)).toBe(undefined);
  expect(circle([...imports, { from: 'check.ts', to: 'checkpoint/plan.ts' }])).toContain('check.ts');
});

test('folders import only those that docs/design.md names after them', () => {
  const line = /^Folders from the top:(.*)\.$/m.exec(readFileSync(join(root, 'docs/design.md'), 'utf8'))?.[1] ?? '';
  const names = (text: string) => Array.from(text.matchAll(/`([^`]+)`/g), ([, name = '']) => name);
  const rowOf = new Map(line.split('→').flatMap((row, index) => names(row).map((name) => [name, index] as const)));
  const folders = readdirSync(join(root, 'lib'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect([...rowOf.keys()].sort()).toEqual(folders.map(({ name }) => name).sort());

  const upwards = importsOfLib().filter(({ from, to }) => {
    const [upper, lower] = [partOf(from), partOf(to)];
    const rows = [rowOf.get(upper), rowOf.get(lower)] as const;
    return upper !== lower && rows[0] !== undefined && rows[1] !== undefined && rows[0] >= rows[1];
  });
  expect(upwards).toEqual([]);
});
