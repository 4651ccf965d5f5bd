// Runs the C++ unit tests, then vitest, and ends with one line that counts both: "N passed, N failed".
//
//   node scripts/run-tests.js [--sanitize | --vitest] [arguments for vitest]
//
// --vitest leaves out the C++ tests, which are the same under every Node.js.
// --sanitize takes the build in build-address/, and of vitest's tests those that reach the addon in many ways: what else there is (plans, command lines,
// packages, processes that are killed) would take most of the time and run no other native code. NNINIT_TALLY names a file to which "passed failed" is appended.
import { spawnSync } from 'node:child_process';
import { appendFileSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const sanitize = process.argv[2] === '--sanitize';
const vitestAlone = process.argv[2] === '--vitest';
const given = process.argv.slice(sanitize || vitestAlone ? 3 : 2);
const excluded = (globs) => globs.map((glob) => `--exclude=${glob}`);
const reachingAddon = [
  ...['init', 'native', 'pool', 'random', 'tensor', 'checkpoint/virtual', 'checkpoint/verify'].map(
    (room) => `test/${room}/`,
  ),
  ...['quantized', 'write/write', 'write/stdout'].map((name) => `test/checkpoint/${name}.test.ts`),
  // These look for the addon themselves.
  ...excluded(['test/native/load.test.ts', 'test/pool/package.test.ts']),
  // These take minutes with sanitizers, and reach nothing that others do not: the C++ tests have all of the engine torch and of narrow dtypes.
  ...excluded(
    ['random/engines/torch', 'init/distributions', 'pool/list', 'pool/death', 'pool/narrow', 'pool/server'].map(
      (name) => `test/${name}.test.ts`,
    ),
  ),
];
const vitestArgs = sanitize && given.length === 0 ? reachingAddon : given;
const root = fileURLToPath(new URL('..', import.meta.url));
/** What is said last of all. */
const failures = [];
const build = `${root}${sanitize ? 'build-address' : 'build'}`;

/** Runs a program to its end; its output is shown, and returned too if `capture`. */
function run(program, args, { env = process.env, capture = false } = {}) {
  const stdio = ['ignore', capture ? 'pipe' : 'inherit', 'inherit'];
  const { status, signal, error, stdout } = spawnSync(program, args, { cwd: root, env, stdio, encoding: 'utf8' });
  if (error) throw error;
  if (stdout) process.stdout.write(stdout);
  if (signal) console.error(`${program} was ended by ${signal}`);
  return { ok: status === 0, stdout };
}

/** A run that failed without a failed test (a crash, a file that does not load) counts as one failure. */
function counts(ok, passed, failed) {
  return { passed, failed: ok ? failed : Math.max(failed, 1) };
}

function nativeTests() {
  const env = { ...process.env, UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1' };
  const { ok, stdout } = run(`${build}/nninit_tests`, [], { env, capture: true });
  // What failed is told again at the end, where vitest's many lines do not hide it.
  if (!ok) failures.push(...(stdout ?? '').split(/^=+$/m).filter((block) => /ERROR/.test(block)));
  const found = /test cases:\s*\d+ \|\s*(\d+) passed \|\s*(\d+) failed/.exec(stdout);
  return counts(ok && found !== null, Number(found?.[1] ?? 0), Number(found?.[2] ?? 0));
}

/**
 * Node itself is not instrumented: the sanitizer's runtime must be there before it, Node's own leaks are not ours, and an
 * array too large is to be a RangeError as ever.
 */
function sanitizerEnv() {
  const runtime = spawnSync('gcc', ['-print-file-name=libasan.so'], { encoding: 'utf8' }).stdout.trim();
  return {
    LD_PRELOAD: runtime,
    ASAN_OPTIONS: 'detect_leaks=0:allocator_may_return_null=1',
    UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
    NNINIT_ADDON: `${build}/Release/nninit.node`,
  };
}

/** What did not pass: of a process that crashed, vitest says no more than that one did. */
function noteUnfinished({ testResults }) {
  for (const { name, assertionResults } of testResults) {
    for (const { status, fullName } of assertionResults) {
      if (!['passed', 'skipped', 'todo'].includes(status)) failures.push(`${status}: ${name}: ${fullName}`);
    }
  }
}

function vitest() {
  const report = `${build}/vitest.json`;
  rmSync(report, { force: true });
  // Instrumented code takes several times as long.
  const limits = sanitize ? ['--testTimeout=150000', '--hookTimeout=60000'] : [];
  const args = [
    'run',
    ...limits,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...vitestArgs,
  ];
  const env = { ...process.env, ...(sanitize ? sanitizerEnv() : {}) };
  const { ok } = run(process.execPath, [`${root}node_modules/vitest/vitest.mjs`, ...args], { env });
  try {
    const results = JSON.parse(readFileSync(report, 'utf8'));
    if (!ok) noteUnfinished(results);
    return counts(ok, results.numPassedTests, results.numFailedTests);
  } catch {
    return counts(false, 0, 0);
  }
}

const parts = vitestAlone ? [vitest()] : [nativeTests(), vitest()];
const passed = parts.reduce((sum, part) => sum + part.passed, 0);
const failed = parts.reduce((sum, part) => sum + part.failed, 0);
if (process.env.NNINIT_TALLY) appendFileSync(process.env.NNINIT_TALLY, `${passed} ${failed}\n`);
for (const failure of failures) console.error(failure.trim());
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
