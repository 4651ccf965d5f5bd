import { expect, test } from 'vitest';
import { signalReport } from '../../lib/report/signals.js';

test('ten initializers by default, and the sentence names gains that keep signals', async () => {
  const report = await signalReport('linear 48 x 50, tanh', { seeds: [0, 1, 2] });
  expect(report.series.map(({ name }) => name)).toHaveLength(10);
  expect(report.keepingGain).toBeCloseTo(1.5925, 4);
  expect(report.explanation[1]).toContain('a gain of 1.593 on weights');
  expect(report.explanation[1]).toMatch(/with 1\.667, as calculate_gain says, gradients grow by a factor of 6,\d00/);
  const uniform = report.series.find(({ name }) => name === 'uniform');
  expect(uniform?.theory).toBeNull(); // its mean is not zero
  expect(uniform?.networks).toHaveLength(50);
  const xavier = report.series.find(({ name }) => name === 'xavier_normal');
  expect(xavier?.weight).toBeCloseTo(1, 6);
  expect(xavier?.samples.map(({ layer }) => layer)).toEqual([1, 13, 26, 38, 50]);
  for (const { activations, gradients } of xavier?.samples ?? []) {
    expect(activations.counts.reduce((sum, n) => sum + n, 0)).toBe(48);
    expect(gradients.counts.reduce((sum, n) => sum + n, 0)).toBe(48);
  }
});

// What to take for 50 layers of tanh: at the edge of chaos, gain 1, weights' gradients are level; kaiming's √2 and calculate_gain's 5/3 are beyond it.
test('50 layers of tanh: what to take of the ten, and why', { timeout: 120_000 }, async () => {
  const report = await signalReport('linear 32 x 50, tanh', { seeds: [0] });
  expect(report.best).toEqual(['orthogonal', 'xavier_uniform', 'xavier_normal']);
  const [take = '', next = ''] = report.advice;
  expect(take).toMatch(/^Take orthogonal, xavier_uniform or xavier_normal for these 50 layers of tanh/);
  expect(take).toContain(
    'gradients shrink by a factor of 68, gradients of weights, by which layers learn, differ by a factor of 1.4 between',
  );
  expect(next).toMatch(/^Next come kaiming_uniform and kaiming_normal/);
  expect(next).toContain(
    'gradients grow by a factor of 59, gradients of weights, by which layers learn, differ by a factor of 190 between',
  );
  const last = (name: string) => report.series.find((each) => each.name === name)?.theory?.at(-1);
  expect(last('xavier_normal')?.chi).toBeCloseTo(0.98, 3); // 1 - 1/depth, on its way to 1
  expect(last('kaiming_normal')?.chi).toBeGreaterThan(1.1);
  expect(report.advice).toHaveLength(2);

  // Of all gains the one that brings gradients through is between these, and an initializer that has it is taken.
  expect(report.gradientGain).toBeCloseTo(1.186, 3);
  const init = 'xavier_normal';
  const initializers = [init, { init, gain: 1.2 }, { init, gain: 5 / 3 }, 'kaiming_normal'] as const;
  const chosen = await signalReport('linear 32 x 50, tanh', { seeds: [0], initializers });
  expect(chosen.best).toEqual(['xavier_normal, gain 1.2']);
  expect(chosen.grid).toBeNull();
});

test('ten initializers under all gains: relu is level at √2 alone, and what theory cannot say a network does', async () => {
  const { grid } = await signalReport('linear 24 x 12, relu', { seeds: [0] });
  expect(grid?.gains.map(({ value }) => value)).toHaveLength(9);
  expect(grid?.rows.map(({ name }) => name)).toHaveLength(10);
  const at = grid?.gains.findIndex(({ names }) => names.includes('relu')) ?? -1;
  expect(grid?.gains[at]?.names).toEqual(['relu', 'leaky_relu']);
  for (const { name, by, cells } of grid?.rows ?? []) {
    expect(by).toBe(name === 'uniform' || name === 'eye' ? 'network' : 'theory');
    if (!/^(xavier|kaiming|orthogonal)/.test(name)) continue;
    for (const [i, { activations, gradients }] of cells.entries()) {
      const decades = 11 * Math.log10((grid?.gains[i]?.value ?? 0) ** 2 / 2);
      expect(activations).toBeCloseTo(decades, 5);
      expect(gradients).toBeCloseTo(decades, 5);
    }
  }
});

