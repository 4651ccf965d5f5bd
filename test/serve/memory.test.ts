// Downloads share the memory that their bytes are made in: none may get those of another, however others read and end.
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { beforeAll, expect, test, vi } from 'vitest';
import { loadPlan, virtualCheckpoint } from '../../lib/checkpoint.js';
import { models, serve } from './serving.js';

/** 14 MB: more than a socket takes of what nobody reads. */
const tensors = {
  a: { shape: [1500, 1000], init: 'normal' },
  q: { shape: [500, 500], init: 'orthogonal' },
  b: { shape: [7000, 1001], dtype: 'bfloat16', init: 'uniform' },
  s: { shape: [500, 500], init: 'sparse', sparsity: 0.5 },
};
const seeds = ['1', '2', '3-torch'];
const files = new Map<string, Uint8Array>();
let base = '';

beforeAll(async () => {
  mkdirSync(join(models, 'tiny/shared'), { recursive: true });
  writeFileSync(join(models, 'tiny/shared/recipe.json'), JSON.stringify({ tensors }));
  base = await serve({ inputs: [models] });
  const plan = await loadPlan(join(models, 'tiny/shared/recipe.json'));
  for (const seed of seeds) {
    const [number, engine] = seed.split('-') as [string, 'torch' | undefined];
    files.set(seed, await virtualCheckpoint(plan, { seed: Number(number), engine }).read('model.safetensors'));
  }
});

const request = (seed: string) => `GET /tiny/shared/resolve/seed-${seed}/model.safetensors HTTP/1.1\r\nHost: x\r\n\r\n`;

interface Reader {
  /** Goes away after so many bytes of the file. */
  readonly most?: number;
  /** Milliseconds between what comes. */
  readonly pause?: number;
}

/** Downloads a file; resolves with how many bytes came, and rejects at the first one that is not the file's. */
function download(seed: string, { most, pause }: Reader): Promise<number> {
  const expected = files.get(seed) as Uint8Array;
  const enough = most ?? expected.length;
  return new Promise((resolve, reject) => {
    let head: Buffer | undefined = Buffer.alloc(0);
    let at = 0;
    const socket = connect(Number(new URL(base).port), '127.0.0.1', () => socket.write(request(seed)));
    socket.on('data', async (chunk: Buffer) => {
      let body = chunk;
      if (head !== undefined) {
        head = Buffer.concat([head, chunk]);
        const end = head.indexOf('\r\n\r\n');
        if (end < 0) return;
        body = head.subarray(end + 4);
        head = undefined;
      }
      if (!body.equals(expected.subarray(at, at + body.length)))
        reject(new Error(`seed ${seed}: other bytes after ${at}`));
      at += body.length;
      if (at >= enough) socket.destroy();
      else if (pause !== undefined) {
        socket.pause();
        await setTimeout(pause);
        socket.resume();
      }
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(at));
  });
}

test('fast, slow and leaving clients each get the bytes of their own file', async () => {
  const all: Promise<void>[] = [];
  for (let i = 0; i < 60; i++) {
    const seed = seeds[i % seeds.length] as string;
    const size = (files.get(seed) as Uint8Array).length;
    const most = i % 5 === 0 ? undefined : Math.ceil((size * ((i * 37) % 100)) / 100);
    const pause = i % 3 === 0 ? 2 : undefined;
    const reader = { ...(most !== undefined && { most }), ...(pause !== undefined && { pause }) };
    all.push(
      download(seed, reader).then((came) => {
        if (most === undefined) expect(came).toBe(size);
        else expect(came).toBeGreaterThanOrEqual(most);
      }),
    );
    if (all.length % 12 === 0) await all[i - 11]; // some begin when others are under way or gone
  }
  await Promise.all(all);
}, 120_000);

test('who asks for several files at once and goes away leaves none of them behind', async () => {
  for (let i = 0; i < 5; i++) {
    const socket = connect(Number(new URL(base).port), '127.0.0.1', () => socket.write(request('1').repeat(3)));
    socket.pause();
    await setTimeout(50);
    socket.destroy();
  }
  await vi.waitFor(async () => {
    expect(await (await fetch(`${base}/metrics`)).text()).toMatch(/^nninit_requests_in_flight 1$/m); // this one
  });
});
