// Completions, as real shells take them. Where a shell is not installed its tests are skipped: apt-get install zsh fish.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { shells } from '../../lib/cli/completion.js';
import { completionFor } from '../../lib/cli/completion-run.js';
import { program, run } from '../../lib/cli/program.js';

let folder = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'nninit-completion-'));
  for (const shell of shells) writeFileSync(join(folder, `nninit.${shell}`), await completionFor(shell, program));
  writeFileSync(join(folder, 'recipe one.json'), '{}');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const why = (shell: string) =>
  spawnSync(shell, ['-c', 'true']).status === 0 ? '' : ` (skipped: no ${shell}; apt-get install ${shell})`;

/** What is before the cursor, and what may be there next: all of it, or some. */
const cases: readonly (readonly [before: string, may: readonly string[], isAll: boolean])[] = [
  ['nninit gen', ['generate'], true],
  ['nninit help pl', ['plan'], true],
  ['nninit generate --se', ['--seed', '--seeds'], true],
  ['nninit generate --format ', ['npy', 'raw', 'safetensors'], true],
  ['nninit generate -q --engine t', ['torch'], true],
  ['nninit report --format ', ['html', 'json', 'svg'], true],
  ['nninit plan --quantize nv', ['nvfp4-pack-quantized'], true],
  ['nninit plan resnet1', ['resnet101', 'resnet152', 'resnet18'], true],
  ['nninit plan ', ['gpt2', 'llama-3-8b', 'recipe one.json'], false],
  ['nninit generate -o rec', ['recipe one.json'], true],
  ['nninit bench sc', ['scaling'], true],
  ['nninit bench scaling --memory ', ['fresh', 'warm'], true],
  ['nninit bench report --', ['--csv', '--help', '--markdown'], true],
  ['nninit completion ', ['bash', 'fish', 'zsh'], true],
  ['nninit man ge', ['generate'], true],
  ['nninit generate --seed ', [], true],
];

function check(found: readonly string[], may: readonly string[], isAll: boolean) {
  if (isAll) expect([...found].sort()).toEqual(may);
  else expect(found).toEqual(expect.arrayContaining([...may]));
}

describe.skipIf(why('bash') !== '')(`bash${why('bash')}`, () => {
  test.each(cases)('%s', (before, may, isAll) => {
    // As bash calls it: the words, and which one the cursor is in. compopt is for a completion under way.
    const script = `compopt() { :; }; source ./nninit.bash
      words=(${before}${before.endsWith(' ') ? "''" : ''}); COMP_WORDS=("\${words[@]}"); COMP_CWORD=$((\${#words[@]} - 1))
      _nninit; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', script], { cwd: folder, encoding: 'utf8' });
    expect(stderr).toBe('');
    check(stdout.split('\n').filter(Boolean), may, isAll);
  });

  test('--option=value, which is three words there', () => {
    const script = `source ./nninit.bash; COMP_WORDS=(nninit plan --format = n); COMP_CWORD=4; _nninit; echo "$COMPREPLY"`;
    expect(spawnSync('bash', ['--norc', '-c', script], { cwd: folder, encoding: 'utf8' }).stdout).toBe('npy\n');
  });
});

describe.skipIf(why('fish') !== '')(`fish${why('fish')}`, () => {
  test.each(cases)('%s', (before, may, isAll) => {
    const script = `source ./nninit.fish; complete -C '${before}'`;
    const env = { ...process.env, HOME: folder, XDG_CONFIG_HOME: folder };
    const { stdout, stderr } = spawnSync('fish', ['--no-config', '-c', script], { cwd: folder, encoding: 'utf8', env });
    expect(stderr).toBe('');
    const found = stdout.split('\n').flatMap((line) => line.split('\t')[0] || []);
    check(
      found.map((each) => each.replace(/\\ /g, ' ')),
      may,
      isAll,
    );
  });
});

describe.skipIf(why('zsh') !== '')(`zsh${why('zsh')}`, () => {
  test.each(cases)('%s', (before, may, isAll) => {
    // What the completion system of an interactive zsh would be told; it is that which knows of prefixes.
    const script = `compdef() { :; }; compset() { :; }; cur=
      compadd() { shift; print -rl -- \${(M)@:#\${word}*}; }
      _describe() { local each; for each in "\${(@P)@[-1]}"; do compadd -- \${each%%:*}; done; }
      _files() { local found=(\${word}*(N)); [[ -n $found ]] && print -rl -- $found; }
      source ./nninit.zsh
      words=(${before}${before.endsWith(' ') ? "''" : ''}); CURRENT=$#words; word=$words[CURRENT]; _nninit; true`;
    const { stdout, stderr } = spawnSync('zsh', ['-f', '-c', script], { cwd: folder, encoding: 'utf8' });
    expect(stderr).toBe('');
    const found = stdout.split('\n').filter((each) => each !== '' && !/^-.$/.test(each));
    check(
      found.filter((each) => isAll || !each.startsWith('nninit.')),
      may,
      isAll,
    );
  });
});

test('a shell that is none', async () => {
  const said: string[] = [];
  const stderr = { write: (text: string) => said.push(text) };
  expect(await run(['completion', 'tcsh'], { stdout: stderr, stderr })).toBe(2);
  expect(said.join('')).toMatch(/'tcsh' is invalid.*bash, zsh, fish/);
});
