// What callers hand over may throw wherever it is touched. That is a rejection; on a timer's or an immediate's stack it would end the process.
import { runInNewContext } from 'node:vm';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createPool, empty } from '../../lib/index.js';
import { detach } from '../support.js';

const pool = createPool({ threads: 2 });
afterAll(() => pool.close());

const uncaught: unknown[] = [];
const note = (error: unknown): void => void uncaught.push(error);
beforeEach(() => {
  uncaught.length = 0;
  process.on('uncaughtException', note).on('unhandledRejection', note);
});
afterEach(async () => {
  await pool.init.ones_(pool.empty([100_000])); // the pool goes on
  process.off('uncaughtException', note).off('unhandledRejection', note);
  expect(uncaught).toEqual([]);
});

const boom = (): never => {
  throw new Error('boom');
};
const withGetter = (object: object, name: PropertyKey, get: () => unknown = boom) =>
  Object.defineProperty(object, name, { get, enumerable: true, configurable: true });
const fill = pool.fill.bind(pool) as unknown as (items: unknown, options?: object) => Promise<unknown>;
const good = () => ({ tensor: empty([30_000]), initializer: 'ones' });

describe('items', () => {
  test.each(['tensor', 'initializer', 'onFilled'])('whose %s throws', async (name) => {
    await expect(fill([good(), withGetter(good(), name)])).rejects.toThrow('fill: item 1: boom');
  });

  test('whose name throws, refused at once', async () => {
    const bad = withGetter({ tensor: empty([3]), initializer: 'nromal' }, 'name');
    await expect(fill([bad])).rejects.toThrow(/^fill: 1 item of 1 could not be filled: fill: item 0: /);
  });

  test.each([20_000, 3_000_000])('whose name throws, failing later, %i elements', async (elements) => {
    const tensor = empty([elements]);
    const running = fill([withGetter({ tensor, initializer: 'normal' }, 'name')]);
    detach(tensor.data);
    await expect(running).rejects.toThrow('fill: item 0: expected memory that is still there');
  });

  test('that are proxies which throw at all that is done with them', async () => {
    const handler = { get: boom, getPrototypeOf: boom, ownKeys: boom, has: boom, getOwnPropertyDescriptor: boom };
    await expect(fill([new Proxy(good(), handler)])).rejects.toThrow('fill: item 0: boom');
    await expect(fill(new Proxy([good()], handler))).rejects.toThrow('boom');
  });

  test.each([
    ['no string', Object.create(null)],
    ['a message that throws', withGetter(new Error(), 'message')],
    ['a symbol', Symbol('boom')],
    ['undefined', undefined],
  ])('that throw %s', async (_, thrown) => {
    const onFilled = () => {
      throw thrown;
    };
    await expect(fill([{ ...good(), onFilled }])).rejects.toThrow('fill: item 0: ');
  });
});

