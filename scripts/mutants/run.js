// Changes each constant of the native code that shapes bytes, one at a time, and sees that the recorded bytes of
// bench/paths.json notice. `npm run mutants [-- PATTERN]` (a regular expression for "file: text"). Writes docs/mutants.md
// if all were run.
//
// Compiled for this machine's SIMD target alone, with little optimization: bytes do not depend on either. Coefficients of
// polynomials are compiled once, all of them changeable, and one is chosen when it is run. As many run at once as there are
// processors.
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { coefficientMutants, mutants } from './list.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = `${root}build-mutants`;
const [pattern = ''] = process.argv.slice(2);
const lanes = availableParallelism();

function run(program, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
    }
    child.on('error', (error) => resolve({ output: error.message }));
    child.on('close', (status, signal) => resolve({ status, signal, output }));
  });
}

/** A copy of the sources, to be changed and compiled. */
class Copy {
  #work;

  constructor(name) {
    this.#work = `${folder}/${name}`;
  }

  /** @param include what each file is compiled after */
  async configure(include = '') {
    const work = this.#work;
    mkdirSync(work, { recursive: true });
    cpSync(`${root}native`, `${work}/native`, { recursive: true, preserveTimestamps: true });
    cpSync(`${root}CMakeLists.txt`, `${work}/CMakeLists.txt`, { preserveTimestamps: true });
    // Of what checks them too: a build in between must not change it.
    for (const part of ['build/modules', 'bench/paths.json', 'package.json', 'scripts/mutants/check.js']) {
      cpSync(`${root}${part}`, `${work}/${part}`, { recursive: true });
    }
    writeFileSync(`${work}/first.h`, include);
    const { include_dir: headers } = createRequire(import.meta.url)('node-api-headers');
    const napi = createRequire(import.meta.url)('node-addon-api').include_dir;
    const flags = `-march=native -O1 -w -DHWY_COMPILE_ONLY_STATIC -include ${work}/first.h`;
    const { status, output } = await run('cmake', [
      ...['-S', work, '-B', `${work}/build`, '-DCMAKE_BUILD_TYPE=Mutants', `-DCMAKE_CXX_FLAGS=${flags}`],
      ...((await run('ninja', ['--version'])).status === 0 ? ['-G', 'Ninja'] : []),
      `-DCMAKE_JS_INC=${headers};${napi}`,
    ]);
    if (status !== 0) throw new Error(output);
  }

  change(file, source) {
    writeFileSync(`${this.#work}/native/${file}`, source);
  }

  async build(jobs) {
    return await run('cmake', ['--build', `${this.#work}/build`, '--target', 'nninit', '--parallel', `${jobs}`]);
  }

