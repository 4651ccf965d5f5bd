// What the peers that are npm packages have in common.

/** Roughly, as libraries.py's: enough to see that a library did its work. */
export function checkMoments(fill, shape, values) {
  const moments = {
    constant: [0.5, 0],
    zeros: [0, 0],
    ones: [1, 0],
    uniform: [0.5, 0.2887],
    normal: [0, 1],
    trunc_normal: [0, 0.8796],
    xavier_uniform: [0, Math.sqrt(2 / (shape[0] + shape[1]))],
  };
  const [mean, std] = moments[fill];
  const found = values.reduce((sum, x) => sum + x, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((sum, x) => sum + (x - found) ** 2, 0) / values.length);
  const bound = 0.03 * (std || 1);
  if (Math.abs(found - mean) <= bound && Math.abs(deviation - std) <= bound) return;
  throw new Error(`${fill} has mean ${found} and standard deviation ${deviation}`);
}

/** Nanoseconds an element of a call that was made once before. */
export async function timed(call, { log2, rounds, seconds }) {
  const calls = Math.max(1, 2 ** (12 - log2));
  const samples = [];
  const begin = performance.now();
  while (samples.length < 3 || (samples.length < rounds && performance.now() - begin < 1000 * seconds)) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < calls; i++) {
      const result = call();
      if (result instanceof Promise) await result;
    }
    samples.push(Number(process.hrtime.bigint() - start) / calls / 2 ** log2);
  }
  return samples;
}
