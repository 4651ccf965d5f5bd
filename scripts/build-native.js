// Builds the native addon through cmake-js: a step of scripts/setup, and the way from source (docs/installing.md).
//
//   node scripts/build-native.js               build/Release/nninit.node
//   node scripts/build-native.js --tests       and build/nninit_tests, the C++ unit tests
//   node scripts/build-native.js --sanitize address,undefined   both in build-address/, with these sanitizers
//   node scripts/build-native.js --sanitize thread              the unit tests alone, in build-thread/
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({ options: { tests: { type: 'boolean' }, sanitize: { type: 'string' } } });
const root = fileURLToPath(new URL('..', import.meta.url));

/** Whether one of the programs can be started. */
function have(...programs) {
  return programs.some((program) => spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0);
}

function checkTools() {
  const missing = [];
  if (!have('cmake')) missing.push('CMake (3.19 or newer)');
  // On Windows CMake finds Visual Studio by itself.
  if (process.platform !== 'win32') {
    if (!have('g++', 'clang++')) missing.push('a C++17 compiler');
    if (!have('make', 'ninja')) missing.push('make');
  }
  if (missing.length === 0) return;
  console.error(`
nninit: to compile its native addon this machine lacks: ${missing.join(', ')}.
  Debian, Ubuntu   apt-get install cmake g++ make libhwy-dev
  Fedora           dnf install cmake gcc-c++ make highway-devel
  macOS            xcode-select --install; brew install cmake highway
Then run it again.
`);
  process.exit(1);
}

function cmakeJs(command, ...args) {
  const cli = createRequire(import.meta.url).resolve('cmake-js/bin/cmake-js');
  const out = options.sanitize ? `build-${options.sanitize.split(',')[0]}` : 'build';
  const { status, error } = spawnSync(process.execPath, [cli, command, '--log-level', 'warn', '--out', out, ...args], {
    cwd: root,
    stdio: 'inherit',
  });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

checkTools();
const withTests = options.tests || options.sanitize;
// Configuring is repeated each time (it is quick), so that a first attempt that failed halfway is recovered from.
cmakeJs(
  'configure',
  '--CDCMAKE_EXPORT_COMPILE_COMMANDS=ON',
  ...(withTests ? ['--CDNNINIT_TESTS=ON'] : []),
  ...(options.sanitize ? [`--CDNNINIT_SANITIZE=${options.sanitize}`] : []),
);
// Node itself has no ThreadSanitizer, so the addon has no use for it.
const target = options.sanitize === 'thread' ? 'nninit_tests' : withTests ? 'all' : 'nninit';
cmakeJs('build', '--parallel', String(availableParallelism()), '--target', target);
