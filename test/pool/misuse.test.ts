import { getEventListeners } from 'node:events';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createPool, empty, type Pool, tensor } from '../../lib/index.js';
import { slotDataBytes, slotHeadBytes } from '../../lib/pool/messages.js';
import { detach, ResizableBuffer } from '../support.js';

const pool = createPool({ threads: 1 });
afterAll(() => pool.close());

/** What JavaScript could call. */
const untyped = pool as unknown as {
  init: Record<string, (...args: unknown[]) => Promise<unknown>>;
  fill(...args: unknown[]): Promise<unknown>;
  runFill(...args: unknown[]): Promise<unknown>;
  close(...args: unknown[]): Promise<unknown>;
  empty(...args: unknown[]): unknown;
};
const w = () => empty([4, 4]);

describe('refusals are rejections, in the name of the function', () => {
  test.each([
    ['normal_', [], 'normal_: expected an object with data, shape (or dims)'],
    ['normal_', [new Float32Array(3)], 'tensor(data, shape) makes one'],
    ['normal_', [{ data: new Int32Array(3), shape: [3], dtype: 'int32' }], 'normal_: expected one of'],
    ['normal_', [{ data: new Float32Array(3), shape: [4] }], 'normal_: expected 4 elements'],
    ['normal_', [w(), 0, -1], 'normal_: expected a finite number ≥ 0 for std'],
    ['normal_', [w(), { sdt: 1 }], "did you mean 'std'?"],
    ['normal_', [w(), { signla: 1 }], "did you mean 'signal'?"],
    ['normal_', [w(), { signal: {} }], 'normal_: expected an AbortSignal for signal'],
    ['normal_', [w(), { signal: null }], 'normal_: expected an AbortSignal for signal'],
    ['normal_', [w(), { onProgress: 3 }], 'normal_: expected a function for onProgress'],
    ['normal_', [w(), { threads: 0 }], 'normal_: expected an integer from 1 to 1024 for threads'],
    ['normal_', [w(), { generator: {} }], 'normal_: expected a Generator'],
    ['constant_', [w()], 'constant_: expected'],
    ['eye_', [empty([3])], 'Only tensors with 2 dimensions are supported'],
  ])('%s', async (name, args, message) => {
    const running = untyped.init[name]?.(...args);
    expect(running).toBeInstanceOf(Promise);
    await expect(running).rejects.toThrow(message);
  });

  test.each([
    [[undefined], 'fill: expected an array or an (async) iterable of items'],
    [[{ tensor: w(), initializer: 'ones' }], 'fill: expected an array or an (async) iterable of items'],
    [['ones'], 'fill: expected an array or an (async) iterable of items'],
    [[[], { sginal: 1 }], "did you mean 'signal'?"],
    [[[], { signal: 1 }], 'fill: expected an AbortSignal'],
    [[[], { generator: 1 }], 'fill: expected a Generator'],
    [[[{ tensor: w(), initializer: 'normla' }]], "did you mean 'normal'?"],
    [[[{ tensor: w() }]], 'fill: item 0: expected a name or a plain object'],
  ])('fill %#', async (args, message) => {
    await expect(untyped.fill(...args)).rejects.toThrow(message);
  });

  const ones = { kind: 'constant', value: 1 };
  const key = { seed: 1n, stream: 0n };
  test.each([
    [[new Int8Array(3), 'float32', ones], 'runFill: expected a Float32Array'],
    [[new Float32Array(3), 'float32', { kind: 'normal', mean: 0, std: -1 }, key], 'native fill: expected std'],
    [[new Float32Array(3), 'float32', ones, key, 0, { thread: 1 }], "did you mean 'threads'?"],
  ])('runFill %#', async (args, message) => {
    await expect(untyped.runFill(...args)).rejects.toThrow(message);
  });

  test('createPool, empty, close', async () => {
    const create = createPool as (options: unknown) => unknown;
    expect(() => create({ threads: 0 })).toThrow('createPool: expected an integer from 1 to 128 for threads');
    expect(() => create({ threads: 2.5 })).toThrow(RangeError);
    expect(() => create({ thread: 2 })).toThrow("did you mean 'threads'?");
    expect(() => untyped.empty([3], { shared: false })).toThrow("'dtype'");
    await expect(untyped.close({ force: 'yes' })).rejects.toThrow('close: expected a boolean for force');
    await pool.init.ones_(w()); // it is open still
  });
});

