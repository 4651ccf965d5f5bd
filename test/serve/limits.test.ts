import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import type { Content } from '../../lib/serve/content.js';
import { Counter } from '../../lib/serve/limits.js';
import { sendContent } from '../../lib/serve/send.js';

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

test('a download that is limited gets a second of it at a time, so that its connection is never idle for long', async () => {
  const socket = Object.assign(new EventEmitter(), { destroyed: false });
  const request = { method: 'GET', headers: {}, socket } as unknown as IncomingMessage;
  const sizes: number[] = [];
  const nothing = () => {};
  const response = Object.assign(new EventEmitter(), {
    ...{ destroyed: false, writeHead: nothing, flushHeaders: nothing, cork: nothing, uncork: nothing, end: nothing },
    write(bytes: Uint8Array, done: () => void) {
      sizes.push(bytes.length);
      done();
      if (sizes.length === 2) socket.emit('close');
    },
  });
  Object.setPrototypeOf(response, { ...EventEmitter.prototype, write: response.write });
  Reflect.deleteProperty(response, 'write'); // as a response's own class has it
  const content = {
    ...{ name: 'w', size: 2 ** 21, oid: '0', modified: new Date(0), isMade: true },
    async *stream() {
      yield new Uint8Array(2 ** 21);
    },
  } as unknown as Content;
  const options = { headers: {}, etag: '"0"', requests: 1, bytesPerSecond: 4096, onBytes: nothing };
  const sent = sendContent(request, response as unknown as ServerResponse, content, options);
  await expect(sent).rejects.toThrow();
  expect(sizes).toEqual([4096, 4096]);
});
