import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { main, nninit, patient, processFolder, start } from './processes.js';

const { folder, recipe } = processFolder();

test('the command is a program with a shebang', () => {
  expect(readFileSync(main, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
});

test.skipIf(process.platform === 'win32')(
  'an argument that is not UTF-8 is refused: its folder would be another one',
  async () => {
    const command = `exec "$0" "${main}" generate "${recipe([2], 'ones')}" -o "${folder.path}/a$(printf '\\377')"`;
    const { code, stderr } = await start('sh', ['-c', command, process.execPath]).ended;
    expect([code, stderr]).toEqual([2, `nninit: expected arguments in UTF-8, but received '${folder.path}/a\ufffd'\n`]);
    expect(readdirSync(folder.path)).toEqual(['recipe.json']);
  },
);

test('it writes a model, exits with 0, and says what it wrote on stdout', async () => {
  const out = join(folder.path, 'out');
  const { code, stdout, stderr } = await nninit(['generate', recipe([100, 100], 'normal'), '-o', out, '--json']);
  expect([code, stderr]).toEqual([0, '']);
  expect(JSON.parse(stdout)).toMatchObject({ tensors: 1, parameters: 10000 });
  expect(readdirSync(out)).toEqual(['model.safetensors']);
});

test.skipIf(process.platform === 'win32')(
  'a file that grows beyond what is allowed leaves nothing, and one line says why',
  async () => {
    const out = join(folder.path, 'out');
    const args = [process.execPath, main, 'generate', recipe([2 ** 20], 'zeros'), '-o', out, '--quiet'];
    const { code, stderr } = await start('sh', ['-c', 'ulimit -f 1000; exec "$@"', 'sh', ...args]).ended;
    expect(code).toBe(1);
    expect(stderr).toBe(`nninit: could not write ${join(out, 'model.safetensors')}: file too large (EFBIG)\n`);
    expect(readdirSync(folder.path)).toEqual(['recipe.json']);
  },
);

describe.skipIf(process.platform === 'win32')('what is complete stays, and --resume goes on', () => {
  const argsOf = (out: string) => [main, 'generate', recipes(), '-o', out, '--format', 'npy', '--quiet'];

  /** A small tensor, which is complete soon, and a large one. */
  function recipes(): string {
    const path = join(folder.path, 'recipe.json');
    const large = { shape: [2 ** 24], dtype: 'float64', init: 'trunc_normal' };
    writeFileSync(path, JSON.stringify({ tensors: { small: { shape: [100], init: 'normal' }, large } }));
    return path;
  }

  async function resume(out: string): Promise<void> {
    const { code, stderr } = await start(process.execPath, [...argsOf(out), '--resume']).ended;
    expect([code, stderr]).toEqual([0, '']);
    expect(readdirSync(out)).toEqual(['large.npy', 'manifest.json', 'small.npy']);
  }

  test('after a limit on the size of files', async () => {
    const out = join(folder.path, 'out');
    const limited = ['-c', 'ulimit -f 2000; exec "$@"', 'sh', process.execPath, ...argsOf(out)];
    const { code, stderr } = await start('sh', limited).ended;
    expect(code).toBe(1);
    expect(stderr).toBe(
      `nninit: could not write ${join(out, 'large.npy')}: file too large (EFBIG); what is complete stays, and --resume goes on\n`,
    );
    expect(readdirSync(out)).toContain('small.npy');
    expect(readdirSync(out)).not.toContain('large.npy');
    await resume(out);
  });

  test('after SIGTERM', async () => {
    const out = join(folder.path, 'out');
    const { child, ended } = start(process.execPath, argsOf(out), patient);
    while (child.exitCode === null && !existsSync(join(out, 'small.npy'))) await setTimeout(1);
    child.kill('SIGTERM');
    const { code, stderr } = await ended;
    expect(code).toBe(143);
    expect(stderr).toMatch(/manifest\.json was complete; what is complete stays, and --resume goes on\n$/);
    expect(readdirSync(out)).not.toContain('manifest.json');
    await resume(out);
  });
});

test.skipIf(process.platform === 'win32')(
  'where not even the sign of life can be written, nothing of an ensemble is left',
  async () => {
    const out = join(folder.path, 'ensemble');
    const args = [process.execPath, main, 'generate', recipe([4], 'normal'), '-o', out, '--seeds', '0..3'];
    const { code, stderr } = await start('sh', ['-c', 'ulimit -f 0; exec "$@"', 'sh', ...args]).ended;
    expect([code, stderr]).toEqual([1, expect.stringContaining(`could not create a file in ${out}: `)]);
    expect(existsSync(out)).toBe(false);
  },
);

test.skipIf(process.platform === 'win32')('in a folder that somebody has removed', async () => {
  const args = ['sh', folder.path, process.execPath, main, 'generate', recipe([4], 'normal'), '-o', 'out'];
  const script = 'mkdir "$1/gone" && cd "$1/gone" && rmdir "$1/gone" && shift && exec "$@"';
  const { code, stderr } = await start('sh', ['-c', script, ...args]).ended;
  expect([code, stderr]).toEqual([1, 'nninit: the working directory was removed: change to one that is there\n']);
});

describe.skipIf(process.platform === 'win32')('nobody listens', () => {
  test('a model is finished without its progress', async () => {
    const out = join(folder.path, 'out');
    const { child, ended } = start(process.execPath, [main, 'generate', recipe([2 ** 22], 'normal'), '-o', out]);
    child.stderr.destroy();
    expect((await ended).code).toBe(0);
    expect(readdirSync(out)).toEqual(['model.safetensors']);
  });

  test.skipIf(!existsSync('/dev/full'))('output that cannot be written is one line and exit code 1', async () => {
    const said = 'nninit: could not write to standard output: no space left on device (ENOSPC)\n';
    for (const args of [['plan', recipe([2], 'normal')], ['gains'], ['--help']]) {
      const { code, stderr } = await start('sh', ['-c', '"$@" > /dev/full', 'sh', process.execPath, main, ...args])
        .ended;
      expect([args[0], code, stderr]).toEqual([args[0], 1, said]);
    }
    for (const args of [
      ['plan', recipe([2], 'normal'), '--json'],
      ['report', recipe([2], 'normal'), '--format', 'json'],
    ]) {
      const { code, stderr } = await start('sh', ['-c', '"$@" > /dev/full', 'sh', process.execPath, main, ...args])
        .ended;
      const error = { message: said.trim(), code: 'ENOSPC', path: 'standard output', exit_code: 1 };
      expect([args[0], code, JSON.parse(stderr)]).toEqual([args[0], 1, { error }]);
    }
  });
});

describe.skipIf(process.platform === 'win32')('-o - streams to standard output', () => {
  const shell = (line: string, args: readonly string[]) =>
    start('sh', ['-c', `"$@" ${line}`, 'sh', process.execPath, main, 'generate', ...args, '-o', '-']).ended;

  test('the bytes of model.safetensors, through a pipe and to a file; the summary goes to stderr', async () => {
    const path = recipe([300, 1000], 'normal');
    expect((await nninit(['generate', path, '-o', join(folder.path, 'out'), '--seed', '5'])).code).toBe(0);
    const expected = readFileSync(join(folder.path, 'out/model.safetensors'));
    for (const line of ['| cat >', '>']) {
      const out = join(folder.path, 'stream');
      const { code, stdout, stderr } = await shell(`${line} ${out}`, [path, '--seed', '5', '--json']);
      expect([code, stdout]).toEqual([0, '']);
      expect(JSON.parse(stderr)).toMatchObject({ path: 'standard output', bytes: expected.length, seed: '5' });
      expect(readFileSync(out).equals(expected)).toBe(true);
    }
  });

  test('a reader that is slow gets everything, one that stops is an error', async () => {
    const path = recipe([2 ** 21], 'normal');
    const slow = await shell('| (sleep 0.3; wc -c)', [path, '--quiet']);
    expect([slow.code, slow.stderr]).toEqual([0, '']);
    expect(Number(slow.stdout)).toBeGreaterThan(2 ** 24);
    const codeOfFirst = `{ sh -c '"$@"; echo $? >&2' sh "$@"; }`;
    const { stderr } = await start('sh', [
      '-c',
      `${codeOfFirst} | head -c 1000 > ${join(folder.path, 'head')}`,
      'sh',
      process.execPath,
      ...[main, 'generate', path, '-o', '-', '--quiet'],
    ]).ended;
    expect(stderr).toBe('nninit: could not write to standard output: broken pipe (EPIPE)\n1\n');
    expect(readFileSync(join(folder.path, 'head'))).toHaveLength(1000);
  });

  test('a file that grows beyond what is allowed is an error', async () => {
    const out = join(folder.path, 'stream');
    const args = [process.execPath, main, 'generate', recipe([2 ** 20], 'normal'), '-o', '-', '--quiet'];
    const { code, stderr } = await start('sh', ['-c', `ulimit -f 1000; exec "$@" > ${out}`, 'sh', ...args]).ended;
    expect([code, stderr]).toEqual([1, 'nninit: could not write to standard output: file too large (EFBIG)\n']);
  });

  test.skipIf(!existsSync('/dev/full'))('a disk that is full is an error', async () => {
    const { code, stderr } = await shell('> /dev/full', [recipe([2 ** 20], 'normal'), '--quiet']);
    const said = 'nninit: could not write to standard output: no space left on device (ENOSPC)\n';
    expect([code, stderr]).toEqual([1, said]);
  });

  test.each([['--resume'], ['--force'], ['--name', 'x'], ['--max-shard-size', '1GB'], ['--format', 'npy']])(
    'it is refused with %s',
    async (...more) => {
      const { code, stdout, stderr } = await nninit(['generate', recipe([2], 'normal'), '-o', '-', ...more]);
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toMatch(/^nninit: -o - writes /);
    },
  );
});

test('a reader that stops listening is no error', async () => {
  const { child, ended } = start(process.execPath, [main, 'gains']);
  child.stdout.destroy();
  const { code, stderr } = await ended;
  expect([code, stderr]).toEqual([0, '']);
});

test('NNINIT_DEBUG shows where an error came from, and nothing else does', async () => {
  const args = ['generate', join(folder.path, 'none.json'), '-o', folder.path];
  expect((await nninit(args)).stderr).not.toMatch(/^\s+at /m);
  expect((await nninit(args, { NNINIT_DEBUG: '1' })).stderr).toMatch(/^\s+at /m);
});
