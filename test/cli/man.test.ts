// Manual pages: of the same help as --help, and as man itself reads them, where it is installed.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { manPages } from '../../lib/cli/man-run.js';
import { program, run } from '../../lib/cli/program.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const pages = await manPages(program);
const hasMan = spawnSync('man', ['--version']).status === 0;
const why = hasMan ? '' : ' (skipped: no man; apt-get install man-db)';

test('the package has a page for each command, and lists them for npm', async () => {
  const nowhere = { write: () => true };
  const commands = (await program({ stdout: nowhere, stderr: nowhere }, undefined)).commands.map((each) => each.name());
  expect([...pages.keys()].sort()).toEqual(['nninit', ...commands.map((name) => `nninit-${name}`)].sort());
  const files = readdirSync(`${root}dist/man`).map((name) => `./dist/man/${name}`);
  const { man } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { man: string[] };
  expect([...man].sort()).toEqual(files.sort());
  expect(files).toHaveLength(pages.size);
  for (const [name, page] of pages) expect(readFileSync(`${root}dist/man/${name}.1`, 'utf8')).toBe(page);
});

test.skipIf(!hasMan)(
  `man reads each without a warning, and shows every option${why}`,
  { timeout: 60_000 },
  async () => {
    const nowhere = { write: () => true };
    for (const [name, page] of pages) {
      const env = { ...process.env, MANWIDTH: '100', MANROFFOPT: '', LC_ALL: 'C.UTF-8', GROFF_NO_SGR: '1' };
      const { stdout, stderr, status } = spawnSync('man', ['--warnings', '-P', 'cat', '-l', '-'], {
        input: page,
        encoding: 'utf8',
        env,
      });
      expect([status, stderr], name).toEqual([0, '']);
      const text = stdout;
      for (const head of ['NAME', 'SYNOPSIS', 'DESCRIPTION', 'OPTIONS', 'SEE ALSO'])
        expect(text).toMatch(new RegExp(`^${head}$`, 'm'));
      const command = name.slice('nninit-'.length);
      const asked = await program({ stdout: nowhere, stderr: nowhere }, command);
      const options = (asked.commands.find((each) => each.name() === command) ?? asked).options;
      for (const { flags } of options) expect(text, name).toContain(flags);
    }
  },
);

test('lines that look like commands of man are text', () => {
  for (const page of pages.values()) {
    const lines = page.split('\n').filter((line) => /^['.]/.test(line));
    for (const line of lines) expect(line).toMatch(/^\.(TH|SH|TP|PP|nf|fi)\b/);
    expect(page).not.toMatch(/\\(?![-e&f])/);
  }
});

test('nninit itself has its page by its name as well', async () => {
  const said: string[] = [];
  const output = { write: (text: string) => said.push(text) };
  expect(await run(['man', 'nninit'], { stdout: output, stderr: output })).toBe(0);
  expect(said.join('')).toBe(pages.get('nninit'));
});

test('a command that is none', async () => {
  const said: string[] = [];
  const output = { write: (text: string) => said.push(text) };
  expect(await run(['man', 'generat'], { stdout: output, stderr: output })).toBe(2);
  expect(said.join('')).toBe("nninit: man: expected a command, but received 'generat' (did you mean 'generate'?)\n");
});
