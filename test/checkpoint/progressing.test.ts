// Signals of other realms, as jsdom's in tests of pages, and polyfills': fetch and AbortSignal.any take them, and do not hear of their aborts.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { checkProgressing } from '../../lib/checkpoint/progressing.js';
import { openCheckpoint } from '../../lib/checkpoint.js';

/** Knows no more than what every signal has. */
class ForeignSignal {
  aborted = false;
  reason: unknown;
  readonly listeners = new Set<() => void>();

  addEventListener(_: 'abort', listener: () => void): void {
    this.listeners.add(listener);
  }

  removeEventListener(_: 'abort', listener: () => void): void {
    this.listeners.delete(listener);
  }

  abort(reason: unknown): void {
    this.aborted = true;
    this.reason = reason;
    for (const listener of this.listeners) listener();
  }
}

const given = (signal: ForeignSignal) => signal as unknown as AbortSignal;

test('ends what waits for a server that never answers', async () => {
  const signal = new ForeignSignal();
  const reason = new Error('enough');
  const server = createServer(() => signal.abort(reason)).listen(0);
  try {
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const opening = openCheckpoint(`http://127.0.0.1:${port}/model.safetensors`, { signal: given(signal) });
    await expect(opening).rejects.toBe(reason);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('is listened to once however often it is given, and an abort that was is known', () => {
  const signal = new ForeignSignal();
  const [one, other] = [1, 2].map(() => checkProgressing('f', { signal: given(signal) }).signal);
  expect(one).toBe(other);
  expect(one).toBeInstanceOf(AbortSignal);
  expect(signal.listeners.size).toBe(1);
  signal.abort('why');
  expect(one).toMatchObject({ aborted: true, reason: 'why' });
  const late = new ForeignSignal();
  late.aborted = true;
  expect(checkProgressing('f', { signal: given(late) }).signal).toMatchObject({
    aborted: true,
    reason: { name: 'AbortError' },
  });
  const own = new AbortController().signal;
  expect(checkProgressing('f', { signal: own }).signal).toBe(own);
});
