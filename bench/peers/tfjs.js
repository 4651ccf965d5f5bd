// One measurement of TensorFlow.js (`npm install` in bench/ first), as libraries.py's. Its random operations are JavaScript on
// every backend.
import { checkMoments, timed } from './common.js';

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

async function measure({ fill, dtype, log2, shape, rounds, seconds }) {
  if (dtype !== 'float32') return { unsupported: `no ${dtype}` };
  if (fills[fill] === undefined) return { unsupported: `no ${fill}, or none that ends within minutes` };
  const tensor = fills[fill](shape);
  if (tensor.size >= 10_000) checkMoments(fill, shape, tensor.dataSync().subarray(0, 100_000));
  tensor.dispose();
  return { samples: await timed(() => tf.dispose(fills[fill](shape)), { log2, rounds, seconds }) };
}

console.log(JSON.stringify(text === undefined ? { version: tf.version.tfjs } : await measure(JSON.parse(text))));
