// One measurement of TensorFlow.js (`npm install` in bench/ first), as libraries.py's. Its random operations are JavaScript on
// every backend.
const [, , text] = process.argv;
const tf = await import('@tensorflow/tfjs');
await tf.setBackend('cpu');

const fills = {
  constant: (shape) => tf.fill(shape, 0.5),
  zeros: (shape) => tf.zeros(shape),
  ones: (shape) => tf.ones(shape),
  uniform: (shape) => tf.randomUniform(shape),
  normal: (shape) => tf.randomNormal(shape),
  trunc_normal: (shape) => tf.truncatedNormal(shape),
  xavier_uniform: (shape) => tf.initializers.glorotUniform({}).apply(shape),
};

/** Roughly, as libraries.py's: enough to see that it did its work. */
function check(fill, shape) {
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
  const tensor = fills[fill](shape);
  const values = tensor.dataSync().subarray(0, 100_000);
  tensor.dispose();
  const found = values.reduce((sum, x) => sum + x, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((sum, x) => sum + (x - found) ** 2, 0) / values.length);
  const bound = 0.03 * (std || 1);
  if (Math.abs(found - mean) <= bound && Math.abs(deviation - std) <= bound) return;
  throw new Error(`${fill} has mean ${found} and standard deviation ${deviation}`);
}

function measure({ fill, dtype, log2, shape, rounds, seconds }) {
  if (dtype !== 'float32') return { unsupported: `no ${dtype}` };
  if (fills[fill] === undefined) return { unsupported: `no ${fill}, or none that ends within minutes` };
  const call = () => tf.dispose(fills[fill](shape));
  if (shape.reduce((product, size) => product * size, 1) >= 10_000) check(fill, shape);
  const calls = Math.max(1, 2 ** (12 - log2));
  call();
  const samples = [];
  const begin = performance.now();
  while (samples.length < 3 || (samples.length < rounds && performance.now() - begin < 1000 * seconds)) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < calls; i++) call();
    samples.push(Number(process.hrtime.bigint() - start) / calls / 2 ** log2);
  }
  return { samples };
}

console.log(JSON.stringify(text === undefined ? { version: tf.version.tfjs } : measure(JSON.parse(text))));
