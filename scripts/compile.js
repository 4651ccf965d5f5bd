// `npm run build`: what is compiled of the sources, each module a file, in build/modules/, for scripts of this repository; and of that the
// package's own dist/: few files, since each that is loaded takes 0.7 ms, and the declarations of its public face. The compiler looks at what
// changed since its last run only.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { dts } from 'rolldown-plugin-dts';

const root = fileURLToPath(new URL('../', import.meta.url));
const modules = `${root}build/modules/`;
const dist = `${root}dist/`;

const faces = ['index', 'checkpoint', 'report', 'serve', 'cluster'];
/** What is asked for by its path: by whoever imports the package, as the command, or to run in a thread or a process of its own. */
const entries = [
  ...faces.map((face) => `lib/${face}`),
  'lib/cli/main',
  'lib/pool/worker',
  'lib/checkpoint/virtual/task',
  'lib/serve/planner-worker',
  'bench/harness/child',
  'bench/harness/crew-worker',
];
/** Installed beside the package: large, and rarely all of it needed. What else is imported is in the package's own files. */
const installed = ['echarts', '@aws-sdk/client-s3', 'bullmq', 'ioredis'];
/** In CommonJS and loaded by their paths, when they are needed: dist/vendor/. Piscina looks for its worker beside itself, and does without @napi-rs/nice. */
const vendored = {
  piscina: 'node_modules/piscina/dist/main.js',
  worker: 'node_modules/piscina/dist/worker.js',
  'detect-libc': 'node_modules/detect-libc/lib/detect-libc.js',
};

const licences = `${dist}third-party-licenses.txt`; // written last

compile();
if (!isUpToDate()) {
  const bundled = [...(await bundle()), ...(await bundleVendored())];
  await declareFaces();
  handOnToCommonJs();
  await writeManual();
  writeFileSync(licences, licencesOf([...new Set(bundled)].sort()));
}

/** Tests that run meanwhile keep their dist/ unless something changed. */
function isUpToDate() {
  const made = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const from = [`${modules}.tsbuildinfo`, fileURLToPath(import.meta.url), `${root}package-lock.json`];
  return made(licences) > Math.max(...from.map(made));
}

