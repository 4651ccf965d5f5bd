// Where the addon does not load, the message says what was tried and what helps against that cause. Each cause is brought about.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const built = process.env.NNINIT_ADDON ?? join(root, 'build/Release/nninit.node');
let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nninit-load-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What a program that fills says when it fails. */
function failure({ home = root, addon, flags = [] }: { home?: string; addon?: string; flags?: string[] }): string {
  const index = pathToFileURL(join(home, 'dist/lib/index.js')).href;
  const program = `import { empty, init } from ${JSON.stringify(index)};
    try { init.ones_(empty([2])); console.log('loaded'); } catch (error) { console.log(error.message); }`;
  const { NNINIT_ADDON: _, LD_PRELOAD: __, ...rest } = process.env;
  const env = addon === undefined ? rest : { ...rest, NNINIT_ADDON: addon };
  const { stdout, stderr } = spawnSync(process.execPath, [...flags, '--input-type=module', '-e', program], {
    env,
    encoding: 'utf8',
  });
  expect(stdout, stderr).not.toBe('');
  return stdout;
}

/** A package without addons of its own, and its folder. */
function copyOfPackage(name: string): string {
  const home = join(folder, name);
  mkdirSync(home);
  cpSync(join(root, 'dist'), join(home, 'dist'), { recursive: true });
  cpSync(join(root, 'package.json'), join(home, 'package.json'));
  symlinkSync(join(root, 'node_modules'), join(home, 'node_modules'));
  return home;
}

/** An addon that needs a library, which is as asked when it is linked and gone, or this system's own, when it is loaded. */
function addonThatNeeds(soname: string, version?: string): string {
  const libraries = mkdtempSync(join(folder, 'lib-'));
  const map = join(libraries, 'versions');
  writeFileSync(join(libraries, 'a.c'), 'int nninit_gone(void) { return 1; }');
  writeFileSync(join(libraries, 'b.c'), 'int nninit_gone(void); int nninit_asks(void) { return nninit_gone(); }');
  writeFileSync(map, `${version ?? 'V1'} { nninit_gone; };`);
  const gone = join(libraries, soname);
  const cc = (...args: string[]) => execFileSync('cc', ['-shared', '-fPIC', '-nostdlib', ...args], { cwd: libraries });
  cc('a.c', '-o', gone, `-Wl,-soname,${soname}`, ...(version === undefined ? [] : [`-Wl,--version-script=${map}`]));
  cc('b.c', gone, '-o', 'addon.node');
  rmSync(gone);
  return join(libraries, 'addon.node');
}

test('Node.js with --no-addons', () => {
  expect(failure({ flags: ['--no-addons'] })).toContain('→ start Node.js without --no-addons');
});

const permission = Number(process.versions.node.split('.')[0]) >= 24 ? '--permission' : '--experimental-permission';

test('the permission model', () => {
  const said = failure({ flags: [permission, '--allow-fs-read=*'] });
  expect(said).toContain("→ Node.js's permission model is on: start it with --allow-addons as well");
});

test('the permission model: threads and files that are not allowed', () => {
  const says = (flags: readonly string[]) => {
    const command = [join(root, 'dist/lib/cli/main.js'), 'generate', 'resnet18', '-o', join(folder, 'refused')];
    const given = [permission, '--allow-fs-read=*', '--allow-addons', ...flags];
    return spawnSync(process.execPath, [...given, ...command], { encoding: 'utf8' }).stderr;
  };
  const refusal = "Node.js's permission model refuses it: start Node.js with";
  expect(says(['--allow-worker'])).toContain(`refused: ${refusal} --allow-fs-write as well\n`);
  expect(says([`--allow-fs-write=${folder}`])).toContain(
    `nninit: the pool's worker threads do not start: ${refusal} --allow-worker as well\n`,
  );
});

test.runIf(process.platform === 'linux')('a shared library that is missing', () => {
  const said = failure({ addon: addonThatNeeds('libgone.so.1') });
  expect(said).toContain('addon.node: libgone.so.1: cannot open shared object file');
  expect(said).toContain("→ install the system's package that has libgone.so.1");
});

test.runIf(process.platform === 'linux')('another C library', () => {
  const said = failure({ addon: addonThatNeeds('libc.musl-x86_64.so.1') });
  expect(said).toContain("→ it is for another C library (glibc or musl) than this system's");
});

