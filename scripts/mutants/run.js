// Changes each constant of the native code that shapes bytes, one at a time, and sees that the recorded bytes of
// bench/paths.json notice. `npm run mutants [-- PATTERN]` (a regular expression for "file: text"). Writes docs/mutants.md
// if all were run.
//
// Compiled for this machine's SIMD target alone, with little optimization: bytes do not depend on either.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { coefficientMutants, mutants } from './list.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const work = `${root}build-mutants`;
const [pattern = ''] = process.argv.slice(2);

function run(program, args, options = {}) {
  return spawnSync(program, args, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 26, ...options });
}

function configure() {
  rmSync(work, { recursive: true, force: true }); // a run that was ended leaves a mutant behind
  mkdirSync(work, { recursive: true });
  cpSync(`${root}native`, `${work}/native`, { recursive: true, preserveTimestamps: true });
  cpSync(`${root}CMakeLists.txt`, `${work}/CMakeLists.txt`, { preserveTimestamps: true });
  // Of what checks them too: a build in between must not change it.
  for (const part of ['build/modules', 'bench/paths.json', 'package.json', 'scripts/mutants/check.js']) {
    cpSync(`${root}${part}`, `${work}/${part}`, { recursive: true });
  }
  const { include_dir: headers } = createRequire(import.meta.url)('node-api-headers');
  const napi = createRequire(import.meta.url)('node-addon-api').include_dir;
  const flags = '-march=native -O1 -w -DHWY_COMPILE_ONLY_STATIC';
  const { status, stdout, stderr } = run('cmake', [
    ...['-S', work, '-B', `${work}/build`, '-DCMAKE_BUILD_TYPE=Mutants', `-DCMAKE_CXX_FLAGS=${flags}`],
    ...(run('ninja', ['--version']).status === 0 ? ['-G', 'Ninja'] : []),
    `-DCMAKE_JS_INC=${headers};${napi}`,
  ]);
  if (status !== 0) throw new Error(stdout + stderr);
}

function build() {
  return run('cmake', ['--build', `${work}/build`, '--target', 'nninit', '--parallel', '2']).status === 0;
}

/** 'same', 'compiler' or the name of the first path whose bytes are others. */
function outcome() {
  if (!build()) return 'the compiler';
  const env = { ...process.env, NNINIT_ADDON: `${work}/build/nninit.node` };
  const { status, stdout, signal } = run(process.execPath, ['scripts/mutants/check.js'], {
    env,
    cwd: work,
    timeout: 120_000,
  });
  if (status === 0) return 'same';
  return stdout.trim() || `it ended (${signal ?? status})`;
}

function listed() {
  const polynomials = ['kernels/math-inl.h', 'torch/words-inl.h'].flatMap((file) =>
    coefficientMutants(file, readFileSync(`${root}native/${file}`, 'utf8')),
  );
  const all = [...mutants, ...polynomials.map(([file, from, to]) => ({ file, from, to, shapes: true }))];
  return all
    .filter(({ file, from }) => new RegExp(pattern).test(`${file}: ${from}`))
    .sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0));
}

function tell(results) {
  const code = (text) => `\`${text.replaceAll('|', '\\|')}\``;
  const rows = (shapes, last) =>
    results
      .filter((result) => result.shapes === shapes)
      .map((result) => `| ${result.file} | ${code(result.from)} | ${code(result.to)} | ${last(result)} |`)
      .join('\n');
  return `# Mutants

\`npm run mutants\` changes the constants of \`native/\` one at a time and runs the fills of \`bench/harness/paths.ts\`, whose bytes are recorded in
\`bench/paths.json\`. It writes this page. Every constant that shapes bytes must be noticed; those that are there for speed must not change a byte.

## Noticed

| file | constant | changed to | first noticed by |
| --- | --- | --- | --- |
${rows(true, ({ found }) => found)}

## Without effect on bytes

| file | constant | changed to | what it decides |
| --- | --- | --- | --- |
${rows(false, ({ why }) => why)}
`;
}

configure();
if (outcome() !== 'same') throw new Error('the code as it is has other bytes than were recorded, or does not compile');
const results = [];
let wrong = 0;
for (const mutant of listed()) {
  const { file, from, to, shapes } = mutant;
  const path = `${work}/native/${file}`;
  const source = readFileSync(`${root}native/${file}`, 'utf8');
  if (!source.includes(from)) throw new Error(`${file} has no ${from}: bring scripts/mutants/list.js up to date`);
  writeFileSync(
    path,
    source.replace(from, () => to),
  );
  const start = performance.now();
  const found = outcome();
  writeFileSync(path, source);
  const right = (found === 'same') !== shapes;
  if (!right) wrong += 1;
  results.push({ ...mutant, found });
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  console.log(`${right ? 'ok  ' : 'FAIL'} ${file}: ${from} → ${to}: ${found} (${seconds} s)`);
}
console.log(`${results.length - wrong} as expected, ${wrong} not`);
if (pattern === '' && wrong === 0) writeFileSync(`${root}docs/mutants.md`, tell(results));
if (existsSync(work) && wrong === 0) rmSync(work, { recursive: true });
process.exitCode = wrong === 0 ? 0 : 1;
