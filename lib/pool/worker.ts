/** What runs in the pool's threads. Piscina calls `work`. */

import { pathToFileURL } from 'node:url';
import { workerData } from 'node:worker_threads';
import { type Dtype, type TensorData, viewOf } from '../core/dtype.js';
import { isRandom } from '../core/fill.js';
import { encodingOf } from '../core/grid.js';
import { encodeDrawn, fillOfCodes } from '../init/fill-codes.js';
import { runFillOfSlice } from '../init/run-slice.js';
import { fillRange, isTorchKey, runTorchRange, standBack, type TorchKey, tooManyRounds } from '../native/addon.js';
import { isNarrow } from '../tensor/narrow.js';
import { bytesEach } from '../tensor/target.js';
import { controlWords, doneOf, wordsOf } from './control.js';
import { letGo } from './memory.js';
import {
  type BatchMessage,
  type DoRange,
  type Failure,
  type FillWork,
  type Message,
  Records,
  type Report,
  slotHeadBytes,
  type TaskWork,
  type TurnJob,
  type TurnMessage,
  type WorkerData,
} from './messages.js';
import { rangeOf } from './split.js';

/** How long a worker stays at a turn while other work waits. */
const turnMilliseconds = 1;

let stoodBack = false;

/** The event loop's thread comes first. */
function standBackOnce(): void {
  if (stoodBack) return;
  stoodBack = true;
  try {
    standBack((workerData as WorkerData).niceness);
  } catch {
    // The addon does not load, which the fill itself will say.
  }
}

/** Does one task. What goes wrong with a fill is in the report; nothing is thrown. */
export function work(message: Message): Report | Promise<Report> {
  standBackOnce();
  switch (message.kind) {
    case 'batch':
      return fillBatch(message);
    case 'turn':
      return takeTurn(message);
    case 'ping':
      return undefined;
  }
}

function fillBatch({ slot, count }: BatchMessage): Report {
  const records = new Records(slot);
  const failures: Failure[] = [];
  for (let i = 0; i < count; i++) {
    try {
      const piece = records.read(i);
      const view = viewOf(piece.dtype, slot, slotHeadBytes + piece.at, piece.count);
      fillRange(view, piece.dtype, piece.fill, piece.key, piece.begin, 1);
    } catch (error) {
      failures.push(failureOf(i, error));
    }
  }
  return failures.length === 0 ? undefined : { failures };
}

/** Does range `index`; false when it was stopped. */
type Step = (index: number) => boolean;

async function takeTurn({ jobs, threads, waiting }: TurnMessage): Promise<Report> {
  const failures: Failure[] = [];
  const start = performance.now();
  const othersMayBegin = (): boolean => Atomics.load(waiting, 0) !== 0 && performance.now() - start >= turnMilliseconds;
  for (const [piece, job] of jobs.entries()) {
    try {
      const { work } = job;
      const step = work.of === 'fill' ? fillStep(job, work, threads) : await taskStep(job, work, threads);
      doRanges(job, step, othersMayBegin);
    } catch (error) {
      failures.push(failureOf(piece, error));
    }
    if (othersMayBegin()) break;
  }
  return failures.length === 0 ? undefined : { failures };
}

const modules = new Map<string, DoRange>();

async function taskStep({ control }: TurnJob, { module, data }: TaskWork, threads: number): Promise<Step> {
  let doRange = modules.get(module);
  if (doRange === undefined) {
    ({ doRange } = (await import(pathToFileURL(module).href)) as { doRange: DoRange });
    modules.set(module, doRange);
  }
  const task = doRange;
  const cancel = wordsOf(control).subarray(controlWords.cancel, controlWords.part + 1);
  return (index) => task(data, index, threads, cancel);
}

function fillStep({ crew, control }: TurnJob, work: FillWork, threads: number): Step {
  const { buffer, byteOffset, length, dtype, fill, key, begin: offset, slice } = work;
  const words = wordsOf(control);
  const cancel = words.subarray(controlWords.cancel, controlWords.part + 1);
  const bytes = bytesEach(dtype);
  const atOnce = { elements: length, threads: crew };
  letGo(length * bytes);
  const inSequence = (view: TensorData, drawn: Dtype, torchKey: TorchKey, begin: number): boolean => {
    const rounds = runTorchRange(view, drawn, fill, torchKey, begin, threads, cancel, atOnce);
    if (rounds === 0 && Atomics.load(cancel, 0) === 0) throw tooManyRounds();
    raise(words, controlWords.rounds, rounds);
    return rounds > 0;
  };
  return (index) => {
    const [begin, end] = rangeOf(work, index, length);
    const sequential = isTorchKey(key) && isRandom(fill) ? key : undefined;
    if (isNarrow(dtype)) {
      const [first, last] = [begin * bytes, end * bytes];
      const codes = new Uint8Array(buffer, byteOffset + first, last - first);
      const at = first + offset * bytes;
      if (sequential === undefined || slice !== undefined)
        return fillOfCodes({ dtype, shape: [length], fill, slice }, codes, at, key, threads, cancel);
      const draw = (values: Float32Array, from: number) => inSequence(values, 'float32', sequential, from);
      return encodeDrawn(encodingOf(dtype, fill), fill, codes, at, draw);
    }
    const view = viewOf(dtype, buffer, byteOffset + begin * bytes, end - begin);
    if (slice !== undefined) return runFillOfSlice(view, dtype, fill, key, slice, begin, threads, cancel);
    if (sequential !== undefined) return inSequence(view, dtype, sequential, offset + begin);
    return fillRange(view, dtype, fill, key, offset + begin, threads, cancel, atOnce);
  };
}

function doRanges({ control }: TurnJob, step: Step, othersMayBegin: () => boolean): void {
  const words = wordsOf(control);
  const done = doneOf(control);
  Atomics.add(words, controlWords.active, 1);
  try {
    while (Atomics.load(words, controlWords.cancel) === 0) {
      const index = Atomics.add(words, controlWords.claim, 1);
      if (index >= done.length) break;
      if (Atomics.load(done, index) === 1) continue; // done before another worker died
      if (!step(index)) break;
      Atomics.store(done, index, 1);
      Atomics.add(words, controlWords.done, 1);
      if (othersMayBegin()) break;
    }
  } finally {
    Atomics.sub(words, controlWords.active, 1);
  }
}

/** An error loses its code when it is cloned for another thread. */
function failureOf(piece: number, error: unknown): Failure {
  if (!(error instanceof Error) || !('code' in error)) return { piece, error };
  return { piece, error, facts: { code: error.code, ...('errno' in error && { errno: error.errno }) } };
}

/** Makes a word that other threads write to as well at least `value`. */
function raise(words: Int32Array, index: number, value: number): void {
  let seen = Atomics.load(words, index);
  while (seen < value) {
    const before = Atomics.compareExchange(words, index, seen, value);
    if (before === seen) return;
    seen = before;
  }
}