/** What was compiled from sources that are gone is removed, and where something is missing all is compiled anew. */
function compile() {
  const compiled = existsSync(modules) ? readdirSync(modules, { recursive: true }) : [];
  for (const file of compiled) {
    const source = file.replace(/\.(d\.ts|js|js\.map)$/, '.ts');
    if (source !== file && !existsSync(root + source)) rmSync(modules + file);
  }
  const sources = ['lib', 'bench'].flatMap((folder) =>
    readdirSync(root + folder, { recursive: true })
      .filter((file) => file.endsWith('.ts') && !file.includes('node_modules'))
      .map((file) => `${folder}/${file.slice(0, -'.ts'.length)}`),
  );
  const isThere = (source) => ['.js', '.d.ts'].every((end) => existsSync(`${modules}${source}${end}`));
  if (!sources.every(isThere)) rmSync(`${modules}.tsbuildinfo`, { force: true });
  const tsc = `${root}node_modules/typescript/bin/tsc`;
  const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

/** Writes the code, and returns the packages that are in it. */
async function bundle() {
  rmSync(dist, { recursive: true, force: true });
  const build = await rolldown({
    cwd: root,
    input: Object.fromEntries(entries.map((entry) => [entry, `${entry}.ts`])),
    platform: 'node',
    external: installed.map((name) => new RegExp(`^${name}(/|$)`)),
    resolve: { extensionAlias: { '.js': ['.ts', '.js'] } },
    tsconfig: false,
    transform: { target: 'es2022' },
  });
  const { output } = await build.write({
    dir: dist,
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: 'lib/chunks/[name]-[hash].js',
    keepNames: true, // an error's class shows in messages
    codeSplitting: {
      groups: [
        { name: 'package-files', test: /core\/package-files/ }, // which looks where it is
        { name: 'zod', test: /node_modules\/zod\// },
        { name: 'commander', test: /node_modules\/commander\// },
        { name: 're2js', test: /node_modules\/re2js\// },
        { name: 'core', test: /lib\/core\/(?!schemas|json-problems)/ }, // those two are zod's
        { name: 'init', test: /lib\/(native|random|tensor|init)\// },
      ],
    },
  });
  await build.close();
  return packagesOf(output);
}

async function bundleVendored() {
  const refusable = {
    name: 'refusable',
    resolveId: (id, importer = '') =>
      id === 'node:worker_threads' && /piscina[\\/]dist[\\/]worker_pool/.test(importer)
        ? `${root}lib/pool/refused-thread.ts`
        : undefined,
  };
  const build = await rolldown({
    ...{ cwd: root, input: vendored, platform: 'node', external: ['@napi-rs/nice'] },
    ...{ plugins: [refusable], tsconfig: false },
  });
  const { output } = await build.write({
    dir: `${dist}vendor`,
    format: 'cjs',
    entryFileNames: '[name].js',
    chunkFileNames: '[name].js',
    codeSplitting: { groups: [{ name: 'shared', minShareCount: 2 }] },
  });
  await build.close();
  writeFileSync(`${dist}vendor/package.json`, '{ "type": "commonjs" }\n');
  return packagesOf(output);
}

function packagesOf(output) {
  const paths = output.flatMap((file) => (file.type === 'chunk' ? Object.keys(file.modules) : []));
  return paths.flatMap((path) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []);
}

/** The declarations of the public face, in as few files as the code: for ES modules, and once more for CommonJS, since TypeScript holds
 * declarations to be of one kind of module by where they lie. */
async function declareFaces() {
  const build = await rolldown({
    cwd: root,
    input: Object.fromEntries(faces.map((face) => [face, `build/modules/lib/${face}.d.ts`])),
    external: [/^[^./]/],
    plugins: dts({ dtsInput: true, emitDtsOnly: true, tsconfig: false }),
  });
  const { output } = await build.generate({ format: 'esm', chunkFileNames: 'types/[name].d.ts' });
  await build.close();
  for (const { fileName, code } of output) {
    if (fileName.includes('rolldown-runtime')) continue; // code, which no declaration asks for
    for (const folder of ['lib', 'commonjs']) {
      mkdirSync(dirname(`${dist}${folder}/${fileName}`), { recursive: true });
      writeFileSync(`${dist}${folder}/${fileName}`, code);
    }
  }
}

/**
 * Entries that hand on the one instance of the ES modules. Jest's require reads no ES modules, and stands in front of Node's own. The process
 * of the main context has that: there is one instance of the modules, however and from which context they are asked for. In a bundle
 * '../lib' is somebody else's, or nobody's.
 */
function handOnToCommonJs() {
  writeFileSync(`${dist}commonjs/package.json`, '{ "type": "commonjs" }\n');
  for (const face of faces) {
    const code = `'use strict';
if (!/[\\\\/]commonjs[\\\\/]${face}\\.js$/.test(__filename)) {
  throw new Error(
    "nninit: a bundler took nninit's code out of its package and left the rest behind. " +
      "Leave nninit out of the bundle and install it beside: external: ['nninit'], see docs/installing.md",
  );
}
const { getBuiltinModule } = require('node:vm').runInThisContext('process');
module.exports = getBuiltinModule('node:module').createRequire(__filename)('../lib/${face}.js');
`;
    writeFileSync(`${dist}commonjs/${face}.js`, code);
  }
}

/** Pages for man, of the same help as `--help`. */
async function writeManual() {
  const load = (name) => import(new URL(`lib/cli/${name}.js`, `file://${modules}`).href);
  const [{ manPages }, { program }] = [await load('man-run'), await load('program')];
  mkdirSync(`${dist}man`);
  for (const [name, page] of await manPages(program)) writeFileSync(`${dist}man/${name}.1`, page);
}

/** Their terms travel along. */
function licencesOf(names) {
  const texts = names.map((name) => {
    const { version, license } = JSON.parse(readFileSync(`${root}node_modules/${name}/package.json`, 'utf8'));
    const file = readdirSync(`${root}node_modules/${name}`).find((file) => /^licen[cs]e/i.test(file));
    if (file === undefined) throw new Error(`${name} has no licence that could be handed on`);
    return `${name} ${version}: ${license}\n\n${readFileSync(`${root}node_modules/${name}/${file}`, 'utf8').trim()}\n`;
  });
  return `The code in this folder contains these packages.\n\n${texts.join(`\n${'-'.repeat(80)}\n\n`)}`;
}
