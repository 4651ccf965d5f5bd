import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { Counter } from '../../lib/serve/limits.js';

const from = (remoteAddress: string) => ({ socket: { remoteAddress } }) as unknown as IncomingMessage;

test('requests of an address are counted until each has left, once', () => {
  const counter = new Counter({ requests: 4, requestsPerAddress: 2 });
  const leave = [counter.enter(from('a')), counter.enter(from('a'))];
  expect(() => counter.enter(from('a'))).toThrow('from your address');
  for (let round = 0; round < 3; round++) {
    leave[0]?.();
    leave[0]?.(); // twice is once
    expect(counter.count).toBe(1);
    leave[0] = counter.enter(from('a'));
    expect(() => counter.enter(from('a'))).toThrow('from your address');
  }
  counter.enter(from('b'));
  counter.enter(from('c'));
  expect(counter.count).toBe(4);
  expect(() => counter.enter(from('d'))).toThrow('too many requests at once');
});
