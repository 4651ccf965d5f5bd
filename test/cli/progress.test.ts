import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { showProgress, showSteps } from '../../lib/cli/progress.js';
import { duration, size } from '../../lib/core/text.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const task = { path: 'out/x', tensors: 7, files: 4, bytes: 20e9, doneBytes: 4e9 };

test('lines come every five seconds, with rate and time left', async () => {
  const text: string[] = [];
  const progress = await showProgress({ write: (line) => text.push(line) }, task);
  for (let second = 1; second <= 8; second++) {
    vi.advanceTimersByTime(1000);
    progress.update(second * 1e9);
  }
  vi.advanceTimersByTime(10000);
  progress.update(16e9);
  expect(text).toEqual([
    'nninit: writing 7 tensors in 4 files, 20 GB, of which 4 GB are there, to out/x\n',
    'nninit: 45 %, 9 GB of 20 GB, 1 GB/s, 11 s left\n',
  ]);
});

test('the rate is that of the last ten seconds', async () => {
  const text: string[] = [];
  const progress = await showProgress({ write: (line) => text.push(line) }, { ...task, doneBytes: 0 });
  for (let second = 1; second <= 30; second++) {
    vi.advanceTimersByTime(1000);
    progress.update(second <= 10 ? second * 1e9 : 10e9 + (second - 10) * 1e8);
  }
  expect(text.at(-1)).toBe('nninit: 60 %, 12 GB of 20 GB, 100 MB/s, 1 min 20 s left\n');
});

const terminal = (columns: number, text: string[]) => ({
  isTTY: true,
  columns,
  write: (piece: string) => text.push(piece),
});

test.each([200, 80, 60, 40, 20, 8, 1])(
  'on a terminal of %d columns a line never wraps, and says how far it is',
  async (columns) => {
    const text: string[] = [];
    vi.stubEnv('TERM', 'xterm');
    const progress = await showProgress(terminal(columns, text), task);
    vi.advanceTimersByTime(1000);
    progress.update(8e9);
    progress.stop();
    vi.unstubAllEnvs();
    expect([text[0], text.at(-1)]).toEqual(['\x1b[?25l', '\r\x1b[K\x1b[?25h']);
    const line = text.at(-2)?.replace('\r\x1b[K', '') ?? '';
    expect(line.length).toBeLessThan(columns === 1 ? 1 : columns);
    expect(line).not.toContain('\x1b'); // no colours, so NO_COLOR asks for nothing
    if (columns > 4) expect(line).toContain('60%');
    if (columns >= 60) expect(line).toMatch(/^█+░+ 60% \| 1 s left \| 8 GB\/s/);
    if (columns >= 80) expect(line).toContain('12 GB of 20 GB');
  },
);

test('headers alone do not tell how long it will take', async () => {
  const text: string[] = [];
  vi.stubEnv('TERM', 'xterm');
  const progress = await showProgress(terminal(80, text), { ...task, doneBytes: 0 });
  const drawn = (milliseconds: number, written: number) => {
    vi.advanceTimersByTime(milliseconds);
    progress.update(written);
    return text.at(-1);
  };
  expect(drawn(1000, 11_000)).toContain(' 0% | ? left'); // not 505 h
  expect(drawn(1000, 1e9)).toContain(' 5% | 38 s left');
  const slow = await showProgress(terminal(80, text), { ...task, doneBytes: 0 });
  vi.advanceTimersByTime(11_000);
  slow.update(11e6);
  expect(text.at(-1)).toContain(' 0% | 5 h 33 min left'); // a slow disk is told in the end
  vi.unstubAllEnvs();
});

test('a dumb terminal gets lines', async () => {
  const text: string[] = [];
  vi.stubEnv('TERM', 'dumb');
  const progress = await showProgress(terminal(80, text), task);
  progress.update(8e9);
  progress.stop();
  vi.unstubAllEnvs();
  expect(text).toEqual(['nninit: writing 7 tensors in 4 files, 20 GB, of which 4 GB are there, to out/x\n']);
});

test('steps that need no names have their share and the time left', () => {
  const text: string[] = [];
  const progress = showSteps({ write: (line) => text.push(line) }, 'following signals through a stack', 400);
  vi.advanceTimersByTime(6000);
  progress.update(100);
  expect(text).toEqual(['nninit: following signals through a stack\n', 'nninit: 25 %, 18 s left\n']);
  vi.stubEnv('TERM', 'xterm');
  const drawn: string[] = [];
  const onTerminal = showSteps(terminal(80, drawn), 'following signals through a stack', 400);
  vi.advanceTimersByTime(1000);
  onTerminal.update(100);
  vi.unstubAllEnvs();
  expect(drawn.at(-1)).toBe(`\r\x1b[K${'█'.repeat(10)}${'░'.repeat(30)} 25% | 3 s left`);
});

test('nothing to write is no reason for numbers that are none', async () => {
  const text: string[] = [];
  const progress = await showProgress({ write: (line) => text.push(line) }, { ...task, bytes: 0, doneBytes: 0 });
  vi.advanceTimersByTime(6000);
  progress.update(0);
  expect(text).toEqual(['nninit: writing 7 tensors in 4 files, 0 B, to out/x\n']);
});

test.each([
  [0, '0 s'],
  [0.2, '1 s'],
  [59, '59 s'],
  [60, '1 min 0 s'],
  [3599.5, '1 h 0 min'],
  [7500, '2 h 5 min'],
  [Number.POSITIVE_INFINITY, '?'],
  [Number.NaN, '?'],
])('%d seconds are %s', (seconds, text) => {
  expect(duration(seconds)).toBe(text);
});

test('sizes', () => {
  expect([0, 999, 1000, 999_500, 16.06e9].map(size)).toEqual(['0 B', '999 B', '1 kB', '1 MB', '16.1 GB']);
  expect(size(12.008931990300974)).toBe('12 B'); // a rate is no whole number
});
