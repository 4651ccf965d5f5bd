/** What runs in the pool's threads. Piscina calls `work`. */

import { pathToFileURL } from 'node:url';
import { dtypes, viewOf } from '../core/dtype.js';
import { isRandom } from '../core/fill.js';
import { fillRange, isTorchKey, runTorchRange } from '../native/addon.js';
import { tooManyRounds } from '../random/engines/torch.js';
import { letGo } from './memory.js';
import {
  type BatchMessage,
  controlBytes,
  controlWords,
  type DoRange,
  type Failure,
  type FillWork,
  type Message,
  Records,
  type Report,
  slotHeadBytes,
  type TaskWork,
  type TurnMessage,
} from './messages.js';
import { rangeOf } from './split.js';

/** How long a worker stays with one tensor while other work waits. */
const turnMilliseconds = 1;

/** Does one task. What goes wrong with a fill is in the report; nothing is thrown. */
export function work(message: Message): Report | Promise<Report> {
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
      failures.push({ piece: i, error });
    }
  }
  return failures.length === 0 ? undefined : { failures };
}

/** Does range `index`; false when it was stopped. */
type Step = (index: number) => boolean;

function takeTurn(turn: TurnMessage): Report | Promise<Report> {
  const { work } = turn;
  if (work.of === 'fill') return doRanges(turn, fillStep(turn, work));
  const known = modules.get(work.module);
  return known === undefined ? beginTask(turn, work) : doRanges(turn, taskStep(turn, work, known));
}

const modules = new Map<string, DoRange>();

async function beginTask(turn: TurnMessage, work: TaskWork): Promise<Report> {
  const { doRange } = (await import(pathToFileURL(work.module).href)) as { doRange: DoRange };
  modules.set(work.module, doRange);
  return doRanges(turn, taskStep(turn, work, doRange));
}

function taskStep({ threads, control }: TurnMessage, { data }: TaskWork, doRange: DoRange): Step {
  const cancel = new Int32Array(control, 4 * controlWords.cancel, 1);
  return (index) => {
    try {
      return doRange(data, index, threads, cancel);
    } catch (error) {
      throw parts(error);
    }
  };
}

function fillStep({ threads, crew, control }: TurnMessage, work: FillWork): Step {
  const { buffer, byteOffset, length, dtype, fill, key, begin: offset } = work;
  const words = new Int32Array(control, 0, controlBytes / 4);
  const cancel = words.subarray(controlWords.cancel, controlWords.cancel + 1);
  const { bytes } = dtypes[dtype];
  const atOnce = { elements: length, threads: crew };
  letGo(length * bytes);
  return (index) => {
    const [begin, end] = rangeOf(work, index, length);
    const view = viewOf(dtype, buffer, byteOffset + begin * bytes, end - begin);
    if (!isTorchKey(key) || !isRandom(fill)) {
      return fillRange(view, dtype, fill, key, offset + begin, threads, cancel, atOnce);
    }
    const rounds = runTorchRange(view, dtype, fill, key, offset + begin, threads, cancel, atOnce);
    if (rounds === 0 && Atomics.load(cancel, 0) === 0) throw tooManyRounds();
    raise(words, controlWords.rounds, rounds);
    return rounds > 0;
  };
}

function doRanges({ control, waiting }: TurnMessage, step: Step): Report {
  const words = new Int32Array(control, 0, controlBytes / 4);
  const done = new Uint8Array(control, controlBytes);
  Atomics.add(words, controlWords.active, 1);
  try {
    const start = performance.now();
    while (Atomics.load(words, controlWords.cancel) === 0) {
      const index = Atomics.add(words, controlWords.claim, 1);
      if (index >= done.length) break;
      if (Atomics.load(done, index) === 1) continue; // done before another worker died
      if (!step(index)) break;
      Atomics.store(done, index, 1);
      Atomics.add(words, controlWords.done, 1);
      if (Atomics.load(waiting, 0) !== 0 && performance.now() - start >= turnMilliseconds) break;
    }
    return undefined;
  } catch (error) {
    return { failures: [{ piece: 0, error }] };
  } finally {
    Atomics.sub(words, controlWords.active, 1);
  }
}

/** An error's parts: cloning an Error between threads would lose its code. */
function parts(error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  const { message, stack, code } = error;
  return { message, stack, code, errno: 'errno' in error ? error.errno : undefined };
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
