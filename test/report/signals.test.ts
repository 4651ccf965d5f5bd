import { expect, test } from 'vitest';
import { signalReport } from '../../lib/report/signals.js';

test('ten initializers by default, and the sentence names the one that keeps signals best', async () => {
  const report = await signalReport('linear 48 x 50, tanh', { seeds: [0, 1, 2] });
  expect(report.series.map(({ name }) => name)).toHaveLength(10);
  expect(report.keepingGain).toBeCloseTo(1.5925, 4);
  const [, sentence] = report.explanation;
  expect(sentence).toContain('gain of 1.593 (calculate_gain says 1.667)');
  expect(sentence).toContain('kaiming');
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

test('relu: kaiming keeps the variance, xavier halves it at each layer', async () => {
  const report = await signalReport('linear 64 x 20, relu', {
    initializers: ['xavier_normal', 'kaiming_normal'],
    seeds: [0],
  });
  expect(report.explanation[1]).toContain('kaiming_normal keeps both directions best');
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
