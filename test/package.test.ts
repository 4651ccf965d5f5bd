// What npm packs: all that an installed package needs, and nothing that only a clone does.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../', import.meta.url));
const listed = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
  cwd: root,
  encoding: 'utf8',
});
const [{ files }] = JSON.parse(listed) as [{ files: { path: string }[] }];
const packed = files.map(({ path }) => path);

function below(folder: string): string[] {
  const entries = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' });
  return entries.filter((path) => extname(path) !== '').map((path) => join(folder, path));
}

test('each source is compiled, and nothing else is there (`npm run build` removes what is left of others)', () => {
  const sources = ['lib', 'bench/harness', 'bench/pictures'].flatMap(below);
  const compiled = sources.flatMap((path) =>
    ['.js', '.js.map', '.d.ts'].map((end) => `dist/${path.replace(/\.ts$/, end)}`),
  );
  const isOurs = (path: string) => /^(lib|dist|bench\/(harness|pictures))\//.test(path);
  expect(packed.filter(isOurs).sort()).toEqual([...sources, ...compiled].sort());
});

test('all of the C++ is there but its tests', () => {
  const sources = below('native').filter((path) => !path.startsWith('native/test/'));
  expect(packed.filter((path) => path.startsWith('native/')).sort()).toEqual(sources.sort());
  expect(packed).toContain('CMakeLists.txt');
  expect(packed).toContain('scripts/build-native.js');
});

test('nothing that only a clone needs', () => {
  const folders = new Set(packed.filter((path) => path.includes('/')).map((path) => path.split('/')[0]));
  expect([...folders].sort()).toEqual(['bench', 'dist', 'docs', 'examples', 'lib', 'native', 'scripts']);
  expect(packed.filter((path) => path.startsWith('bench/') && path.endsWith('.json'))).toEqual([
    'bench/checksums.json',
  ]);
  expect(packed.filter((path) => path.startsWith('scripts/'))).toEqual(['scripts/build-native.js']);
});

test('the links of README and docs lead to what is there', () => {
  const pages = packed.filter((path) => path.endsWith('.md'));
  expect(pages.length).toBeGreaterThan(10);
  const leadsNowhere = pages.flatMap((page) => {
    const links = [...readFileSync(join(root, page), 'utf8').matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map(
      ([, link = '']) => link,
    );
    return links
      .filter((link) => !/^[a-z]+:/.test(link))
      .map((link) => normalize(join(dirname(page), link)))
      .filter((path) => !packed.some((each) => each === path || each.startsWith(`${path}/`)))
      .map((path) => `${page}: ${path}`);
  });
  expect(leadsNowhere).toEqual([]);
});
