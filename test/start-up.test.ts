// Starting takes as long as what it loads: nothing heavy is loaded before it is needed.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const dist = fileURLToPath(new URL('../dist/lib/', import.meta.url));
const gpt2 = fileURLToPath(new URL('../examples/gpt2/config.json', import.meta.url));

/** Tells of each module that is loaded, and of each addon. */
const spy = `
import Module, { register } from 'node:module';
register('data:text/javascript,' + encodeURIComponent(
  'export async function load(url, context, next) { process._rawDebug("loaded " + url); return next(url, context); }'
));
for (const end of ['.js', '.node']) {
  const original = Module._extensions[end];
  Module._extensions[end] = (module, file) => { process._rawDebug('loaded ' + file); return original(module, file); };
}
`;

function loadedBy(...args: string[]): string[] {
  const hook = `data:text/javascript,${encodeURIComponent(spy)}`;
  const { status, stderr } = spawnSync(process.execPath, ['--import', hook, ...args], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  expect(status, stderr).toBe(0);
  return stderr.split('\n').filter((line) => line.startsWith('loaded '));
}

const heavy = /node_modules\/(echarts|bullmq|ioredis)\/|\/dist\/vendor\/|\/chunks\/zod-|\.node$/;

test.each([
  ['import of nninit', ['--input-type=module', '-e', `import ${JSON.stringify(`${dist}index.js`)}`]],
  ['import of nninit/checkpoint', ['--input-type=module', '-e', `import ${JSON.stringify(`${dist}checkpoint.js`)}`]],
  ['import of nninit/cluster', ['--input-type=module', '-e', `import ${JSON.stringify(`${dist}cluster.js`)}`]],
  ['nninit --version', [`${dist}cli/main.js`, '--version']],
  ['nninit --help', [`${dist}cli/main.js`, '--help']],
])('%s loads nothing heavy', (_, args) => {
  const loaded = loadedBy(...args);
  expect(loaded.some((line) => line.includes('/dist/lib/'))).toBe(true); // the spy sees
  expect(loaded.filter((line) => heavy.test(line))).toEqual([]);
});

test('what is heavy is seen where it is needed', () => {
  const fill = `import { empty, init, createPool } from ${JSON.stringify(`${dist}index.js`)}; init.normal_(empty([4])); await createPool().close()`;
  const loaded = loadedBy('--input-type=module', '-e', fill).filter((line) => heavy.test(line));
  expect(loaded.some((line) => line.endsWith('.node'))).toBe(true);
  expect(loaded.some((line) => line.includes('/vendor/piscina'))).toBe(true);
  const plan = loadedBy(`${dist}cli/main.js`, 'plan', gpt2, '--totals');
  expect(plan.some((line) => line.includes('/chunks/zod-'))).toBe(true);
});
