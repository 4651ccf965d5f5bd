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

test('the code and its declarations are in few files: each costs an installer milliseconds', () => {
  const code = packed.filter((path) => /^dist\/(?!commonjs\/).*\.js$/.test(path));
  const named = code.filter((path) => !path.startsWith('dist/lib/chunks/'));
  expect(named.sort()).toEqual([
    'dist/bench/harness/child.js',
    'dist/bench/harness/crew-worker.js',
    'dist/lib/checkpoint.js',
    'dist/lib/checkpoint/virtual/task.js',
    'dist/lib/cli/main.js',
    'dist/lib/cluster.js',
    'dist/lib/index.js',
    'dist/lib/pool/worker.js',
    'dist/lib/report.js',
    'dist/lib/serve.js',
    'dist/lib/serve/planner-worker.js',
    'dist/vendor/detect-libc.js',
    'dist/vendor/piscina.js',
    'dist/vendor/rolldown-runtime.js',
    'dist/vendor/shared.js',
    'dist/vendor/worker.js',
  ]);
  expect(packed.filter((path) => path.endsWith('.d.ts')).length).toBeLessThan(30);
  expect(packed.length).toBeLessThan(700);
});

test('declarations lead to nothing that is not there', () => {
  const declarations = packed.filter((path) => path.startsWith('dist/lib/') && path.endsWith('.d.ts'));
  for (const face of ['checkpoint', 'cluster', 'index', 'report', 'serve']) {
    expect(declarations).toContain(`dist/lib/${face}.d.ts`);
  }
  for (const path of declarations) {
    const imports = [...readFileSync(join(root, path), 'utf8').matchAll(/(?:from|import\()\s*['"](\.[^'"]+)\.js['"]/g)];
    for (const [, to = ''] of imports) expect(packed).toContain(normalize(join(dirname(path), `${to}.d.ts`)));
  }
});

test('CommonJS has its entries, declarations that lead to nothing outside, and no code of its own', () => {
  const face = packed.filter((path) => path.startsWith('dist/commonjs/'));
  const code = face.filter((path) => !path.endsWith('.d.ts'));
  const entries = ['checkpoint.js', 'cluster.js', 'index.js', 'package.json', 'report.js', 'serve.js'].map(
    (name) => `dist/commonjs/${name}`,
  );
  expect(code.sort()).toEqual(entries);
  for (const path of face.filter((path) => path.endsWith('.d.ts'))) {
    const imports = [...readFileSync(join(root, path), 'utf8').matchAll(/(?:from|import\()\s*['"](\.[^'"]+)\.js['"]/g)];
    for (const [, to = ''] of imports) expect(face).toContain(normalize(join(dirname(path), `${to}.d.ts`)));
  }
});

test('one state, however it is loaded', () => {
  const program = `const required = require('./dist/commonjs/index.js');
    import('./dist/lib/index.js').then((imported) => console.log(required.default_generator === imported.default_generator));`;
  expect(execFileSync(process.execPath, ['-e', program], { cwd: root, encoding: 'utf8' })).toBe('true\n');
});

test('nothing is run, compiled or asked of a registry when it is installed', () => {
  const { scripts, ...fields } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const name of ['preinstall', 'install', 'postinstall', 'prepare']) expect(scripts).not.toHaveProperty(name);
  for (const name of ['dependencies', 'optionalDependencies', 'peerDependencies'])
    expect(fields).not.toHaveProperty(name);
});

test('all of the C++ is there but its tests', () => {
  const sources = below('native').filter((path) => !path.startsWith('native/test/'));
  expect(packed.filter((path) => path.startsWith('native/')).sort()).toEqual(sources.sort());
  expect(packed).toContain('CMakeLists.txt');
  expect(packed).toContain('scripts/build-native.js');
});

test('nothing that only a clone needs', () => {
  const folders = new Set(
    packed.filter((path) => path.includes('/') && !path.startsWith('prebuilds/')).map((path) => path.split('/')[0]),
  );
  expect([...folders].sort()).toEqual(['bench', 'dist', 'docs', 'examples', 'lib', 'native', 'scripts']);
  expect(packed.filter((path) => path.startsWith('bench/') && path.endsWith('.json'))).toEqual([
    'bench/checksums.json',
  ]);
  expect(packed.filter((path) => path.startsWith('lib/')).sort()).toEqual([
    'lib/report/page/client.js',
    'lib/report/page/style.css',
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
