import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Job, next_job, share, work_on, written_up_to } from '../../../lib/checkpoint/write/work.js';
import { no_key } from '../../../lib/native/addon.js';
import { resolve_plan } from '../../../lib/plan/plan.js';
import { temporary_folder } from '../temporary.js';

const root = temporary_folder();
const chunk_bytes = 64;
const chunks = 4;
const buffer = new ArrayBuffer(chunk_bytes);
const whole = new Int32Array(new SharedArrayBuffer(4));

function job_of(id: number, fd: number, from = 0): Job {
  const tensors = resolve_plan({
    tensors: [{ name: 'a', shape: [(chunks * chunk_bytes) / 4], dtype: 'float32', initializer: 'ones' }],
  });
  const placed = tensors.map((tensor) => ({ ...tensor, offset: 0, key: no_key }));
  return { id, fd, head_bytes: 0, tensors: placed, chunk_bytes, from, threads: 1, shared: share(3, whole) };
}

test('threads spread over jobs, finish what is exhausted first, and help when nothing else is left', () => {
  const fd = openSync(join(root.path, 'file'), 'w+');
  try {
    const [a, b] = [job_of(1, fd), job_of(2, fd)];
    expect(next_job([])).toBeUndefined();
    expect(next_job([a, b])).toBe(a);
    const on_a = work_on(a, 0, buffer);
    on_a.next();
    expect(next_job([a, b])).toBe(b);
    const on_b = work_on(b, 1, buffer);
    on_b.next();
    expect(next_job([b])).toBe(b);
    while (!on_b.next().done);
    expect(next_job([a, b])).toBe(b); // nothing is left to do in it
  } finally {
    closeSync(fd);
  }
});

test('no chunk that a thread may still write counts as written, whoever has not begun', () => {
  const path = join(root.path, 'file');
  const fd = openSync(path, 'w+');
  try {
    const job = job_of(1, fd, chunk_bytes);
    expect(written_up_to(job.shared)).toBe(0);
    const [first, second] = [work_on(job, 0, buffer), work_on(job, 1, buffer)];
    first.next(); // the first chunk is there from another run
    expect(written_up_to(job.shared)).toBe(chunk_bytes);
    second.next();
    first.next();
    expect(written_up_to(job.shared)).toBe(2 * chunk_bytes);
    while (!first.next().done);
    expect(written_up_to(job.shared)).toBe(2 * chunk_bytes); // what the second thread's last one is
    while (!second.next().done);
    expect(written_up_to(job.shared)).toBeGreaterThanOrEqual(chunks * chunk_bytes); // the third never begins
    const late = work_on(job, 2, buffer);
    while (!late.next().done);
    expect(written_up_to(job.shared)).toBeGreaterThanOrEqual(chunks * chunk_bytes);
    const written = readFileSync(path);
    expect(written.length).toBe(chunks * chunk_bytes);
    expect(new Float32Array(written.buffer, written.byteOffset + chunk_bytes, 48)).toEqual(
      new Float32Array(48).fill(1),
    );
  } finally {
    closeSync(fd);
  }
});
