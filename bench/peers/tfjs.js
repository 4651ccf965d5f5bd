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

function measure({ fill, dtype, log2, shape, rounds, seconds }) {
  if (dtype !== 'float32') return { unsupported: `no ${dtype}` };
  if (fills[fill] === undefined) return { unsupported: `no ${fill}, or none that ends within minutes` };
  const call = () => tf.dispose(fills[fill](shape));
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