test.runIf(process.platform === 'linux')('a C library that is too old', () => {
  const said = failure({ addon: addonThatNeeds('libm.so.6', 'GLIBC_2.99') });
  expect(said).toContain(
    "→ this system's libraries are older than GLIBC_2.99: build it, see docs/installing.md#from-source",
  );
});

test.runIf(process.platform === 'linux')('a symbol that no library has', () => {
  const source = join(folder, 'symbol.c');
  writeFileSync(source, 'extern char nninit_gone; char *nninit_asks(void) { return &nninit_gone; }');
  const addon = join(folder, 'symbol.node');
  execFileSync('cc', ['-shared', '-fPIC', '-nostdlib', source, '-o', addon]);
  expect(failure({ addon })).toContain(
    "→ this system's libraries are older than it needs, they have no nninit_gone: build it",
  );
});

test('a pool says so too, and not that there is no memory', () => {
  const { stdout } = spawnSync(
    process.execPath,
    [
      '--no-addons',
      '--input-type=module',
      '-e',
      `import { createPool } from ${JSON.stringify(pathToFileURL(join(root, 'dist/lib/index.js')).href)};
      try { createPool({ threads: 1 }).empty([2 ** 16]); } catch (error) { console.log(error.message); process.exit(); }`,
    ],
    { encoding: 'utf8' },
  );
  expect(stdout).toMatch(/^nninit: the native addon does not load/);
});

test.runIf(process.platform === 'linux')('another processor', () => {
  const bytes = readFileSync(built);
  bytes.writeUInt16LE(bytes.readUInt16LE(18) === 183 ? 62 : 183, 18); // the machine in the ELF header
  const addon = join(folder, 'foreign.node');
  writeFileSync(addon, bytes);
  expect(failure({ addon })).toContain(`→ it is for another system or processor than linux-${process.arch}`);
});

test('a package that lost its addons, one that has none for this system, and a clone', () => {
  const home = copyOfPackage('lost');
  const lost = failure({ home });
  expect(lost).toContain(`${join(home, 'build/Release/nninit.node')}: is not there`);
  expect(lost).toMatch(/prebuilds\/\S+\/nninit.node: is not there/);
  expect(lost).toContain('→ the package is not complete');
  mkdirSync(join(home, 'prebuilds'));
  expect(failure({ home })).toMatch(/→ the package carries none for \S+: build it, see docs\/installing.md/);
  mkdirSync(join(home, 'test'));
  expect(failure({ home })).toContain('→ compile it with `npm run build:native`');
});

test('a local build goes before what the package carries, which stands in where it does not load', () => {
  const home = copyOfPackage('both');
  const broken = join(home, 'build/Release');
  mkdirSync(broken, { recursive: true });
  writeFileSync(join(broken, 'nninit.node'), 'no addon');
  expect(failure({ home })).toContain('→ install nninit again, or remove build/');
  for (const platform of [`${process.platform}-${process.arch}`, `${process.platform}-${process.arch}-musl`]) {
    mkdirSync(join(home, 'prebuilds', platform), { recursive: true });
    cpSync(built, join(home, 'prebuilds', platform, 'nninit.node'));
  }
  expect(failure({ home })).toBe('loaded\n');
});

test('code that a bundler took out of the package says so', async () => {
  const bundle = join(folder, 'bundle.mjs');
  const code = readFileSync(join(root, 'build/modules/lib/core/package-files.js'), 'utf8');
  writeFileSync(bundle, code.replace(/^\/\/# sourceMappingURL.*$/m, ''));
  const { packageFile } = (await import(pathToFileURL(bundle).href)) as { packageFile(path: string): string };
  expect(() => packageFile('package.json')).toThrow(
    /a bundler took nninit's code out of its package.*external: \['nninit'\]/,
  );
});

test('so does what require gives, also where the program has a lib/index.js of its own', () => {
  const bundle = join(folder, 'program', 'out', 'bundle.cjs');
  mkdirSync(join(bundle, '..'), { recursive: true });
  mkdirSync(join(folder, 'program', 'lib'));
  writeFileSync(join(folder, 'program', 'lib', 'index.js'), "console.log('mistaken')");
  cpSync(join(root, 'dist/commonjs/index.js'), bundle);
  const { stdout, stderr } = spawnSync(process.execPath, [bundle], { encoding: 'utf8' });
  expect(stdout).toBe('');
  expect(stderr).toMatch(/a bundler took nninit's code out of its package/);
});
