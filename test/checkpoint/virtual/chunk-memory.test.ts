import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { Arena } from '../../../lib/checkpoint/virtual/arena.js';
import { ChunkMemory } from '../../../lib/checkpoint/virtual/chunk-memory.js';
import { onPool } from '../../../lib/checkpoint/virtual/executor.js';
import type { KeyedTensor } from '../../../lib/checkpoint/virtual/range.js';
import { safetensorsFiles } from '../../../lib/checkpoint/virtual/shards.js';
import { streamFile } from '../../../lib/checkpoint/virtual/stream.js';
import { laidFiles, VirtualCheckpoint } from '../../../lib/checkpoint/virtual/virtual.js';
import { WholeTensors } from '../../../lib/checkpoint/virtual/whole-tensors.js';
import { keysFor } from '../../../lib/plan/keys.js';
import { resolvePlan } from '../../../lib/plan/plan.js';
import { createPool, type Pool } from '../../../lib/pool/pool.js';
import { fuzzed } from '../../fuzz/fuzzed.js';

const pool = createPool({ threads: 2 });
afterAll(() => pool.close());

test('no two chunks share a byte, and what is given back is used again', () => {
  const memory = new ChunkMemory();
  const sizes = [1, 2 ** 16, 2 ** 16 + 1, 2 ** 20, 2 ** 21, 3 * 2 ** 20, 2 ** 24, 2 ** 25];
  const chunks: Uint8Array[] = [];
  const buffers = new Set<ArrayBufferLike>();
  let mark = 0;
  for (let i = 0; i < 400; i++) {
    if (i % 3 === 2) memory.give(chunks.splice((i * 7) % chunks.length, 1)[0] as Uint8Array);
    const chunk = memory.take(sizes[(i * 5) % sizes.length] as number);
    expect(chunk.length).toBe(sizes[(i * 5) % sizes.length]);
    for (const other of chunks) {
      if (other.buffer !== chunk.buffer) continue;
      const isApart =
        other.byteOffset + other.length <= chunk.byteOffset || chunk.byteOffset + chunk.length <= other.byteOffset;
      expect(isApart).toBe(true);
    }
    mark = (mark + 1) % 256;
    chunk[0] = mark;
    chunks.push(chunk);
    if (i < 3) buffers.add(chunk.buffer);
  }
  for (const chunk of chunks.splice(0)) memory.give(chunk);
  for (let i = 0; i < 50; i++) {
    const chunk = memory.take(2 ** 20);
    expect(buffers).toContain(chunk.buffer);
    memory.give(chunk);
  }
});

const tensors = resolvePlan({
  tensors: [
    { name: 'a', shape: [700, 1000], dtype: 'float32', initializer: 'normal' },
    { name: 'q', shape: [300, 300], dtype: 'float32', initializer: 'orthogonal' },
    { name: 's', shape: [300, 300], dtype: 'float32', initializer: { init: 'sparse', sparsity: 0.5 } },
    { name: 'z', shape: [100, 1000], dtype: 'int64', initializer: 'zeros' },
  ],
});

const virtualOf = (seed: bigint, wholes?: WholeTensors) => {
  const keys = keysFor('philox', seed, { tensors });
  return new VirtualCheckpoint(laidFiles(safetensorsFiles(tensors, { keys }), keys), wholes);
};

test('streams of a pool share memory; one that was given up while its chunks were made spoils no other', async () => {
  const expected = await virtualOf(1n).read('model.safetensors');
  const check = async () => {
    const options = { pool, reuse: true, chunkBytes: 2 ** 16 };
    let at = 0;
    for await (const chunk of streamFile(virtualOf(1n), 'model.safetensors', options)) {
      const before = Buffer.from(chunk);
      await setTimeout(at % 5 === 0 ? 1 : 0); // meanwhile others make theirs
      expect(before.equals(chunk)).toBe(true);
      expect(before.equals(expected.subarray(at, at + chunk.length))).toBe(true);
      at += chunk.length;
    }
    expect(at).toBe(expected.length);
  };
  const leave = async (after: number) => {
    let at = 0;
    for await (const chunk of streamFile(virtualOf(2n), 'model.safetensors', {
      pool,
      reuse: true,
      chunkBytes: 2 ** 18,
    })) {
      at += chunk.length;
      if (at >= after) break;
    }
  };
  const leaving = async () => {
    for (let i = 0; i < 12; i++) await leave(1 + i * 200_000);
  };
  await Promise.all([check(), check(), leaving(), leaving()]);
});

