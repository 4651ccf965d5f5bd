const reach = 36; // exp(-36²/2) is 1e-282
const width = 0.5;
const deepest = 45; // halvings: a jump is located to 2^-46
/** Of functions that are halved so often everywhere, as those are that are rounded or random: more would go on for hours, and find nothing. */
const deepestOfNoise = 10;
/** More panels than this are noise's. */
const mostPanels = 2 ** 18;

/** A mean over the standard normal distribution. */
export interface NormalIntegral {
  readonly value: number;
  /** What of it the outermost panels hold: next to nothing where the integral converges. */
  readonly tails: number;
}

/**
 * E[f(z)] with z ~ N(0, 1), ∫ f(z) exp(-z²/2) dz / sqrt(2π).
 *
 * A kink, such as relu's at 0, leaves plain Gauss–Hermite with four digits at a hundred nodes. So the line is cut in panels of width 1/2, each
 * halved further as long as its error asks for it, with a 20-point Gauss–Legendre rule on each.
 *
 * @param relative the error that is allowed, of E|f(z)|
 */
export function normalIntegral(f: (z: number) => number, relative = 1e-15): NormalIntegral {
  const integrand = (z: number) => f(z) * Math.exp((-z * z) / 2);
  const panels: { readonly from: number; readonly value: number }[] = [];
  let scale = 0;
  for (let from = -reach; from < reach; from += width) {
    const value = panel(integrand, from, from + width);
    panels.push({ from, value });
    scale += Math.abs(value);
  }
  const root = Math.sqrt(2 * Math.PI);
  if (!Number.isFinite(scale)) return { value: scale / root, tails: scale };
  const tolerance = scale * relative;
  const refined = (depth: number, left: number): number | undefined => {
    const budget = { left };
    let all = 0;
    for (const { from, value } of panels)
      all += refine(integrand, { from, to: from + width, value }, tolerance, depth, budget);
    return budget.left > 0 ? all : undefined;
  };
  const sum = refined(deepest, mostPanels) ?? (refined(deepestOfNoise, Number.POSITIVE_INFINITY) as number);
  const tails = panel(integrand, -reach, 1 - reach) + panel(integrand, reach - 1, reach);
  return { value: sum / root, tails };
}

/** E[f(z)] with z ~ N(0, 1), to some 10 digits. */
export function normalMean(f: (z: number) => number): number {
  return normalIntegral(f, 1e-10).value;
}

/**
 * E[f(x)·f(y)] of two standard normal variables with a correlation: for smooth functions and for those with one kink, at 0. Some 7 digits.
 *
 * @param correlation in [-1, 1]
 */
export function normalProductMean(f: (z: number) => number, correlation: number): number {
  const rest = Math.sqrt(Math.max(0, 1 - correlation * correlation));
  if (rest < 1e-7) return normalMean((z) => f(z) * f(correlation * z));
  const density = (z: number) => Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  const inner = (x: number) => around(-(correlation * x) / rest, (z) => f(correlation * x + rest * z) * density(z));
  return around(0, (x) => f(x) * density(x) * inner(x));
}

const near = 9; // beyond it the density is below 1e-18
const panelsAside = 4;

/** An integral over [-9, 9] in panels that end at a kink. */
function around(kink: number, integrand: (z: number) => number): number {
  const middle = Math.min(near, Math.max(-near, kink));
  let sum = 0;
  for (const [from, to] of [
    [-near, middle],
    [middle, near],
  ] as const) {
    const step = (to - from) / panelsAside;
    if (step === 0) continue;
    for (let i = 0; i < panelsAside; i++) sum += panel(integrand, from + i * step, from + (i + 1) * step);
  }
  return sum;
}

/** @param budget how many panels there may be; where none is left, what is returned is of no use */
function refine(
  integrand: (z: number) => number,
  { from, to, value }: { readonly from: number; readonly to: number; readonly value: number },
  tolerance: number,
  depth: number,
  budget: { left: number },
): number {
  if (budget.left <= 0) return value;
  budget.left -= 2;
  const middle = (from + to) / 2;
  const left = { from, to: middle, value: panel(integrand, from, middle) };
  const right = { from: middle, to, value: panel(integrand, middle, to) };
  const sum = left.value + right.value;
  if (depth === 0 || Math.abs(sum - value) <= tolerance) return sum;
  return refine(integrand, left, tolerance, depth - 1, budget) + refine(integrand, right, tolerance, depth - 1, budget);
}

let rule: ReturnType<typeof gaussLegendre> | undefined;

function panel(integrand: (z: number) => number, from: number, to: number): number {
  const half = (to - from) / 2;
  const middle = (from + to) / 2;
  rule ??= gaussLegendre(20); // when it is first needed: it costs milliseconds
  let sum = 0;
  for (const { node, weight } of rule) sum += weight * integrand(middle + half * node);
  return half * sum;
}

/** Nodes and weights of Gauss–Legendre on [-1, 1]: Newton's method on P_n, from the usual cosine guess. */
function gaussLegendre(n: number): readonly { readonly node: number; readonly weight: number }[] {
  return Array.from({ length: n }, (_, i) => {
    let node = Math.cos((Math.PI * (i + 0.75)) / (n + 0.5));
    let slope = 0;
    for (let step = 0; step < 10; step++) {
      let before = 1;
      let now = node;
      for (let k = 2; k <= n; k++) [before, now] = [now, ((2 * k - 1) * node * now - (k - 1) * before) / k];
      slope = (n * (node * now - before)) / (node * node - 1);
      node -= now / slope;
    }
    return { node, weight: 2 / ((1 - node * node) * slope * slope) };
  });
}
