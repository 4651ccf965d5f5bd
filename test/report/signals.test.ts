import { expect, test } from 'vitest';
import { changeOf } from '../../lib/report/advice.js';
import { gridChart } from '../../lib/report/grid-chart.js';
import { runNetwork } from '../../lib/report/network.js';
import { signalReport } from '../../lib/report/signals.js';
import { parseStack } from '../../lib/report/stack.js';

test('ten initializers by default, and the sentence names gains that keep signals', { timeout: 120_000 }, async () => {
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

test('a stack of two layers has a gain that keeps gradients, and one of a single layer none', async () => {
  const gain = async (stack: string) => (await signalReport(stack, { seeds: [0] })).gradientGain;
  expect(await gain('linear 64 x 2, relu')).toBeCloseTo(Math.SQRT2, 5);
  expect(await gain('linear 64 x 1, relu')).toBeNull();
});

test('what grows beyond all numbers explodes, and does not vanish', async () => {
  const initializers = ['normal', 'kaiming_normal'] as const;
  const report = await signalReport('linear 64 x 210, relu', { initializers, seeds: [0] });
  expect(report.gradientGain).toBeCloseTo(Math.SQRT2, 5); // at the ends of what is searched nothing but infinities and zeros
  const [take = '', next = ''] = report.advice;
  expect(take).toMatch(/^Take kaiming_normal for/);
  expect(next).toMatch(/^Next comes normal, with which activations explode and gradients explode, /);
  expect(next).toMatch(/, and a further layer would multiply the variance of gradients by 32\.$/);
  const normal = report.series[0];
  for (const last of [normal?.theory?.at(-1), { variance: normal?.networks.at(-1)?.variance.median }])
    expect(last?.variance).toBe(Number.POSITIVE_INFINITY);
  // Squares of activations are beyond all numbers there, activations are not: real gradients are as theory says.
  expect(normal?.theory?.at(-1)?.gradient).toBeCloseTo(0.5, 6);
  expect(normal?.networks.at(-1)?.gradient.median).toBeGreaterThan(0.25);
});

test('a network whose activations are beyond all numbers says nothing of its gradients', async () => {
  const stack = parseStack('linear', 'linear 16 x 14, relu');
  const fills = stack.layers.map(() => ({ kind: 'normal', mean: 0, std: 1e30 }) as const);
  const layers = await runNetwork(stack, fills, 0n);
  const change = changeOf(layers);
  expect(change).toEqual({ activations: Number.POSITIVE_INFINITY, gradients: Number.NaN, weightGradients: Number.NaN });
  const report = await signalReport('linear 2 x 2, relu', { initializers: ['normal'], seeds: [0] });
  const grid = {
    gains: [{ value: 1, names: ['linear'] }],
    rows: [{ name: 'x', by: 'network', cells: [change] }],
  } as const;
  const cell = (what: 'activations' | 'gradients') => gridChart({ ...report, grid }, what)?.numbers.rows[0]?.[1];
  expect([cell('activations'), cell('gradients')]).toEqual(['∞', '?']);
});

test('the spread of a number is over the networks that have it', async () => {
  // Of narrow networks of relu some die: all zeros have no correlation.
  const seeds = Array.from({ length: 12 }, (_, i) => i);
  const initializers = ['kaiming_normal'] as const;
  const all = await signalReport('linear 2 x 8, relu', { initializers, seeds });
  const alone: number[][] = [];
  for (const seed of seeds) {
    const one = await signalReport('linear 2 x 8, relu', { initializers, seeds: [seed] });
    alone.push((one.series[0]?.networks ?? []).map(({ correlation }) => correlation.median));
  }
  const layers = all.series[0]?.networks ?? [];
  expect(layers).toHaveLength(8);
  const counts = layers.map(({ correlation }, i) => {
    const found = alone.map((one) => one[i] ?? Number.NaN).filter((x) => !Number.isNaN(x));
    if (found.length === 0) {
      expect(correlation).toEqual({ mean: Number.NaN, median: Number.NaN, min: Number.NaN, max: Number.NaN });
      return 0;
    }
    expect([correlation.min, correlation.max]).toEqual([Math.min(...found), Math.max(...found)]);
    expect(correlation.mean).toBeCloseTo(found.reduce((sum, x) => sum + x, 0) / found.length, 12);
    return found.length;
  });
  expect(counts.some((count) => count > 1 && count < 12)).toBe(true);
});

test('blocks of width 1, of which a norm makes zeros, have numbers', async () => {
  const initializers = [{ init: 'normal', std: 0.5 }] as const;
  const { series } = await signalReport('transformer 1 x 2, gelu', { initializers, seeds: [0] });
  expect(series).toHaveLength(2);
  for (const { networks } of series) {
    const [first, last] = networks;
    expect(first?.square.median).toBeGreaterThan(0);
    expect(last?.square.median).toBe(first?.square.median);
    expect(last?.gradient.median).toBeGreaterThan(0);
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

test.each(['linear 8', 'transformer 8 x 1'])(
  '%s: what is no initializer is refused in the name of signalReport',
  async (stack) => {
    for (const [initializer, says] of [
      ['norma', /^signalReport: expected one of .* for init, .* \(did you mean 'normal'\?\)$/],
      [5, /^signalReport: expected a name or a plain object .* for initializer, but received 5/],
    ] as const) {
      const refused = signalReport(stack, { initializers: [initializer as never], seeds: [0] });
      await expect(refused).rejects.toThrow(says);
    }
  },
);

test('biases are refused where there are none', async () => {
  const options = { initializers: ['normal'], seeds: [0] } as const;
  const refused = signalReport('transformer 8 x 1, gelu', { ...options, biasStd: 0.5 });
  await expect(refused).rejects.toThrow('expected 0 for biasStd, but received 0.5 of type number (blocks of a trans');
  expect((await signalReport('transformer 8 x 1, gelu', { ...options, biasStd: 0 })).biasStd).toBe(0);
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
