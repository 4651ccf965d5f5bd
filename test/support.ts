import { createHash } from 'node:crypto';
import type { Dtype, TensorData } from '../lib/core/dtype.js';
import type { Fill } from '../lib/core/fill.js';
import * as init from '../lib/init/init.js';
import type { Name } from '../lib/init/initializers.js';
import { fillRange, type Key, type PhiloxKey, widen } from '../lib/native/addon.js';
import type { Generator } from '../lib/random/generator.js';
import { empty } from '../lib/tensor/tensor.js';

/** The stream that a generator of the engine philox gives next. */
export function nextKey(generator: Generator): PhiloxKey {
  return generator.nextKey({ kind: 'normal', mean: 0, std: 1 }, 'float32', 1) as PhiloxKey;
}

/** Elements [begin, begin + count) of a fill, as numbers. */
export function valuesOf(fill: Fill, dtype: Dtype, count: number, key: Key, begin = 0): Float32Array | Float64Array {
  const { data } = empty([count], { dtype });
  fillRange(data, dtype, fill, key, begin);
  return asNumbers(data, dtype);
}

export function asNumbers(data: TensorData, dtype: Dtype): Float32Array | Float64Array {
  if (!(data instanceof Uint16Array)) return data;
  const out = new Float32Array(data.length);
  widen(data, dtype as 'float16' | 'bfloat16', out);
  return out;
}

export function sha256(data: TensorData): string {
  return createHash('sha256')
    .update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    .digest('hex');
}

/** Detaches a tensor's memory, as a transfer to a worker does. */
export function detach({ buffer }: { readonly buffer: ArrayBufferLike }): void {
  structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
}

/** A resizable ArrayBuffer, which TypeScript's library of Node 20 does not know. */
export const ResizableBuffer = ArrayBuffer as unknown as new (
  bytes: number,
  options: { readonly maxByteLength: number },
) => ArrayBuffer & { resize(bytes: number): void };

/** `init.*_` by name, as JavaScript could call it. */
export const initFunctions = init as unknown as Readonly<Record<string, (...args: unknown[]) => unknown>>;

/** A shape that suits an initializer. */
export function shapeFor(name: Name): number[] {
  if (['eye', 'sparse', 'sinusoidal', 'log_arange'].includes(name)) return [6, 4];
  return name === 'dirac' || name === 'delta_orthogonal' ? [6, 4, 3] : [6, 4, 3, 1];
}

/** Milliseconds that processors have worked for this process: unlike time on the clock they say nothing of what else the machine does. */
export function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
