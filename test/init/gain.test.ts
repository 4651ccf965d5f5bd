import { describe, expect, it } from 'vitest';
import { calculate_gain, gainOf, gains, type Nonlinearity } from '../../lib/init/gain.js';
import recorded from '../fixtures/torch/gains.json' with { type: 'json' };
import resolved from '../fixtures/torch/resolved.json' with { type: 'json' };
import { normalCdf } from '../statistics.js';

const sigmoid = (z: number) => 1 / (1 + Math.exp(-z));
const identity = (z: number) => z;
const functions: Readonly<Record<Nonlinearity, (z: number) => number>> = {
  linear: identity,
  conv1d: identity,
  conv2d: identity,
  conv3d: identity,
  conv_transpose1d: identity,
  conv_transpose2d: identity,
  conv_transpose3d: identity,
  sigmoid,
  tanh: Math.tanh,
  relu: (z) => Math.max(0, z),
  leaky_relu: (z) => (z > 0 ? z : 0.01 * z),
  selu: (z) => 1.0507009873554805 * (z > 0 ? z : 1.6732632423543772 * Math.expm1(z)),
  gelu: (z) => z * normalCdf(z),
  silu: (z) => z * sigmoid(z),
  elu: (z) => (z > 0 ? z : Math.expm1(z)),
  mish: (z) => z * Math.tanh(Math.log1p(Math.exp(z))),
  softplus: (z) => Math.log1p(Math.exp(z)),
};

const relative = (x: number, y: number) => Math.abs(x / y - 1);

