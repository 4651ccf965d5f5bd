import { dtypes, type TensorData, viewOf } from '../core/dtype.js';
import { isWhole } from '../core/fill.js';
import { runFillOfSlice, type SliceCall } from '../init/fill-slice.js';
import { noKey } from '../native/addon.js';
import { runsOf } from '../tensor/slice.js';
import type { CheckedTensor } from '../tensor/tensor.js';
import { sharedBytes } from './memory.js';
import { slotDataBytes } from './messages.js';
import type { Operation } from './operation.js';
import type { Scheduler } from './scheduler.js';
import { isTiny } from './split.js';
import { fillInTurn, keyAtOnce, runJob } from './turn.js';

/**
 * Whether the whole tensor is made beside its slice: where it cannot be cut, and where only all of its values tell where the generator's
 * next fill begins.
 */
export function isMadeWhole({ fill, random, generator }: SliceCall): boolean {
  return isWhole(fill) || (random && generator.isOpenEnded(fill));
}

/** Fills a slice on the pool's threads. */
export async function fillSliceOn(
  scheduler: Scheduler,
  operation: Operation,
  fn: string,
  call: SliceCall,
): Promise<void> {
  const { target, slice, fill, elements, random, generator, threads } = call;
  const { dtype } = target;
  const key = random ? keyAtOnce(generator, fill, dtype, elements) : noKey;
  const whole = isMadeWhole(call);
  if (!whole && key !== undefined && isTiny(fill, dtype, target.size)) {
    runFillOfSlice(target.data, dtype, fill, key, slice, 0, 1);
    operation.count(target.size, target.data.byteLength);
    return;
  }
  if (target.size === 0 && (!random || key !== undefined)) return;
  const order = whole
    ? { fn, tensor: wholeOf(call), fill, begin: 0, threads }
    : { fn, tensor: target, fill, begin: 0, threads, slice };
  if (key === undefined) await fillInTurn(generator, order, operation, scheduler);
  else await runJob(scheduler, operation, { ...order, key });
  if (whole) await scheduler.copier.all(copies(order.tensor.data, call, operation));
  if (operation.stopped !== undefined) throw operation.stopped.reason;
}

function wholeOf({ target: { dtype }, slice: { shape }, elements }: SliceCall): CheckedTensor {
  const { buffer } = sharedBytes(elements * dtypes[dtype].bytes);
  return { data: viewOf(dtype, buffer, 0, elements), shape, dtype, size: elements };
}

function* copies(whole: TensorData, { target, slice }: SliceCall, operation: Operation): Generator<() => void> {
  const { data, dtype, size } = target;
  const step = slotDataBytes / dtypes[dtype].bytes;
  for (let begin = 0; begin < size && operation.stopped === undefined; begin += step) {
    yield () => {
      for (const run of runsOf(slice, begin, Math.min(size, begin + step))) {
        data.set(whole.subarray(run.begin, run.begin + run.length), begin + run.at);
      }
    };
  }
}
