import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, describe, expect, test } from 'vitest';
import {
  createPool,
  empty,
  type FillItem,
  fillSlice,
  Generator,
  init,
  type Pool,
  type Tensor,
} from '../../lib/index.js';
import { bytes, generator, sleep } from './cases.js';

const pool = createPool({ threads: 2 });
afterAll(() => pool.close());

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** 1 MiB. */
const shape = [512, 512];
const mebibyte = 2 ** 20;

describe('memory that is given out', () => {
  // A buffer that could grow would reserve twice its length, which a limit on the address space counts.
  test.runIf(process.platform === 'linux')('reserves its own length, not twice', async () => {
    const reserved = () => 1024 * Number(/^VmSize:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
    const own = createPool({ threads: 1 });
    // Threads reserve some for themselves, when they start.
    for (const each of [pool, own]) await each.init.normal_(each.empty([1024, 1024]));
    const before = reserved();
    const tensors = Array.from({ length: 4 }, () => own.empty([256, 1024, 1024], { dtype: 'float32' }));
    const each = (reserved() - before) / tensors.length;
    expect(each).toBeGreaterThan(0.9 * 2 ** 30);
    expect(each).toBeLessThan(1.2 * 2 ** 30);
    for (const tensor of tensors) own.release(tensor);
  });
});

describe('memory that is released', () => {
  test('is the next one of its size', async () => {
    const a = await pool.init.normal_(pool.empty(shape));
    const { buffer } = a.data;
    pool.release(a);
    expect(pool.empty([512, 511]).data.buffer).not.toBe(buffer);
    const b = pool.empty([1024, 512], { dtype: 'bfloat16' });
    expect(b.data.buffer).toBe(buffer);
    expect(pool.empty(shape).data.buffer).not.toBe(buffer);
    await pool.init.normal_(b, { generator: generator() });
    const expected = init.normal_(empty([1024, 512], { dtype: 'bfloat16' }), { generator: generator() });
    expect(bytes(b).equals(bytes(expected))).toBe(true);
  });

  test.each(['orthogonal', 'normal', 'trunc_normal'] as const)(
    'is not written to by a slice of its old tensor: %s',
    async (initializer) => {
      const part = { of: [512, 1024], ranges: [{ dim: 1, start: 0, length: 512 }] };
      const drawn = new Generator({ engine: 'torch', seed: 1 });
      const fill = (tensor: Tensor) => pool.fillSlice(tensor, initializer, { ...part, generator: drawn });
      const refusal =
        'expected memory that is still there for data, but received 262144 elements of type Float32Array (the tensor was released)';
      const a = pool.empty(shape);
      pool.release(a);
      const b = await pool.init.ones_(pool.empty(shape));
      expect(b.data.buffer).toBe(a.data.buffer);
      await expect(fill(a)).rejects.toThrow(refusal);
      expect(b.data.every((x) => x === 1)).toBe(true);
    },
  );

  test('is not written to by a slice of its old tensor that waited for its turn', async () => {
    const part = { of: [512, 1024], ranges: [{ dim: 1, start: 0, length: 512 }] };
    const drawn = new Generator({ engine: 'torch', seed: 1 });
    const a = pool.empty(shape);
    const waiting = pool.fillSlice(a, 'trunc_normal', { ...part, generator: drawn }).catch((error: Error) => error);
    pool.release(a); // nothing writes to it yet
    const b = pool.empty(shape);
    b.data.fill(7);
    expect(b.data.buffer).toBe(a.data.buffer);
    expect(await waiting).toMatchObject({
      code: 'ERR_OUT_OF_RANGE',
      message: expect.stringMatching(/^fillSlice: .*the tensor was released/),
    });
    expect(b.data.every((x) => x === 7)).toBe(true);
  });

  test('is given back once, however often that is asked for', () => {
    const a = pool.empty(shape);
    a[Symbol.dispose]();
    const b = pool.empty(shape);
    expect(b.data.buffer).toBe(a.data.buffer);
    pool.release(a);
    a[Symbol.dispose]();
    expect(pool.empty(shape).data.buffer).not.toBe(b.data.buffer);
  });

  test('is not taken from others, nor while it is filled, nor filled afterwards', async () => {
    for (const other of [empty(shape), createPool({ threads: 1 }).empty(shape), undefined, {}]) {
      expect(() => pool.release(other as never)).toThrow("release: expected a tensor that this pool's empty made");
    }
    const a = pool.empty([2048, 2048]);
    const filling = pool.init.trunc_normal_(a);
    expect(() => pool.release(a)).toThrow('release: expected a tensor that is not being filled');
    await filling;
    const other = createPool({ threads: 1 });
    const elsewhere = other.init.trunc_normal_(a);
    expect(() => pool.release(a)).toThrow('release: expected a tensor that is not being filled');
    await elsewhere;
    await other.close();
    pool.release(a);
    await expect(pool.init.trunc_normal_(a)).rejects.toThrow('the tensor was released');
    await expect(pool.fill([{ tensor: a, initializer: 'normal' }])).rejects.toThrow('the tensor was released');
    const another = pool.empty([2048, 2048]);
    expect(another.data.buffer).toBe(a.data.buffer);
    expect(() => init.zeros_(a)).toThrow('zeros_: expected memory that is still there');
    const slice = { of: [2048, 2048], ranges: [] };
    expect(() => fillSlice(a, 'normal', slice)).toThrow('fillSlice: expected memory that is still there');
    init.zeros_(another);
  });

  test.each(['philox', 'torch'] as const)('goes round in an iterable that may take no more (%s)', async (engine) => {
    const own = createPool({ threads: 2, maxMemory: 4 * mebibyte });
    const seen = new Set<ArrayBufferLike>();
    const sums: number[] = [];
    async function* items(): AsyncGenerator<FillItem> {
      for (let i = 0; i < 40; i++) {
        const tensor = own.empty(shape);
        seen.add(tensor.data.buffer);
        const onFilled = async () => {
          await sleep(1);
          sums[i] = tensor.data.reduce((sum, x) => sum + x, 0);
          own.release(tensor);
        };
        yield { tensor, initializer: 'normal', onFilled };
      }
    }
    const from = generator(engine);
    expect(await own.fill(items(), { generator: from })).toMatchObject({ tensors: 40 });
    expect(seen.size).toBeLessThanOrEqual(4);
    const again = generator(engine);
    const expected = Array.from({ length: 40 }, () =>
      init.normal_(empty(shape), { generator: again }).data.reduce((sum, x) => sum + x, 0),
    );
    expect(sums).toEqual(expected);
    await own.close();
  });
});

describe('maxMemory', () => {
  function filled(own: Pool, count: number) {
    return Array.from({ length: count }, () => own.empty(shape));
  }

  test('is a limit on what is neither released nor collected', async () => {
    const own = createPool({ threads: 1, maxMemory: 4 * mebibyte });
    const [first, ...others] = filled(own, 4);
    const refused = () => own.empty(shape);
    expect(refused).toThrow(RangeError);
    expect(refused).toThrow('empty: expected a size within maxMemory, 4194304 bytes, for shape');
    expect(refused).toThrow(expect.objectContaining({ code: 'ERR_NNINIT_POOL_MEMORY' }));
    own.empty([100]); // too small to count
    own.release(first as never);
    own.empty([256, 512]); // what is kept makes room
    expect(refused).toThrow(RangeError);
    expect(others).toHaveLength(3);
    await own.close();
  });

  test('does not count what was collected', async () => {
    const own = createPool({ threads: 1, maxMemory: 4 * mebibyte });
    filled(own, 4);
    for (let i = 0; i < 50; i++) {
      await sleep(2);
      collect();
    }
    expect(filled(own, 4)).toHaveLength(4);
    await own.close();
  });

  test('refuses an iterable that keeps all, in its own name', async () => {
    const own = createPool({ threads: 1, maxMemory: 4 * mebibyte });
    const kept: FillItem[] = [];
    function* items() {
      for (;;) {
        kept.push({ tensor: own.empty(shape), initializer: 'ones' });
        yield kept.at(-1) as FillItem;
      }
    }
    await expect(own.fill(items())).rejects.toMatchObject({ code: 'ERR_NNINIT_POOL_MEMORY' });
    expect(kept).toHaveLength(4);
    await own.close();
  });

  test.each([[0], [1.5], ['1 GB']])('%s is refused', (maxMemory) => {
    expect(() => createPool({ maxMemory: maxMemory as number })).toThrow(
      'createPool: expected an integer ≥ 1 for maxMemory',
    );
  });
});

describe('onFilled', () => {
  test('is called with what is filled, of every size, and its errors are those of its item', async () => {
    const called: unknown[] = [];
    const items = [[3], [0], [100_000], [400, 400]].map((size, i): FillItem => {
      const onFilled = (tensor: unknown) => {
        called.push(tensor);
        if (i === 2) throw new RangeError('mine');
      };
      return { tensor: pool.empty(size), initializer: i === 3 ? 'orthogonal' : 'ones', onFilled };
    });
    await expect(pool.fill(items)).rejects.toThrow('fill: 1 item of 4 could not be filled: fill: item 2: mine');
    expect(new Set(called)).toEqual(new Set(items.map(({ tensor }) => tensor)));
    const wrong = [{ tensor: pool.empty([3]), initializer: 'ones', onFilled: 3 }] as never;
    await expect(pool.fill(wrong)).rejects.toThrow('expected a function for onFilled');
  });

  test('that never comes back does not keep an abort waiting', async () => {
    const controller = new AbortController();
    const onFilled = () => {
      controller.abort(new Error('enough'));
      return new Promise(() => undefined);
    };
    const items = [3, 100_000].map((size): FillItem => ({ tensor: pool.empty([size]), initializer: 'ones', onFilled }));
    await expect(pool.fill(items, { signal: controller.signal })).rejects.toThrow('enough');
  });
});

test('memory that was released to a pool goes back to the system when that is closed', async () => {
  const bytes = 32 << 20;
  const pools = async (): Promise<void> => {
    for (let i = 0; i < 4; i++) {
      const own = createPool({ threads: 1 });
      own.release(own.empty([bytes / 4]));
      await own.close();
    }
  };
  collect();
  const before = process.memoryUsage().arrayBuffers;
  await pools();
  let left = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 40 && left > bytes; i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    collect();
    left = process.memoryUsage().arrayBuffers - before;
  }
  expect(left).toBeLessThan(2 * bytes);
});
