// Orders that are cancelled, while others wait for them, finish them or order the same anew.
import { setTimeout } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { queueName } from '../../lib/cluster/connection.js';
import { InterruptedError } from '../../lib/core/errors.js';
import { cluster } from './cluster.js';
import { hasRedis, unlessRedis } from './redis-server.js';

describe.skipIf(!hasRedis)(`orders that are cancelled${unlessRedis}`, () => {
  const { worker, odd, jobs, order, expected, out } = cluster();

  test('who waits for an order that another process cancels hears of it, and does not order it again', async () => {
    const [mine, theirs] = [await order('out', { parts: 4 }), await order('out', { parts: 4 })];
    const messages: string[] = [];
    const waiting = expect(mine.wait({ onMessage: (text) => messages.push(text) })).rejects.toMatchObject({
      code: 'ERR_NNINIT_INTERRUPTED',
      cause: 'cancelled',
    });
    await theirs.cancel();
    await waiting;
    expect(messages).toEqual([]);
    expect((await jobs()).filter((key) => key.includes(mine.id)).length).toBeLessThan(2);
    await worker();
    expect(await (await order('out', { parts: 4 })).wait()).toMatchObject({ complete: true });
    expect(out('out')).toEqual(await expected());
  });

  test('one that is complete is forgotten, and what it wrote stays', async () => {
    await worker();
    const made = await order('out', { parts: 2 });
    expect(await made.wait()).toMatchObject({ complete: true });
    expect(await jobs()).toContain(`bull:${queueName}:${made.id}`);
    await made.cancel();
    expect((await jobs()).filter((key) => key.includes(made.id))).toEqual([]);
    await made.cancel(); // of what is gone there is nothing to be done
    expect(out('out')).toEqual(await expected());
  });

  test('an order that is cancelled while it is finished stops, and the same goes on later', async () => {
    let [begun, stopped] = [false, false];
    const slow = await odd(() => ({
      finish: async (_, output, signal) => {
        begun = true;
        await setTimeout(60_000, undefined, { signal }).catch(() => {});
        stopped = true;
        throw new InterruptedError(output, signal.reason);
      },
    }));
    const made = await order('out', { parts: 2 });
    const waiting = expect(made.wait()).rejects.toMatchObject({ code: 'ERR_NNINIT_INTERRUPTED' });
    while (!begun) await setTimeout(10);
    await made.cancel();
    await waiting;
    expect(stopped).toBe(true);
    await slow.close();
    await worker();
    expect(await (await order('out', { parts: 2 })).wait()).toMatchObject({ complete: true });
    expect(out('out')).toEqual(await expected());
  });

  test('one that was made anew while it was being cancelled stays', async () => {
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let begun = false;
    // Deaf to the signal: so long the cancelling waits.
    const deaf = await odd(() => ({
      part: async () => {
        begun = true;
        await held;
        return 0;
      },
    }));
    const first = await order('out', { parts: 1 });
    while (!begun) await setTimeout(10);
    const cancelling = first.cancel();
    const closing = deaf.close(); // it takes nothing more
    await setTimeout(300);
    const again = order('out', { parts: 1 });
    await setTimeout(300);
    release();
    const [made] = await Promise.all([again, cancelling, closing]);
    expect(await jobs()).toContain(`bull:${queueName}:${made.id}`);
    await worker();
    expect(await made.wait()).toMatchObject({ complete: true });
    expect(out('out')).toEqual(await expected());
  });

  test('one that was made anew in the instant before it is removed is there all the same', async () => {
    const first = await order('out', { parts: 1 });
    const { Queue } = await import('bullmq');
    const { remove } = Queue.prototype;
    let anew = (): Promise<unknown> => Promise.resolve();
    const spy = vi.spyOn(Queue.prototype, 'remove').mockImplementationOnce(async function (
      this: typeof Queue.prototype,
      ...args
    ) {
      await anew();
      return remove.apply(this, args);
    });
    let made: typeof first | undefined;
    anew = async () => {
      made = await order('out', { parts: 1 });
    };
    await first.cancel();
    expect(spy.mock.calls.length).toBeGreaterThan(1);
    spy.mockRestore();
    expect(await jobs()).toContain(`bull:${queueName}:${made?.id}`);
    await worker();
    expect(await made?.wait()).toMatchObject({ complete: true });
  });

  test('one that is removed while somebody looks whether it is there is made anew', async () => {
    const { Queue } = await import('bullmq');
    const spy = vi.spyOn(Queue.prototype, 'getJobState').mockResolvedValueOnce('waiting');
    const made = await order('out', { parts: 1 });
    spy.mockRestore();
    expect(await jobs()).toContain(`bull:${queueName}:${made.id}`);
    await worker();
    expect(await made.wait()).toMatchObject({ complete: true });
  });
});