test('relu: kaiming keeps the variance, xavier halves it at each layer', async () => {
  const report = await signalReport('linear 64 x 20, relu', {
    initializers: ['xavier_normal', 'kaiming_normal'],
    seeds: [0],
  });
  expect(report.best).toEqual(['kaiming_normal']);
  expect(report.gradientGain).toBeCloseTo(Math.SQRT2, 5);
  const [xavier, kaiming] = report.series.map(({ theory }) => theory?.map(({ square }) => square) ?? []);
  for (let i = 1; i < 20; i++) {
    expect((xavier?.[i] ?? 0) / (xavier?.[i - 1] ?? 1)).toBeCloseTo(0.5, 6);
    expect(kaiming?.[i]).toBeCloseTo(1, 6);
  }
});

test('a transformer: theory beside networks, with and without 1/√(2L)', { timeout: 60_000 }, async () => {
  const seeds = Array.from({ length: 60 }, (_, i) => i);
  const report = await signalReport('transformer 64 x 6, gelu', {
    initializers: [{ init: 'normal', std: 0.1 }],
    seeds,
  });
  const [plain, scaled] = report.series;
  for (const { theory, networks } of report.series) {
    for (const [i, layer] of (theory ?? []).entries()) {
      // 60 networks of width 64: some percent of chance, and of finite width.
      expect((networks[i]?.square.mean ?? 0) / layer.square).toBeGreaterThan(0.9);
      expect((networks[i]?.square.mean ?? 0) / layer.square).toBeLessThan(1.1);
      expect((networks[i]?.gradient.mean ?? 0) / layer.gradient).toBeGreaterThan(0.85);
      expect((networks[i]?.gradient.mean ?? 0) / layer.gradient).toBeLessThan(1.15);
    }
  }
  const [grown, kept] = [plain?.theory?.at(-1)?.square ?? 0, scaled?.theory?.at(-1)?.square ?? 0];
  expect(grown).toBeGreaterThan(3);
  expect((grown - 1) / (kept - 1)).toBeCloseTo(12, 0); // 2L
});

test.each([
  [{ initializers: [] }, /initializers/],
  [{ initializers: ['xavier'] }, /xavier_/],
  [{ biasStd: -1 }, /biasStd/],
  [{ seeds: [] }, /seeds/],
  [{ seed: 1 }, /seeds/],
])('options %o are refused', async (options, says) => {
  await expect(signalReport('linear 8', options as never)).rejects.toThrow(says);
});

test.each([
  ['linear 8 x 3, tanh', 2 * 3 * (10 * 2 + 10 * 9)], // ten initializers, two networks each, and a grid of nine gains
  ['transformer 8 x 3, gelu', 2 * 3 * 4], // two networks, with and without a scale
])('%s: progress goes layer by layer up to all of them', async (stack, all) => {
  const seen: number[] = [];
  await signalReport(stack, {
    seeds: [0, 1],
    onProgress({ layers, totalLayers }) {
      expect(totalLayers).toBe(all);
      seen.push(layers);
    },
  });
  expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  expect(seen.at(-1)).toBe(all);
});

test('a signal stops within a network', async () => {
  const stop = new AbortController();
  let layers = 0;
  const report = signalReport('linear 8 x 50, tanh', {
    signal: stop.signal,
    onProgress(progress) {
      ({ layers } = progress);
      if (layers === 7) stop.abort(new Error('enough'));
    },
  });
  await expect(report).rejects.toThrow('enough');
  expect(layers).toBe(7);
});