  /** 'same', or the name of the first path whose bytes are others. */
  async check(chosen = '') {
    const env = { ...process.env, NNINIT_ADDON: `${this.#work}/build/nninit.node`, NNINIT_MUTANT: `${chosen}` };
    const options = { env, cwd: this.#work, timeout: 240_000 };
    const { status, output, signal } = await run(process.execPath, ['scripts/mutants/check.js'], options);
    if (status === 0) return 'same';
    return output.trim().split('\n', 1)[0] || `it ended (${signal ?? status})`;
  }
}

const sourceOf = (file) => readFileSync(`${root}native/${file}`, 'utf8');
const asked = ({ file, from }) => new RegExp(pattern).test(`${file}: ${from}`);

const coefficients = ['kernels/math-inl.h', 'torch/words-inl.h']
  .flatMap((file) => coefficientMutants(file, sourceOf(file)))
  .map(([file, from, to], number) => ({ file, from, to, number, shapes: true }));

/** How a chosen coefficient is told to the program. */
const choice = `#include <cstdlib>
inline const int kMutant = [] {
  const char* given = std::getenv("NNINIT_MUTANT");
  return given == nullptr || *given == 0 ? -1 : std::atoi(given);
}();
#define NNINIT_CHOOSE(number, usual, other) (kMutant == (number) ? (other) : (usual))
`;

/** A source in which each coefficient may be chosen to be another. */
function choosable(file) {
  const source = sourceOf(file);
  const places = coefficients
    .filter((each) => each.file === file)
    .map((each) => ({ ...each, at: source.indexOf(each.from) }))
    .sort((a, b) => b.at - a.at);
  let changed = source;
  let end = source.length;
  for (const { at, from, to, number } of places) {
    if (at + from.length > end) throw new Error(`${file}: ${from} is part of another coefficient`);
    end = at;
    changed = `${changed.slice(0, at)}NNINIT_CHOOSE(${number}, ${from}, ${to})${changed.slice(at + from.length)}`;
  }
  return changed.replaceAll(/constexpr (float|double) (k\w+\[\] = \{[^}]*NNINIT_CHOOSE)/g, 'const $1 $2');
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

const results = [];
let wrong = 0;
/** What can notice a mutant. One that is not compiled, crashes or does not end shows nothing of what is recorded. */
const recorded = new Set(Object.keys(JSON.parse(readFileSync(`${root}bench/paths.json`, 'utf8'))));

function note(mutant, found, start) {
  const right = mutant.shapes ? recorded.has(found) : found === 'same';
  if (!right) wrong += 1;
  results.push({ ...mutant, found });
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  console.log(`${right ? 'ok  ' : 'FAIL'} ${mutant.file}: ${mutant.from} → ${mutant.to}: ${found} (${seconds} s)`);
}

/** Has all of them done, one after another in each lane. */
async function share(all, work) {
  const queue = [...all];
  const one = async (lane) => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) await work(next, lane);
  };
  await Promise.all(Array.from({ length: Math.min(lanes, all.length) }, (_, lane) => one(lane)));
}

async function chooseEach(all) {
  if (all.length === 0) return;
  const copy = new Copy('chosen');
  await copy.configure(choice);
  for (const file of new Set(all.map(({ file }) => file))) copy.change(file, choosable(file));
  const { status, output } = await copy.build(lanes);
  if (status !== 0) throw new Error(output);
  const usual = await copy.check();
  if (usual !== 'same') throw new Error(`without a change: ${usual}`);
  await share(all, async (mutant) => {
    const start = performance.now();
    note(mutant, await copy.check(mutant.number), start);
  });
}

async function changeEach(all) {
  const copies = [];
  for (let lane = 0; lane < Math.min(lanes, all.length); lane++) {
    const copy = new Copy(`changed-${lane}`);
    await copy.configure();
    const { status, output } = await copy.build(lanes);
    if (status !== 0) throw new Error(output);
    copies.push(copy);
  }
  const usual = (await copies[0]?.check()) ?? 'same';
  if (usual !== 'same') throw new Error(`the code as it is has other bytes than were recorded: ${usual}`);
  await share(all, async (mutant, lane) => {
    const { file, from, to } = mutant;
    const source = sourceOf(file);
    if (!source.includes(from)) throw new Error(`${file} has no ${from}: bring scripts/mutants/list.js up to date`);
    const start = performance.now();
    const copy = copies[lane];
    copy.change(
      file,
      source.replace(from, () => to),
    );
    const { status } = await copy.build(1);
    note(mutant, status === 0 ? await copy.check() : 'it is not compiled', start);
    copy.change(file, source);
  });
}

const [chosen, changed] = [coefficients.filter(asked), mutants.filter(asked)];
if (chosen.length + changed.length === 0) {
  console.error(`mutants: no constant is meant by ${pattern}`);
  process.exit(2);
}
rmSync(folder, { recursive: true, force: true }); // a run that was ended leaves mutants behind
await chooseEach(chosen);
await changeEach(changed);
console.log(`${results.length - wrong} as expected, ${wrong} not`);
const order = [...mutants, ...coefficients].map(({ file, from, to }) => `${file} ${from} ${to}`);
const place = ({ file, from, to }) => order.indexOf(`${file} ${from} ${to}`);
results.sort((a, b) => a.file.localeCompare(b.file, 'en') || place(a) - place(b));
if (pattern === '' && wrong === 0) writeFileSync(`${root}docs/mutants.md`, tell(results));
if (wrong === 0) rmSync(folder, { recursive: true });
process.exitCode = wrong === 0 ? 0 : 1;