describe('calculate_gain', () => {
  it.each(Object.entries(recorded.cases))("gives PyTorch's %s to the last bit: %d", (key, value) => {
    const [name, param] = key.split(':');
    expect(calculate_gain(name as Nonlinearity, param === undefined ? undefined : Number(param))).toBe(value);
  });

  it("gives PyTorch's leaky_relu for many slopes to the last bit", () => {
    for (const { param, gain } of resolved.leaky_relu) expect(calculate_gain('leaky_relu', param)).toBe(gain);
  });

  it('knows what PyTorch does not', () => {
    expect(calculate_gain('gelu')).toBeCloseTo(1.5335, 4);
    expect(calculate_gain('silu')).toBeCloseTo(1.6765, 4);
    expect(calculate_gain('relu', 0.5)).toBe(Math.SQRT2); // ignored, as in PyTorch
  });

  it.each([
    [['swish'], RangeError, /'softplus' for nonlinearity, but received 'swish'.*\(Unsupported nonlinearity swish/],
    [['constructor'], RangeError, /Unsupported nonlinearity constructor/],
    [[3], TypeError, /for nonlinearity, but received 3 of type number/],
    [[], TypeError, /received undefined/],
    [['leaky_relu', 'x'], TypeError, /a finite number for param, but.*\(negative_slope x not a valid number\)/],
    [['leaky_relu', true], TypeError, /negative_slope true not a valid number/],
    [['leaky_relu', null], TypeError, /received null/],
    [['leaky_relu', Number.NaN], RangeError, /received NaN/],
    [['leaky_relu', Number.POSITIVE_INFINITY], RangeError, /received Infinity/],
    [['leaky_relu', 1e200], RangeError, /received 1e\+200/],
  ])('refuses %j', (args, type, text) => {
    const call = () => (calculate_gain as (...args: unknown[]) => number)(...args);
    expect(call).toThrow(type);
    expect(call).toThrow(text);
    expect(call).toThrow(/^calculate_gain: expected .+ for .+, but received .+ of type .+$/);
  });
});

describe('the table of gains', () => {
  it.each(gains)('holds the moment of $name: $moment', ({ name, moment }) => {
    expect(relative(gainOf(functions[name]), moment)).toBeLessThan(1e-13);
  });

  it('keeps to PyTorch where custom differs from the moment, and to the moment where PyTorch has nothing', () => {
    const differing = gains.filter(({ value, moment }) => value !== moment).map(({ name }) => name);
    expect(differing).toEqual(['sigmoid', 'tanh', 'selu']);
  });

  it('says for each where it comes from, and how it is made', () => {
    for (const gain of gains) {
      expect(gain.source.length).toBeGreaterThan(5);
      expect(gain.formula.length).toBeGreaterThan(0);
      expect(calculate_gain(gain.name)).toBe(gain.value);
    }
    expect(new Set(gains.map(({ name }) => name)).size).toBe(gains.length);
  });
});

describe('gainOf', () => {
  it('of functions that are rounded to float32, or random, comes to an end', () => {
    expect(
      relative(
        gainOf((z) => Math.fround(Math.tanh(z))),
        1.5925374197228315,
      ),
    ).toBeLessThan(1e-7);
    expect(
      relative(
        gainOf((z) => Math.fround(Math.max(0, z - 0.1))),
        gainOf((z) => Math.max(0, z - 0.1)),
      ),
    ).toBeLessThan(1e-6);
    let word = 1;
    const random = () => {
      word = (Math.imul(word, 1664525) + 1013904223) >>> 0;
      return word / 2 ** 32;
    };
    expect(relative(gainOf(random), Math.sqrt(3))).toBeLessThan(0.02);
  });

  it('is exact on kinks and jumps anywhere', () => {
    expect(
      relative(
        gainOf((z) => Math.max(0, z)),
        Math.SQRT2,
      ),
    ).toBeLessThan(1e-14);
    expect(relative(gainOf(functions.leaky_relu), Math.sqrt(2 / 1.0001))).toBeLessThan(1e-14);
    const elu = 0.5 + Math.exp(2) * normalCdf(-2) - 2 * Math.sqrt(Math.E) * normalCdf(-1) + 0.5;
    expect(relative(gainOf(functions.elu), 1 / Math.sqrt(elu))).toBeLessThan(1e-14);
    for (const cut of [0.1, Math.E, -Math.SQRT1_2]) {
      const step = gainOf((z) => (z > cut ? 1 : 0));
      expect(relative(step, 1 / Math.sqrt(1 - normalCdf(cut)))).toBeLessThan(1e-11);
    }
  });

  it('calls f a bounded number of times', () => {
    let calls = 0;
    gainOf((z) => {
      calls++;
      return z > Math.SQRT2 ? 1 : 0;
    });
    expect(calls).toBeLessThan(20_000);
  });

  it('is exact on powers, exponentials and waves', () => {
    expect(
      relative(
        gainOf((z) => z ** 3),
        1 / Math.sqrt(15),
      ),
    ).toBeLessThan(1e-13);
    expect(
      relative(
        gainOf((z) => z ** 8),
        1 / Math.sqrt(2027025),
      ),
    ).toBeLessThan(1e-12);
    expect(relative(gainOf(Math.exp), Math.exp(-1))).toBeLessThan(1e-13); // E[e^2z] = e²
    expect(
      relative(
        gainOf((z) => Math.sin(30 * z)),
        Math.SQRT2,
      ),
    ).toBeLessThan(1e-12);
    expect(gainOf(() => 4)).toBeCloseTo(0.25, 14);
    expect(
      relative(
        gainOf((z) => 1e-100 * z),
        1e100,
      ),
    ).toBeLessThan(1e-13);
  });

  it.each<[string, unknown, new (message: string) => Error, RegExp]>([
    ['what is no function', 'relu', TypeError, /a function for f, but received 'relu'/],
    ['nothing', undefined, TypeError, /received undefined/],
    ['no numbers', () => 'x', TypeError, /a number for f\(-?[\d.]+\), but received 'x'/],
    ['bigints', () => 1n, TypeError, /1n of type bigint/],
    ['NaN', (z: number) => Math.sqrt(z), RangeError, /a number for f\(-[\d.]+\), but received NaN/],
    ['zero', () => 0, RangeError, /a second moment above zero for f, but received 0/],
    ['infinity', () => Number.POSITIVE_INFINITY, RangeError, /a finite second moment/],
    ['what does not converge', (z: number) => Math.exp((z * z) / 4), RangeError, /does not converge/],
    ['what diverges', (z: number) => Math.exp(z * z), RangeError, /does not converge/],
  ])('refuses %s', (_, f, type, text) => {
    const call = () => gainOf(f as (z: number) => number);
    expect(call).toThrow(type);
    expect(call).toThrow(text);
    expect(call).toThrow(/^gainOf: expected .+ for .+, but received .+ of type .+$/);
  });
});
