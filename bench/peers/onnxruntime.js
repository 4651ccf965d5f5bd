// One measurement of ONNX Runtime (`npm install` in bench/ first), as libraries.py's: a model of one operation, which has no input.
import { checkMoments, timed } from './common.js';

const [, , text] = process.argv;
const { env, InferenceSession } = await import('onnxruntime-node');

const types = { float32: 1, float16: 10, float64: 11 };

const fills = {
  uniform: () => ['RandomUniform', {}],
  normal: () => ['RandomNormal', {}],
  xavier_uniform: ([rows, columns]) => {
    const bound = Math.sqrt(6 / (rows + columns));
    return ['RandomUniform', { low: -bound, high: bound }];
  },
};

// Enough of protocol buffers for a model: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto has the numbers of the fields.
function varint(value) {
  const bytes = [];
  for (let left = BigInt(value); ; left >>= 7n) {
    if (left < 128n) return [...bytes, Number(left)];
    bytes.push(Number(left & 127n) | 128);
  }
}
const integer = (field, value) => [...varint(field * 8), ...varint(value)];
const bytes = (field, value) => [...varint(field * 8 + 2), ...varint(value.length), ...value];
const string = (field, value) => bytes(field, Buffer.from(value));
const float = (field, value) => [...varint(field * 8 + 5), ...new Uint8Array(Float32Array.of(value).buffer)];
const attribute = {
  float: (name, value) => bytes(5, [...string(1, name), ...float(2, value), ...integer(20, 1)]),
  int: (name, value) => bytes(5, [...string(1, name), ...integer(3, value), ...integer(20, 2)]),
  ints: (name, values) => bytes(5, [...string(1, name), ...values.flatMap((x) => integer(8, x)), ...integer(20, 7)]),
};

function modelOf([operation, floats], type, shape) {
  const node = [
    ...string(2, 'y'),
    ...string(4, operation),
    ...Object.entries(floats).flatMap(([name, value]) => attribute.float(name, value)),
    ...attribute.int('dtype', type),
    ...attribute.ints('shape', shape),
    ...attribute.float('seed', 1),
  ];
  const output = [...string(1, 'y'), ...bytes(2, bytes(1, integer(1, type)))];
  const graph = [...bytes(1, node), ...string(2, 'fill'), ...bytes(12, output)];
  return Uint8Array.from([...integer(1, 8), ...bytes(7, graph), ...bytes(8, integer(2, 17))]);
}

async function measure({ fill, dtype, log2, shape, threads, rounds, seconds }) {
  if (types[dtype] === undefined) return { unsupported: `no ${dtype}` };
  if (fills[fill] === undefined) return { unsupported: `no ${fill}` };
  const model = modelOf(fills[fill](shape), types[dtype], shape);
  const session = await InferenceSession.create(model, { intraOpNumThreads: threads });
  const call = () => session.run({});
  const { y } = await call();
  if (y.size >= 10_000 && dtype !== 'float16') checkMoments(fill, shape, y.data.subarray(0, 100_000));
  return { samples: await timed(call, { log2, rounds, seconds }) };
}

const answer =
  text === undefined ? { version: env.versions.node ?? env.versions.common } : await measure(JSON.parse(text));
console.log(JSON.stringify(answer));
