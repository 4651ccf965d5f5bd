// Mean-field theory beside a thousand real networks each: the means agree within their standard errors, and a theory with another gain does not.
import { describe, expect, test } from 'vitest';
import { normalMean, normalProductMean } from '../../lib/core/quadrature.js';
import { gains } from '../../lib/init/gain.js';
import type { Initializer } from '../../lib/init/initializers.js';
import { resolve } from '../../lib/init/resolve.js';
import { activations } from '../../lib/report/activations.js';
import { runNetwork } from '../../lib/report/network.js';
import { parseStack } from '../../lib/report/stack.js';
import { edgeOfChaos, type LayerSignal, meanField, weightVariance } from '../../lib/report/theory.js';

const networks = 1000;

function fillsOf(text: string, initializer: Initializer) {
  const stack = parseStack('test', text);
  const fills = stack.layers.map(({ width }, i) =>
    resolve(initializer, [width, stack.layers[i - 1]?.width ?? stack.inputs]),
  );
  return { stack, fills };
}

function theoryOf(text: string, initializer: Initializer, biasStd = 0, factor = 1) {
  const { stack, fills } = fillsOf(text, initializer);
  const variances = fills.map((fill) => (weightVariance(fill) ?? Number.NaN) * factor);
  return meanField(stack, variances, biasStd);
}

/** Mean and standard error over networks, layer by layer. */
async function measured(text: string, initializer: Initializer, biasStd = 0) {
  const { stack, fills } = fillsOf(text, initializer);
  const runs: LayerSignal[][] = [];
  for (let seed = 0; seed < networks; seed++) runs.push(await runNetwork(stack, fills, BigInt(seed), { biasStd }));
  return stack.layers.map((_, i) => (what: keyof LayerSignal) => {
    const values = runs.map((run) => run[i]?.[what] ?? Number.NaN);
    const mean = values.reduce((sum, x) => sum + x, 0) / networks;
    const spread = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (networks - 1);
    return { mean, error: Math.sqrt(spread / networks) };
  });
}

/** Standard errors between networks and theory, the most of all layers; `bias` is a relative error that finite width makes. */
function farthest(
  points: Awaited<ReturnType<typeof measured>>,
  theory: readonly LayerSignal[],
  what: keyof LayerSignal,
  bias: (layer: number) => number,
): number {
  return Math.max(
    ...theory.map((layer, i) => {
      const { mean, error } = points[i]?.(what) ?? { mean: Number.NaN, error: 1 };
      return Math.max(0, Math.abs(mean - layer[what]) - bias(i) * Math.abs(layer[what])) / error;
    }),
  );
}

// What is positively homogeneous agrees at any width; elsewhere the error is of the order of layers / width.
describe.each([
  ['linear 24 x 6', { init: 'xavier_normal' }, 0, 0],
  ['linear 24 x 6', { init: 'sparse', sparsity: 0.25, std: 0.2 }, 0, 0],
  ['linear 32 x 5, relu', { init: 'kaiming_uniform' }, 0, 0],
  ['input 10, linear 40 x 2, leaky_relu, linear 20 x 2, leaky_relu', { init: 'kaiming_normal', mode: 'fan_out' }, 0, 0],
  ['linear 64 x 6, tanh', { init: 'xavier_uniform', gain: 5 / 3 }, 0, 64],
  ['linear 64 x 6, tanh', { init: 'orthogonal', gain: 1.2 }, 0.1, 64],
  ['linear 64 x 4, gelu', { init: 'lecun_normal' }, 0.3, 64],
] as const)('%s, %o', (text, initializer, biasStd, width) => {
  test('activations and gradients as theory says, and not as it says of another gain', {
    timeout: 60_000,
  }, async () => {
    const points = await measured(text, initializer, biasStd);
    const theory = theoryOf(text, initializer, biasStd);
    const bias = (layer: number) => (width === 0 ? 0 : (2 * layer) / width);
    const other = theoryOf(text, initializer, biasStd, 1.1 ** 2);
    for (const what of ['square', 'gradient', 'weightGradient'] as const) {
      const allowed = what === 'square' ? bias : (i: number) => bias(theory.length - i);
      expect(farthest(points, theory, what, allowed)).toBeLessThan(5);
      expect(farthest(points, other, what, () => 0)).toBeGreaterThan(10);
    }
  });
});

test('correlations of two inputs', { timeout: 60_000 }, async () => {
  const points = await measured('linear 64 x 6, tanh', { init: 'xavier_normal', gain: 1.6 }, 0.2);
  const theory = theoryOf('linear 64 x 6, tanh', { init: 'xavier_normal', gain: 1.6 }, 0.2);
  expect(farthest(points, theory, 'correlation', (i) => (2 * (i + 1)) / 64)).toBeLessThan(5);
  expect(theory.at(-1)?.correlation).not.toBeCloseTo(theory[0]?.correlation ?? 0, 2);
});

test('the gain of the moment keeps the mean square, the slope is the derivative, and means are those in closed form', () => {
  for (const { name, moment } of gains) {
    const { f, slope } = activations[name];
    expect(normalMean((z) => f(z) ** 2) * moment * moment).toBeCloseTo(1, 9);
    for (const x of [-2.3, -0.4, 0.7, 3.1]) expect(slope(x)).toBeCloseTo((f(x + 1e-6) - f(x - 1e-6)) / 2e-6, 6);
  }
  // E[relu(x)·relu(y)], the arc-cosine kernel (Cho & Saul 2009).
  for (const c of [-0.9, -0.2, 0.5, 0.99, 1]) {
    const closed = (Math.sqrt(1 - c * c) + c * (Math.PI - Math.acos(c))) / (2 * Math.PI);
    expect(normalProductMean(activations.relu.f, c)).toBeCloseTo(closed, 6);
  }
});

test('on the edge of chaos χ is 1, also at depth', () => {
  const line = edgeOfChaos('tanh');
  expect(line.length).toBeGreaterThan(20);
  const { weight, bias } = line[Math.floor(line.length / 2)] ?? { weight: 0, bias: 0 };
  const deep = theoryOf('linear 512 x 200, tanh', { init: 'normal', std: weight / Math.sqrt(512) }, bias);
  expect(deep.at(-1)?.chi).toBeCloseTo(1, 3);
  const relu = edgeOfChaos('relu');
  expect(relu.length).toBeGreaterThan(20);
  expect(relu.filter(({ weight, bias }) => !(Math.abs(weight - Math.SQRT2) < 1e-9 && bias < 1e-4))).toEqual([]);
});

test.each([
  ['linear', /expected layers such as/],
  ['linear 512 x 50, tanhh', /tanh/],
  ['linear 512 x 1001', /1000/],
  ['linear 20000', /16384|16,384/],
  ['tanh', /expected layers/],
  ['input 3', /expected a layer/],
  ['linear 16384 x 100', /2\^32 weights/],
  ['linear 8, transformer 8', /all linear/],
])('%s is refused', (text, says) => {
  expect(() => parseStack('reportOf', text)).toThrow(says);
});
