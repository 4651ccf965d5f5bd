import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Job, nextJob, share, workOn, writtenUpTo } from '../../../lib/checkpoint/write/work.js';
import { noKey } from '../../../lib/native/addon.js';
import { resolvePlan } from '../../../lib/plan/plan.js';
import { temporaryFolder } from '../temporary.js';

const root = temporaryFolder();
const chunkBytes = 64;
const chunks = 4;
const buffer = new ArrayBuffer(chunkBytes);
const whole = new Int32Array(new SharedArrayBuffer(4));

function jobOf(id: number, fd: number, from = 0): Job {
  const tensors = resolvePlan({
    tensors: [{ name: 'a', shape: [(chunks * chunkBytes) / 4], dtype: 'float32', initializer: 'ones' }],
  });
  const placed = tensors.map((tensor) => ({ ...tensor, offset: 0, key: noKey }));
  return { id, fd, headBytes: 0, tensors: placed, chunkBytes, from, threads: 1, shared: share(3, whole) };
}

test('threads spread over jobs, finish what is exhausted first, and help when nothing else is left', () => {
  const fd = openSync(join(root.path, 'file'), 'w+');
  try {
    const [a, b] = [jobOf(1, fd), jobOf(2, fd)];
    expect(nextJob([])).toBeUndefined();
    expect(nextJob([a, b])).toBe(a);
    const onA = workOn(a, 0, buffer);
    onA.next();
    expect(nextJob([a, b])).toBe(b);
    const onB = workOn(b, 1, buffer);
    onB.next();
    expect(nextJob([b])).toBe(b);
    while (!onB.next().done);
    expect(nextJob([a, b])).toBe(b); // nothing is left to do in it
  } finally {
    closeSync(fd);
  }
});

test('no chunk that a thread may still write counts as written, whoever has not begun', () => {
  const path = join(root.path, 'file');
  const fd = openSync(path, 'w+');
  try {
    const job = jobOf(1, fd, chunkBytes);
    expect(writtenUpTo(job.shared)).toBe(0);
    const [first, second] = [workOn(job, 0, buffer), workOn(job, 1, buffer)];
    first.next(); // the first chunk is there from another run
    expect(writtenUpTo(job.shared)).toBe(chunkBytes);
    second.next();
    first.next();
    expect(writtenUpTo(job.shared)).toBe(2 * chunkBytes);
    while (!first.next().done);
    expect(writtenUpTo(job.shared)).toBe(2 * chunkBytes); // what the second thread's last one is
    while (!second.next().done);
    expect(writtenUpTo(job.shared)).toBeGreaterThanOrEqual(chunks * chunkBytes); // the third never begins
    const late = workOn(job, 2, buffer);
    while (!late.next().done);
    expect(writtenUpTo(job.shared)).toBeGreaterThanOrEqual(chunks * chunkBytes);
    const written = readFileSync(path);
    expect(written.length).toBe(chunks * chunkBytes);
    expect(new Float32Array(written.buffer, written.byteOffset + chunkBytes, 48)).toEqual(new Float32Array(48).fill(1));
  } finally {
    closeSync(fd);
  }
});
