import { readFileSync } from 'node:fs';
import { PassThrough, Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { sinkOf, writeToSink } from '../../../lib/checkpoint/write/stdout.js';
import { writeTensors } from '../../../lib/checkpoint/write/write.js';
import { philoxKeys } from '../../../lib/plan/keys.js';
import { type PlannedTensor, resolvePlan } from '../../../lib/plan/plan.js';
import { temporaryFolder } from '../temporary.js';

const root = temporaryFolder();

const plan = {
  tensors: [
    { name: 'a', shape: [100, 33], dtype: 'float32', initializer: 'normal' },
    { name: 'q', shape: [40, 40], dtype: 'float32', initializer: 'orthogonal' },
    { name: 'b', shape: [1001], dtype: 'bfloat16', initializer: 'uniform' },
    { name: 'e', shape: [0], dtype: 'float64', initializer: 'uniform' },
  ] satisfies PlannedTensor[],
};
const tensors = resolvePlan(plan);

test.each([1, 24, 1000, 2 ** 20])('a stream in pieces of %i bytes has the bytes of the file', async (chunkBytes) => {
  const { path } = await writeTensors(root.path, tensors, { keys: philoxKeys(3n) });
  const pieces: Buffer[] = [];
  let underWay = 0;
  const sink = async (bytes: Uint8Array) => {
    underWay += 1;
    expect(underWay).toBe(1);
    await new Promise((resolve) => setImmediate(resolve));
    pieces.push(Buffer.from(bytes)); // only now: nobody may have touched them
    underWay -= 1;
  };
  let told = 0;
  const onProgress = (written: number) => {
    told = written;
  };
  const streamed = await writeToSink(sink, plan, { seed: 3, chunkBytes, onProgress });
  expect(Buffer.concat(pieces).equals(readFileSync(path))).toBe(true);
  expect(streamed).toMatchObject({ bytes: Buffer.concat(pieces).length, tensors: 4, parameters: 5901 });
  expect(told).toBe(100 * 33 * 4 + 1600 * 4 + 1001 * 2);
});

test('what a sink throws ends the stream, and so does an abort', async () => {
  let calls = 0;
  const sink = async () => {
    calls += 1;
    if (calls === 3) throw new Error('no');
  };
  await expect(writeToSink(sink, plan, { chunkBytes: 64 })).rejects.toThrow('no');
  expect(calls).toBe(3);
  const signal = AbortSignal.abort('SIGINT');
  const stopped = writeToSink(async () => {}, plan, { signal });
  await expect(stopped).rejects.toThrow('interrupted before standard output was complete');
});

test('a terminal is refused', () => {
  expect(() => sinkOf(Object.assign(new PassThrough(), { isTTY: true }))).toThrow(/standard output is a terminal/);
});

test('a stream that fails says how', async () => {
  const stream = new Writable({
    write: (_chunk, _encoding, done) => done(Object.assign(new Error('gone'), { code: 'EPIPE' })),
  });
  await expect(sinkOf(stream)(new Uint8Array(1))).rejects.toMatchObject({ name: 'WriteError', code: 'EPIPE' });
});
