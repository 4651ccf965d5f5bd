import { describe, expect, test } from 'vitest';
import { renamed } from '../../../lib/checkpoint/write/commit/rename.js';

/** A rename that fails some times before it succeeds, and what was waited in between. */
function failing(times: number, code: string) {
  const waits: number[] = [];
  let calls = 0;
  const rename = async () => {
    if (calls++ < times) throw Object.assign(new Error(code), { code });
  };
  const wait = async (milliseconds: number) => waits.push(milliseconds);
  return { rename, wait, waits, calls: () => calls };
}

describe('a rename', () => {
  test.each(['EPERM', 'EACCES', 'EBUSY'])('is tried again on Windows after %s, each time later', async (code) => {
    const { calls, waits, ...how } = failing(3, code);
    await renamed('a', 'b', { ...how, platform: 'win32' });
    expect(calls()).toBe(4);
    expect(waits).toEqual([10, 20, 40]);
  });

  test('fails on Windows after five seconds, with what the system said last', async () => {
    const { calls, waits, ...how } = failing(100, 'EBUSY');
    await expect(renamed('a', 'b', { ...how, platform: 'win32' })).rejects.toMatchObject({ code: 'EBUSY' });
    expect(calls()).toBe(waits.length + 1);
    expect(waits.reduce((sum, each) => sum + each)).toBe(5000);
  });

  test.each([
    ['win32', 'ENOENT'],
    ['win32', 'EXDEV'],
    ['linux', 'EPERM'],
    ['darwin', 'EBUSY'],
  ] as const)('is not tried again on %s after %s', async (platform, code) => {
    const { calls, waits, ...how } = failing(1, code);
    await expect(renamed('a', 'b', { ...how, platform })).rejects.toMatchObject({ code });
    expect(calls()).toBe(1);
    expect(waits).toEqual([]);
  });
});
