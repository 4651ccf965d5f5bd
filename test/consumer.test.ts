// What npm packs, seen by programs that use it: its declarations compile under old and new compilers without skipLibCheck, and what the
// compiler says of a mistake helps.
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../', import.meta.url));
const modules = join(root, 'node_modules');
const sources = join(root, 'test', 'consumer');

let folder = '';

/** Projects with nothing installed but the package and Node's types: neither Piscina nor zod is there to be found. */
const nodeTypes = { 'types 20': '@types/node', 'newest types': 'types-node-newest' } as const;
type Types = keyof typeof nodeTypes;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'nninit-consumer-'));
  const { stdout } = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
    cwd: root,
  });
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
  for (const [name, types] of Object.entries(nodeTypes)) {
    const project = join(folder, name);
    mkdirSync(join(project, 'node_modules', '@types'), { recursive: true });
    mkdirSync(join(project, 'node_modules', 'nninit'));
    cpSync(sources, project, { recursive: true });
    writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
    symlinkSync(join(modules, types), join(project, 'node_modules', '@types', 'node'));
    await run('tar', [
      '-xzf',
      join(folder, filename),
      '--strip-components=1',
      '-C',
      join(project, 'node_modules', 'nninit'),
    ]);
  }
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const mistakes = readFileSync(join(sources, 'misspelt.ts'), 'utf8')
  .split('\n')
  .flatMap((line, i) => (line.includes('//! ') ? [{ line: i + 1, says: line.slice(line.indexOf('//! ') + 4) }] : []));

interface Message {
  readonly file: string;
  readonly line: number;
  readonly text: string;
}

/** What a compiler says of both files, and of all declarations that they lead to. */
async function compile(compiler: string, types: Types, options: readonly string[]): Promise<Message[]> {
  const strict = ['--strict', '--exactOptionalPropertyTypes', '--skipLibCheck', 'false', '--types', 'node'];
  const args = ['--noEmit', '--pretty', 'false', '--target', 'ES2022', ...strict, ...options];
  const tsc = join(modules, compiler, 'bin', 'tsc');
  const done = run(process.execPath, [tsc, ...args, 'right.ts', 'misspelt.ts'], { cwd: join(folder, types) });
  const { stdout } = await done.catch((failed: { stdout: string }) => failed);
  return Array.from(stdout.matchAll(/^(.*)\((\d+),.*?: error TS\d+: (.*)$/gm), ([, file = '', line, text = '']) => {
    return { file, line: Number(line), text };
  });
}

// @types/node supports compilers of the last two years: its newest version is not for TypeScript 5.4.
describe.each([
  ['typescript-5.4', 'types 20', 'nodenext', ['--lib', 'ES2022']],
  ['typescript-5.9', 'newest types', 'bundler', ['--lib', 'ES2023']],
  ['typescript', 'newest types', 'nodenext', ['--lib', 'ES2023']],
  ['typescript', 'types 20', 'node16', ['--lib', 'ES2022']],
  ['typescript', 'types 20', 'bundler', []], // with the DOM's types
] as const)('%s, %s, module %s', (compiler, types, module, options) => {
  let messages: readonly Message[] = [];
  beforeAll(async () => {
    const how = module === 'bundler' ? ['--module', 'esnext', '--moduleResolution', 'bundler'] : ['--module', module];
    messages = await compile(compiler, types, [...how, ...options]);
  }, 120_000);

  test('a program and the declarations that it leads to compile', () => {
    expect(messages.filter(({ file }) => file !== 'misspelt.ts')).toEqual([]);
  });

  test('the message for what is misspelt names it, and what it may have been', () => {
    const said = messages.filter(({ file }) => file === 'misspelt.ts');
    expect(said.map(({ line }) => line)).toEqual(mistakes.map(({ line }) => line));
    for (const [i, { says }] of mistakes.entries()) expect(said[i]?.text).toContain(says);
  });
});

test('nninit/report of the packed package makes a page as soon as echarts is there, and says so before', async () => {
  const project = join(folder, 'types 20');
  const program = (modules: string) => `${modules}
    const page = await reportPage({}).then((html) => html.includes('<noscript>'), (error) => error.message);
    console.log(JSON.stringify(page));`;
  const says = async (code: string) => {
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', code], { cwd: project });
    return JSON.parse(stdout) as unknown;
  };
  const esm = program("import { reportPage } from 'nninit/report';");
  expect(await says(esm)).toContain('npm install echarts');
  for (const name of ['echarts', 'zrender', 'tslib']) {
    symlinkSync(join(modules, name), join(project, 'node_modules', name));
  }
  const commonJs = program(
    "import { createRequire } from 'node:module'; const { reportPage } = createRequire(process.cwd() + '/x.js')('nninit/report');",
  );
  for (const code of [esm, commonJs]) expect(await says(code)).toBe(true);
});