test('memory is given back when workers have stopped writing to it, and no earlier', async () => {
  let writing = 0;
  const runTask = async (_task: unknown, { signal }: { readonly signal: AbortSignal }) => {
    writing += 1;
    if (writing > 1) await once(signal, 'abort');
    await setTimeout(20); // until it hears of it
    writing -= 1;
    signal.throwIfAborted();
  };
  const slow = { threads: 1, enter: () => ({ [Symbol.dispose]: () => undefined }), runTask } as unknown as Pool;
  const memory = ChunkMemory.of(slow);
  const first = memory.take(2 ** 16);
  memory.give(first);
  const chunks = streamFile(virtualOf(1n), 'model.safetensors', { pool: slow, reuse: true, chunkBytes: 2 ** 16 });
  await chunks.next(); // the head
  await chunks.next();
  expect(memory.take(2 ** 16).byteOffset).toBeGreaterThan(first.byteOffset);
  await chunks.return();
  expect(writing).toBe(0);
  expect(memory.take(2 ** 16).byteOffset).toBe(first.byteOffset);
});

test('tensors that are made whole have the same bytes in memory of others', async () => {
  const expected = await Promise.all([1n, 2n, 3n].map((seed) => virtualOf(seed).read('model.safetensors')));
  const wholes = new WholeTensors(360_000 * 2);
  for (let turn = 0; turn < 3; turn++) {
    for (const [i, bytes] of expected.entries()) {
      const made = await virtualOf(BigInt(i + 1), wholes).read('model.safetensors', 0, undefined, { pool });
      expect(Buffer.from(made).equals(bytes)).toBe(true);
    }
  }
});

test('where they have an arena, tensors of whatever sizes are made in it', async () => {
  const sizes = [300, 40, 200, 310, 90, 250, 130, 310];
  const all = resolvePlan({
    tensors: sizes.map((size, i) => {
      return { name: `q${i}`, shape: [size, size], dtype: 'float32' as const, initializer: 'orthogonal' as const };
    }),
  });
  const files = safetensorsFiles(all, { keys: keysFor('philox', 1n, { tensors: all }) });
  const laid = laidFiles(files, keysFor('philox', 1n, { tensors: all }));
  const expected = await new VirtualCheckpoint(laid).read('model.safetensors');
  const bytes = 310 * 310 * 4;
  const wholes = new WholeTensors(2 * bytes, new Arena(bytes));
  const seen = new Set<ArrayBufferLike>();
  const tensors = laid.files[0]?.tensors as readonly KeyedTensor[];
  const read = async (turn: number) => {
    const tensor = tensors[(turn * 5) % tensors.length] as KeyedTensor;
    const lease = await wholes.lease(tensor, onPool(pool, 'test'));
    seen.add(lease.bytes.buffer);
    const at = (laid.files[0]?.head.length ?? 0) + tensor.offset;
    expect(Buffer.compare(lease.bytes, expected.subarray(at, at + tensor.bytes)), tensor.name).toBe(0);
    await setTimeout(turn % 3); // others come and go
    expect(Buffer.compare(lease.bytes, expected.subarray(at, at + tensor.bytes)), tensor.name).toBe(0);
    lease.release();
  };
  await Promise.all(Array.from({ length: 60 }, (_, turn) => read(turn)));
  expect(seen.size).toBe(1);
});

test('parts of an arena share no byte, and what came back is handed out again', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 40_000 }), give: fc.nat() })), (steps) => {
      const arena = new Arena(2 ** 16);
      const held: Uint8Array[] = [];
      for (const { bytes, give } of steps) {
        if (arena.has(bytes)) {
          const taken = arena.take(bytes);
          const end = (each: Uint8Array) => each.byteOffset + each.length;
          for (const each of held) expect(end(taken) <= each.byteOffset || end(each) <= taken.byteOffset).toBe(true);
          expect([taken.length, end(taken) <= 2 ** 16]).toEqual([bytes, true]);
          held.push(taken);
        } else {
          expect(held.length).toBeGreaterThan(0);
          expect(() => arena.take(bytes)).toThrow('free');
        }
        if (held.length > 0 && give % 2 === 0) {
          for (const each of held.splice(give % held.length, 1)) expect(arena.give(each)).toBe(true);
        }
      }
      for (const each of held) arena.give(each);
      expect(arena.has(2 ** 16)).toBe(true);
      expect(arena.give(new Uint8Array(8))).toBe(false);
    }),
    fuzzed(300),
  );
});