describe('iterables', () => {
  const iterable = (next: () => unknown, more = {}) => ({ [Symbol.iterator]: () => ({ next, ...more }) });

  test.each([
    ['the iterator', withGetter({}, Symbol.iterator)],
    ['next', iterable(boom)],
    ['done', iterable(() => withGetter({ value: good() }, 'done'))],
    ['value', iterable(() => withGetter({ done: false }, 'value'))],
    ['then', iterable(() => withGetter({ done: false, value: good() }, 'then'))],
    ['what was promised', iterable(() => Promise.reject(new Error('boom')))],
    ['what was promised, its done', iterable(() => Promise.resolve(withGetter({ value: good() }, 'done')))],
  ])('where %s throws', async (_, items) => {
    await expect(fill(items)).rejects.toThrow('boom');
  });

  test.each([undefined, 3, 'x'])('whose step is %j', async (step) => {
    await expect(fill(iterable(() => step))).rejects.toThrow(TypeError);
  });

  test.each([
    ['throws', boom],
    ['rejects', () => Promise.reject(new Error('late'))],
    ["rejects with another realm's promise", () => runInNewContext("Promise.reject(new Error('late'))")],
    [
      'rejects with a promise of its own kind',
      () => withGetter({}, 'then', () => (_: unknown, no: () => void) => no()),
    ],
    ['gives what throws when it is looked at', () => withGetter({}, 'then')],
  ])('whose return %s after an abort', async (_, end) => {
    const controller = new AbortController();
    let count = 0;
    const next = () => {
      if (++count === 20) controller.abort(new Error('enough'));
      return { done: false, value: good() };
    };
    await expect(fill(iterable(next, { return: end }), { signal: controller.signal })).rejects.toThrow('enough');
  });

  test.each(['iterator', 'asyncIterator'] as const)('whose %s aborts, and which has no end', async (how) => {
    const controller = new AbortController();
    let returned = 0;
    const iterator = {
      next: () => ({ done: false, value: good() }),
      return: () => ({ done: ++returned > 0 }),
    };
    const items = {
      [Symbol[how]]: () => {
        controller.abort(new Error('enough'));
        return iterator;
      },
    };
    await expect(fill(items, { signal: controller.signal })).rejects.toThrow('enough');
    expect(returned).toBe(1);
  });

  test('whose next aborts, and promises what never comes', async () => {
    const controller = new AbortController();
    let returned = 0;
    const next = () => {
      controller.abort(new Error('enough'));
      return new Promise(() => undefined);
    };
    const items = iterable(next, { return: () => ++returned });
    await expect(fill(items, { signal: controller.signal })).rejects.toThrow('enough');
    expect(returned).toBe(1);
  });

  test('a generator that aborts is told to return when it is through', async () => {
    const controller = new AbortController();
    let isOver = false;
    const generate = function* () {
      try {
        yield good();
        controller.abort(new Error('enough'));
        yield good();
      } finally {
        isOver = true;
      }
    };
    await expect(fill(generate(), { signal: controller.signal })).rejects.toThrow('enough');
    expect(isOver).toBe(true);
  });
});

test('options whose getters throw', async () => {
  await expect(fill([good()], withGetter({}, 'signal'))).rejects.toThrow('boom');
  const init = pool.init.normal_ as unknown as (...args: unknown[]) => Promise<unknown>;
  await expect(init(empty([3]), withGetter({}, 'std'))).rejects.toThrow('boom');
  await expect(init(withGetter({ shape: [3] }, 'data'))).rejects.toThrow('boom');
});

test.each([
  ['tensor', 'an array'],
  ['initializer', 'an array'],
  ['tensor', 'a generator'],
  ['initializer', 'a generator'],
] as const)('a getter of %s that aborts, in %s: nothing of the item is written', async (name, how) => {
  const controller = new AbortController();
  const tensor = pool.empty([2 ** 22]);
  const item = { tensor, initializer: 'ones' };
  const given = withGetter({ ...item }, name, () => {
    controller.abort(new Error('enough'));
    return item[name];
  });
  const items = how === 'an array' ? [given] : [given].values();
  await expect(fill(items, { signal: controller.signal })).rejects.toThrow('enough');
  expect(tensor.data.every((x) => x === 0)).toBe(true);
});

describe('signals', () => {
  const init = pool.init.trunc_normal_ as unknown as (...args: unknown[]) => Promise<unknown>;

  test('whose reason throws when a timer aborts them', async () => {
    const signal = withGetter({ aborted: false, removeEventListener: () => undefined }, 'reason');
    Object.assign(signal, { addEventListener: (_: string, abort: () => void) => setImmediate(abort) });
    await expect(init(pool.empty([2 ** 24]), { signal })).rejects.toThrow('boom');
  });

  test('that cannot be left', async () => {
    const signal = { aborted: false, addEventListener: () => undefined };
    await expect(init(pool.empty([2 ** 16]), { signal })).rejects.toThrow('expected an AbortSignal for signal');
  });
});
