// Runs the code blocks of markdown pages, and compares what they print with what the page shows.
//
//   node scripts/run-examples.js [--in FOLDER] PAGE…
//
//   ```js                   a whole program: it is run by itself
//   ```sh run               shell commands that are run; plain `sh` is not
//   ```… title="app.js"     a file, which is written for the blocks that follow
//   ```text                 right below a block that is run: what it prints, where … stands for anything
//
// The blocks of a page share a folder, FOLDER/<page> (by default in build/examples). There `nninit` is this package, or, with --in, what is
// installed in FOLDER. NNINIT_HOME names this package's folder for shells. NNINIT_TALLY names a file to which "passed failed" is appended.

import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The fenced blocks of a page: the words of their first line, their text, where they begin, and what is shown below them. */
function blocksOf(page) {
  const matches = [...page.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)];
  return matches.map(([all, info, text], i) => {
    const { index } = matches[i];
    const next = matches[i + 1];
    const isBelow = next?.[1] === 'text' && page.slice(index + all.length, next.index).trim() === '';
    return { info, text, line: page.slice(0, index).split('\n').length, expected: isBelow ? next[2] : undefined };
  });
}

/** Whether a text is as a page shows it: … is anything within a line, a line of it alone any lines. */
function isAsShown(text, shown) {
  const escaped = shown.trim().replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const pattern = escaped.replace(/^…$/gm, '[\\s\\S]*?').replaceAll('…', '.*?');
  return new RegExp(`^${pattern}$`).test(text.trim().replace(/[ \t]+$/gm, ''));
}

function runBlock({ info, text, line, expected }, folder) {
  const title = /title="([^"]+)"/.exec(info)?.[1];
  if (title !== undefined) {
    mkdirSync(dirname(join(folder, title)), { recursive: true });
    writeFileSync(join(folder, title), text);
    return undefined;
  }
  const isProgram = info === 'js';
  if (!isProgram && info !== 'sh run') return undefined;
  if (isProgram) writeFileSync(join(folder, `line-${line}.mjs`), text);
  const [program, ...args] = isProgram
    ? [process.execPath, `line-${line}.mjs`]
    : ['bash', '-euo', 'pipefail', '-c', text];
  const env = { ...process.env, NNINIT_HOME: resolve(root) };
  const { status, signal, stdout, stderr } = spawnSync(program, args, {
    cwd: folder,
    env,
    encoding: 'utf8',
    timeout: 600_000,
  });
  if (status !== 0) return `ended with ${status ?? signal}:\n${stdout}${stderr}`;
  if (expected === undefined || isAsShown(stdout, expected)) return '';
  return `expected\n${expected}but it printed\n${stdout}`;
}

function runPage(page, within) {
  const folder = join(within, page.replace(/\.md$/, '').replaceAll('/', '-'));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const counts = { passed: 0, failed: 0 };
  for (const block of blocksOf(readFileSync(join(root, page), 'utf8'))) {
    const problem = runBlock(block, folder);
    if (problem === undefined) continue;
    counts[problem === '' ? 'passed' : 'failed']++;
    console.log(`${problem === '' ? 'ok    ' : 'FAIL  '}${page}:${block.line} ${problem}`.trimEnd());
  }
  return counts;
}

/** Where programs find what the cookbook's recipes use beside nninit. */
function ownFolder() {
  const folder = join(root, 'build', 'examples');
  mkdirSync(folder, { recursive: true });
  const modules = join(folder, 'node_modules');
  if (!existsSync(modules)) {
    rmSync(modules, { force: true });
    symlinkSync(join(root, 'test', 'cookbook', 'node_modules'), modules);
  }
  return folder;
}

const args = process.argv.slice(2);
const within = args[0] === '--in' ? resolve(args.splice(0, 2)[1]) : ownFolder();
const counts = args.map((page) => runPage(page, within));
const total = {
  passed: counts.reduce((sum, { passed }) => sum + passed, 0),
  failed: counts.reduce((sum, { failed }) => sum + failed, 0),
};
if (process.env.NNINIT_TALLY) appendFileSync(process.env.NNINIT_TALLY, `${total.passed} ${total.failed}\n`);
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;
