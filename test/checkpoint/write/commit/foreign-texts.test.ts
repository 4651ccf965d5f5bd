import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { configName } from '../../../../lib/checkpoint/virtual/layout.js';
import { aliveName, journalName, readJournal } from '../../../../lib/checkpoint/write/commit/journal.js';
import { manifestName } from '../../../../lib/formats/raw/names.js';
import { contentOf } from '../../temporary.js';
import { expected, root, write } from './resumed.js';

const modes = [{}, { resume: true }, { force: true }];

describe.skipIf(process.platform === 'win32')('what stands in the place of a text of ours', () => {
  const others: readonly [string, (path: string) => void][] = [
    ['a folder', (path) => mkdirSync(path)],
    ['a named pipe', (path) => execFileSync('mkfifo', [path])],
    ['a link to what has no end', (path) => symlinkSync('/dev/zero', path)],
    ['a link to nowhere', (path) => symlinkSync('nowhere', path)],
  ];

  test.each(others)('the journal: %s is refused', async (_, make) => {
    const path = join(root.path, journalName);
    make(path);
    for (const mode of modes) {
      await expect(write(root.path, mode)).rejects.toMatchObject({ code: 'EEXIST', message: /is no file: remove it/ });
    }
    expect(readdirSync(root.path)).toEqual([journalName]);
  });

  test('what a run would have left: a folder is refused before anything is begun', async () => {
    mkdirSync(join(root.path, aliveName('01234567')));
    for (const mode of [{ resume: true }, { force: true }]) {
      await expect(write(root.path, mode)).rejects.toMatchObject({ code: 'EEXIST', message: /is no file: remove it/ });
    }
    expect(readdirSync(root.path)).toEqual([aliveName('01234567')]);
  });

  test.each(others)('a manifest: %s is none', async (_, make) => {
    const folder = join(root.path, 'out');
    mkdirSync(folder);
    make(join(folder, manifestName));
    await write(folder);
    expect(readdirSync(folder)).toEqual([manifestName, ...Object.keys(await expected())].sort());
  });

  test('config.json: a link to what has no end, or to a named pipe, is another config, which is replaced', async () => {
    const folder = join(root.path, 'out');
    mkdirSync(folder);
    execFileSync('mkfifo', [join(root.path, 'pipe')]);
    symlinkSync(join(root.path, 'pipe'), join(folder, configName));
    await expect(write(folder)).rejects.toThrow(/exists already and differs/);
    await write(folder, { force: true });
    expect(contentOf(folder)).toEqual(await expected());
  });
});

test('a journal of very many lines, or of more than any run writes, is read soon as one that makes no sense', async () => {
  const path = join(root.path, journalName);
  writeFileSync(path, '{}\n'.repeat(5e6));
  expect(await readJournal(root.path)).toBe('broken');
  truncateSync(path, 2 ** 32);
  expect(await readJournal(root.path)).toBe('broken');
});

test.runIf(process.platform === 'linux')(
  'a line of the journal that a limit cuts off is an error with its code',
  () => {
    const recipe = join(root.path, 'r.json');
    writeFileSync(recipe, '{ "tensors": { "a": { "shape": [4], "init": "ones" } } }');
    const folder = join(root.path, 'out');
    mkdirSync(folder);
    const old = { run: '01234567', digest: 'x', replaces: false, committing: false, process: null, progress: {} };
    writeFileSync(join(folder, journalName), JSON.stringify({ ...old, stale: ['x'.repeat(700)] }));
    const main = fileURLToPath(new URL('../../../../dist/lib/cli/main.js', import.meta.url));
    // In pieces of 512 bytes.
    const limited = ['-c', 'ulimit -f 2; exec "$@"', 'sh', process.execPath, main, 'generate', recipe];
    const { stderr, status } = spawnSync('sh', [...limited, '-o', folder, '--force', '-q'], { encoding: 'utf8' });
    expect(stderr).toBe(`nninit: could not write ${join(folder, journalName)}: file too large (EFBIG)\n`);
    expect(status).toBe(1);
  },
);
