import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BenchRun } from '../../bench/harness/schema.js';
import { bench, result, runWith, times } from './support.js';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nninit-pictures-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function pictures(run: BenchRun): Promise<Map<string, string>> {
  const out = join(folder, run.suite);
  const file = join(folder, `${run.suite}.json`);
  writeFileSync(file, JSON.stringify(run));
  expect(await bench('pictures', file, '-o', out)).toMatchObject({ code: 0, stderr: '' });
  return new Map(readdirSync(out).map((name) => [name, readFileSync(join(out, name), 'utf8')]));
}

/** Tags close in the order in which they were opened, and attributes are quoted: what XML asks of ECharts' output. */
function expectWellFormed(svg: string): void {
  const open: string[] = [];
  const tag = /<(\/?)([a-z]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/gi;
  for (const [, closing, name = '', , empty] of svg.matchAll(tag)) {
    if (closing) expect(open.pop()).toBe(name);
    else if (!empty) open.push(name);
  }
  expect(open).toEqual([]);
  expect(svg.replaceAll(tag, '').replaceAll(/<!\[CDATA\[[\s\S]*?\]\]>/g, '')).not.toContain('<');
  expect(svg).not.toMatch(/NaN|undefined/);
  // Whoever finds it alone sees what was measured on what, and when.
  expect(svg).toMatch(/>[^<]+, \d+ cores, [^<]+ · Node [^<]+ · nninit [\d.]+ · \d{4}-\d\d-\d\d</);
  for (const [, text = ''] of svg.matchAll(/>([^<]+)</g)) expect(text).not.toMatch(/\d\.\d{5}/);
}

const trials = (fill: 'normal' | 'uniform') => [
  result({ fill, log2: 26 }, 0.3),
  result({ fill, log2: 26, threads: 8 }, 0.05, { memset: 0.02 }),
  result({ fill, log2: 16 }, 0.25, { memset: 0.02 }),
];

test('of a main run: bars beside peers, and a roofline', async () => {
  const peer = (name: string, ns: number) => ({
    peer: name,
    fill: 'normal' as const,
    dtype: 'float32' as const,
    log2: 26,
    threads: 8,
    ns: times(ns),
  });
  const drawn = await pictures(
    runWith([...trials('normal'), ...trials('uniform'), result({ fill: 'orthogonal', log2: 22 }, 10)], {
      peers: [
        { name: 'torch', label: 'PyTorch', version: '2.13' },
        { name: 'loop', label: 'plain <loop> & "more"', version: '20' },
      ],
      peer_results: [peer('torch', 2.3), peer('loop', 35)],
    }),
  );
  expect([...drawn.keys()]).toEqual(['peers.svg', 'peers_all.svg', 'roofline.svg']);
  for (const svg of drawn.values()) expectWellFormed(svg);
  for (const text of [
    'normal_ 2²⁶, float32',
    'PyTorch',
    '2.3 ns (46 ×)',
    'nninit, 8 threads',
    'nninit, 1 thread',
    'memset',
  ]) {
    expect(drawn.get('peers.svg')).toContain(`>${text}<`);
  }
  for (const text of ['uniform_ float32', 'GB/s on 8 threads, logarithmic', 'limit of memory (memset)']) {
    expect(drawn.get('roofline.svg')).toContain(`>${text}<`);
  }
});

test('of a scaling run: curves', async () => {
  const results = [12, 20, 26].flatMap((log2) =>
    [1, 2, 4, 8].flatMap((threads) => [
      result({ log2, threads }, 0.3 / threads),
      result({ fill: 'uniform', log2, threads }, 0.2 / threads, { memset: 0.1 / threads }),
    ]),
  );
  const drawn = await pictures(runWith(results, { suite: 'scaling' }));
  expect([...drawn.keys()]).toEqual(['sizes.svg', 'threads.svg']);
  for (const svg of drawn.values()) {
    expectWellFormed(svg);
    for (const text of ['normal_', 'uniform_', 'memset']) expect(svg).toContain(`>${text}<`);
  }
  expect(drawn.get('threads.svg')).toContain('>Times as fast as one thread, 2²⁶ elements<');
  expect(drawn.get('sizes.svg')).toContain('>L2<');
});

test('points beyond the ideal, or below one thread, are inside the axes', async () => {
  const results = (['normal', 'uniform'] as const).flatMap((fill, i) => [
    result({ fill }, 0.3),
    result({ fill, threads: 2 }, [0.14, 0.6][i] ?? 0),
  ]);
  const drawn = await pictures(runWith(results, { suite: 'scaling' }));
  // A symbol for each point of both panels: ECharts leaves out those beyond an axis.
  const marks = drawn.get('threads.svg')?.match(/<path[^>]*fill="#(?:0072b2|d55e00)"[^>]*ecmeta_data_index/g) ?? [];
  expect(marks).toHaveLength(8);
});

test('a run without anything to draw says so', async () => {
  const file = join(folder, 'small.json');
  writeFileSync(file, JSON.stringify(runWith([result({}, 1)])));
  const out = join(folder, 'small');
  const { code, stderr } = await bench('pictures', file, '-o', out);
  expect([code, stderr]).toEqual([
    2,
    expect.stringMatching(/small\.json has no results for a picture[\s\S]*nothing to draw/),
  ]);
  expect(existsSync(out)).toBe(false);
});

test('two runs do not draw over each other', async () => {
  const files = ['one.json', 'two.json'].map((name) => join(folder, name));
  for (const file of files) writeFileSync(file, JSON.stringify(runWith(trials('normal'))));
  const out = join(folder, 'both');
  const { code, stderr } = await bench('pictures', ...files, '-o', out);
  expect([code, stderr]).toEqual([2, expect.stringMatching(/one\.json and .*two\.json would both be roofline\.svg/)]);
  expect(existsSync(out)).toBe(false);
});

test.skipIf(process.platform === 'win32')('all are drawn where nobody reads their names', async () => {
  const file = join(folder, 'unread.json');
  const results = [12, 20, 26].flatMap((log2) => [1, 2].map((threads) => result({ log2, threads }, 0.3 / threads)));
  writeFileSync(file, JSON.stringify(runWith(results, { suite: 'scaling' })));
  const drawn = async (out: string, read: boolean): Promise<string[]> => {
    const main = fileURLToPath(new URL('../../dist/lib/cli/main.js', import.meta.url));
    const child = spawn(process.execPath, [main, 'bench', 'pictures', file, '-o', out], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    if (read) child.stdout.resume();
    else child.stdout.destroy();
    await once(child, 'close');
    return readdirSync(out);
  };
  const all = await drawn(join(folder, 'read'), true);
  expect(all.length).toBeGreaterThan(1);
  expect(await drawn(join(folder, 'unread'), false)).toEqual(all);
});
