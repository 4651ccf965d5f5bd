import { dtypes, type TensorData, viewOf } from '../core/dtype.js';
import { isWhole } from '../core/fill.js';
import { encodingOf } from '../core/grid.js';
import type { SliceCall } from '../init/fill-slice.js';
import { fillSliceOfTarget } from '../init/fill-target.js';
import { noKey } from '../native/addon.js';
import { encode } from '../native/codes.js';
import type { CheckedNarrow } from '../tensor/narrow.js';
import { checkUnreleased } from '../tensor/released.js';
import { runsOf } from '../tensor/slice.js';
import { bytesEach, bytesOf, drawnIn, isNarrowTarget, type Target } from '../tensor/target.js';
import type { CheckedTensor } from '../tensor/tensor.js';
import { afterEarlier, isFillingAny } from './filling.js';
import { memoryError } from './job.js';
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
  const whole = isMadeWhole(call) ? wholeOf(call) : undefined;
  const atOnce = isTiny(fill, dtype, target.size) && !isFillingAny(target.data);
  if (whole === undefined && key !== undefined && atOnce) {
    fillSliceOfTarget(target, fill, key, slice, 1);
    operation.count(target.size, target.data.byteLength);
    return;
  }
  if (target.size === 0 && (!random || key !== undefined)) return;
  const order = {
    fn,
    fill,
    begin: 0,
    threads,
    ...(whole === undefined ? { tensor: target, slice } : { tensor: whole }),
  };
  if (key === undefined) await fillInTurn(generator, order, operation, scheduler);
  if (whole === undefined && key !== undefined) await runJob(scheduler, operation, { ...order, key });
  if (whole !== undefined) {
    // A fill that waits for its generator's turn holds up nothing: who has the turn may be about to fill the same memory.
    const made = key === undefined ? undefined : runJob(scheduler, operation, { ...order, key });
    await inOrder(target.data, made, () => {
      checkUnreleased(fn, target.data); // while it waited its memory may have become another tensor's
      return scheduler.copier.all(copies(fn, whole.data, call, operation));
    });
  }
  if (operation.stopped !== undefined) throw operation.stopped.reason;
}

/** Writes to memory what is made beside it, after earlier fills of the same bytes and before later ones. */
async function inOrder(data: Target['data'], made: Promise<unknown> | undefined, write: () => Promise<void>) {
  let settled = (): void => undefined;
  const earlier = new Promise<void>((begin) => {
    settled = afterEarlier(data, begin);
  });
  try {
    await made;
    await earlier;
    await write();
  } finally {
    settled();
  }
}

/** The whole, as its values are drawn. */
function wholeOf({ target, slice: { shape }, elements }: SliceCall): CheckedTensor {
  const dtype = drawnIn(target.dtype);
  const { buffer } = sharedBytes(elements * dtypes[dtype].bytes);
  return { data: viewOf(dtype, buffer, 0, elements), shape, dtype, size: elements };
}

function* copies(fn: string, whole: TensorData, call: SliceCall, operation: Operation): Generator<() => void> {
  const { target, slice, fill } = call;
  const step = slotDataBytes / whole.BYTES_PER_ELEMENT;
  for (let begin = 0; begin < target.size && operation.stopped === undefined; begin += step) {
    const end = Math.min(target.size, begin + step);
    yield () => {
      const gone = memoryError(fn, target.data, target.size, target.size * bytesEach(target.dtype));
      if (gone !== undefined) throw gone;
      const gather = <T extends TensorData>(to: T): T => {
        for (const run of runsOf(slice, begin, end)) to.set(whole.subarray(run.begin, run.begin + run.length), run.at);
        return to;
      };
      if (!isNarrowTarget(target)) gather(target.data.subarray(begin, end));
      else encode(gather(new Float32Array(end - begin)), encodingOf(target.dtype, fill), codesOf(target, begin, end));
    };
  }
}

function codesOf({ data, dtype }: CheckedNarrow, begin: number, end: number): Uint8Array {
  return bytesOf(data).subarray(begin * bytesEach(dtype), end * bytesEach(dtype));
}
