import { dtypes, type TensorData } from '../../../lib/core/dtype.js';
import type { SubjectName } from '../catalog.js';
import type { PeerJob, PeerMeasured } from '../schema.js';

/** A pair of normals from two uniforms: Box and Muller's transform, as it stands in a thousand programs. */
function normal(): number {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}

function truncNormal(): number {
  for (;;) {
    const z = normal();
    if (z >= -2 && z <= 2) return z;
  }
}

/** Mean and standard deviation, roughly, as of the other peers. */
const moments: Partial<Record<SubjectName, readonly [number, number]>> = {
  constant: [0.5, 0],
  uniform: [0.5, 0.2887],
  normal: [0, 1],
  trunc_normal: [0, 0.8796],
};

/** Refuses values that a fill cannot have written. Of fewer than 10,000 elements nothing can be said. */
export function checkMoments(fill: SubjectName, data: Float32Array | Float64Array): void {
  const expected = moments[fill];
  if (expected === undefined || data.length < 10_000) return;
  const values = data.subarray(0, 100_000);
  let [sum, squares] = [0, 0];
  for (const x of values) {
    sum += x;
    squares += x * x;
  }
  const mean = sum / values.length;
  const std = Math.sqrt(Math.max(0, squares / values.length - mean * mean));
  const bound = 0.03 * (expected[1] || 1);
  if (Math.abs(mean - expected[0]) <= bound && Math.abs(std - expected[1]) <= bound) return;
  throw new Error(`the loop's ${fill} has mean ${mean} and standard deviation ${std}`);
}

type Loop = (data: TensorData) => void;

const loops: Partial<Record<SubjectName, Loop>> = {
  constant: (data) => data.fill(0.5),
  uniform: (data) => {
    for (let i = 0; i < data.length; i++) data[i] = Math.random();
  },
  normal: (data) => {
    for (let i = 0; i < data.length; i++) data[i] = normal();
  },
  trunc_normal: (data) => {
    for (let i = 0; i < data.length; i++) data[i] = truncNormal();
  },
};

/** What one writes without a library: a loop over a typed array, with Math.random. */
export function measureLoop({ fill, dtype, log2, rounds, seconds }: PeerJob): PeerMeasured {
  const loop = loops[fill];
  if (loop === undefined) return { unsupported: `no plain loop for ${fill}` };
  if (dtype !== 'float32' && dtype !== 'float64') return { unsupported: `JavaScript has no ${dtypes[dtype].name}` };
  const data = dtype === 'float32' ? new Float32Array(2 ** log2) : new Float64Array(2 ** log2);
  const calls = Math.max(1, 2 ** (14 - log2));
  for (let i = 0; i < calls; i++) loop(data);
  const samples: number[] = [];
  const begin = performance.now();
  while (samples.length < 3 || (samples.length < rounds && performance.now() - begin < 1000 * seconds)) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < calls; i++) loop(data);
    samples.push(Number(process.hrtime.bigint() - start) / calls / data.length);
  }
  checkMoments(fill, data);
  return { samples };
}