describe('memory that goes away', () => {
  test('before the call', async () => {
    const gone = empty([10]);
    detach(gone.data);
    await expect(pool.init.ones_(gone)).rejects.toThrow(RangeError);
  });

  test.each([20_000, 3_000_000])('during the fill, of %i elements', async (elements) => {
    const gone = empty([elements]);
    const running = pool.init.normal_(gone).catch((error: unknown) => error);
    detach(gone.data);
    const error = await running;
    expect(error).toBeInstanceOf(RangeError);
    expect((error as Error).message).toMatch(/^normal_: expected memory that is still there for data/);
    await pool.init.ones_(w());
  });

  test.each([20_000, 3_000_000])(
    'a buffer that grows during the fill, of %i elements, is told as such',
    async (elements) => {
      const buffer = new ResizableBuffer(elements * 4, { maxByteLength: elements * 8 });
      const running = pool.init.normal_(tensor(new Float32Array(buffer)));
      buffer.resize(elements * 8);
      await expect(running).rejects.toThrow(`expected the ${elements} elements that there were for data`);
      await pool.init.ones_(w());
    },
  );

  test('a whole matrix', async () => {
    const gone = empty([900, 900]);
    const running = pool.init.orthogonal_(gone).catch((error: unknown) => error);
    detach(gone.data);
    expect(await running).toBeInstanceOf(RangeError);
  });

  test('a slice of a whole matrix, which is copied to it', async () => {
    const part = { of: [200, 100], ranges: [{ dim: 0, start: 3, length: 100 }] };
    const gone = empty([100, 100]);
    const running = pool.fillSlice(gone, 'orthogonal', part).catch((error: unknown) => error);
    detach(gone.data);
    expect(await running).toMatchObject({
      code: 'ERR_OUT_OF_RANGE',
      message: expect.stringMatching(/^fillSlice: expected memory that is still there for data/),
    });
    const buffer = new ResizableBuffer(40_000, { maxByteLength: 80_000 });
    const grown = pool.fillSlice(tensor(new Float32Array(buffer), [100, 100]), 'orthogonal', part);
    buffer.resize(80_000);
    await expect(grown).rejects.toThrow('fillSlice: expected the 10000 elements that there were for data');
  });
});

describe('memory for a copy that cannot be had', () => {
  const bytes = 900 * 900 * 4;
  afterEach(() => vi.unstubAllGlobals());
  beforeEach(() => {
    const Real = SharedArrayBuffer;
    vi.stubGlobal('SharedArrayBuffer', function Stub(size: number) {
      if (size === bytes) throw new RangeError('Array buffer allocation failed');
      return new Real(size);
    });
  });

  test('of a list: its item is named, and the others are filled', async () => {
    const other = w();
    const items = [
      { tensor: empty([900, 900]), initializer: 'orthogonal' as const },
      { tensor: other, initializer: 'ones' as const },
    ];
    await expect(pool.fill(items)).rejects.toThrow('item 0: Array buffer allocation failed');
    expect(other.data.every((x) => x === 1)).toBe(true);
  });

  test('of a call: a rejection, and nothing listens to its signal', async () => {
    const { signal } = new AbortController();
    await expect(pool.init.orthogonal_(empty([900, 900]), { signal })).rejects.toThrow('allocation failed');
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

describe('memory for batches that cannot be had', () => {
  afterEach(() => vi.unstubAllGlobals());

  /** @param most so many batches have memory */
  function limit(most: number): { most: number } {
    const Real = SharedArrayBuffer;
    const left = { most };
    vi.stubGlobal('SharedArrayBuffer', function Stub(size: number) {
      if (size === slotHeadBytes + slotDataBytes && left.most-- <= 0) {
        throw new RangeError('Array buffer allocation failed');
      }
      return new Real(size);
    });
    return left;
  }
  const message = 'ones_: not enough memory to work in';
  const many = (own: Pool) => Array.from({ length: 300 }, () => own.init.ones_(empty([20_000])));

  test('at all: a rejection, and the pool goes on when there is some', async () => {
    await using own = createPool({ threads: 1 });
    const left = limit(0);
    const refused = own.init.ones_(empty([100_000]));
    await expect(refused).rejects.toMatchObject({ message, code: 'ERR_MEMORY_ALLOCATION_FAILED' });
    for (const each of await Promise.allSettled(many(own))) expect(each).toMatchObject({ reason: { message } });
    left.most = 100;
    await Promise.all(many(own));
  });

  test('but for one: that goes round', async () => {
    await using own = createPool({ threads: 2 });
    limit(1);
    await Promise.all(many(own));
  });
});

test('beyond 4 GiB a fill in shared memory begins, and is stopped, as any', async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const running = pool.init.ones_(pool.empty([2 ** 31 + 77], { dtype: 'bfloat16' }), { signal });
  controller.abort('enough');
  await expect(running).rejects.toBe('enough');
});

test("the caller's memory is neither detached nor moved", async () => {
  const { buffer } = new Float32Array(1_000_000);
  const mine = tensor(new Float32Array(buffer));
  const returned = await pool.init.ones_(mine);
  expect(returned).toBe(mine);
  expect(mine.data.buffer).toBe(buffer);
  expect(buffer.byteLength).toBe(4_000_000);
  expect(mine.data.every((x) => x === 1)).toBe(true);
});

test('without elements there is nothing to do', async () => {
  const nothing = empty([0, 5]);
  expect(await pool.init.normal_(nothing)).toBe(nothing);
});
