import { expect, test } from 'vitest';
import { ifThere, removeNames, retried } from '../../../../lib/checkpoint/write/commit/files.js';

const failing = (code: string) => Object.assign(new Error(code), { code });

test('what others have changed meanwhile is looked at again, five times at the most', async () => {
  let turns = 0;
  const changesTwice = async () => {
    turns += 1;
    if (turns < 3) throw failing('ENOENT');
    return turns;
  };
  expect(await retried(['EEXIST', 'ENOENT'], changesTwice)).toBe(3);
  turns = 0;
  const always = async () => {
    turns += 1;
    throw failing('EEXIST');
  };
  await expect(retried(['EEXIST'], always)).rejects.toMatchObject({ code: 'EEXIST' });
  expect(turns).toBe(5);
  turns = 0;
  await expect(retried(['ENOENT'], always)).rejects.toMatchObject({ code: 'EEXIST' });
  expect(turns).toBe(1);
});

test('only what says that there is no such file is taken for that', async () => {
  for (const code of ['ENOENT', 'ENOTDIR']) expect(await ifThere(Promise.reject(failing(code)))).toBeUndefined();
  await expect(ifThere(Promise.reject(failing('EACCES')))).rejects.toMatchObject({ code: 'EACCES' });
  expect(await ifThere(Promise.resolve(7))).toBe(7);
});

// The system lets nobody remove what is in /proc: root neither.
test.runIf(process.platform === 'linux')('a file that may not be removed is not said to be a folder', async () => {
  await expect(removeNames('/proc/self', ['nothing', 'status'])).rejects.toThrow(
    /^could not remove \/proc\/self\/status: (operation not permitted \(EPERM\)|permission denied \(EACCES\))$/,
  );
});
