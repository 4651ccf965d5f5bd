/** What runs in the pool's threads. Piscina calls `work`. */

import { dtypes, viewOf } from '../core/dtype.js';
import { isRandom } from '../core/fill.js';
import { isTorchKey, runFill, runTorchRange } from '../native/addon.js';
import { tooManyRounds } from '../random/engines/torch.js';
import { letGo } from './memory.js';
import {
  type BatchMessage,
  controlBytes,
  controlWords,
  type Failure,
  type Message,
  Records,
  type Report,
  slotHeadBytes,
  type TurnMessage,
} from './messages.js';
import { rangeOf } from './split.js';

/** How long a worker stays with one tensor while other work waits. */
const turnMilliseconds = 1;

/** Does one task. What goes wrong with a fill is in the report; nothing is thrown. */
export function work(message: Message): Report {
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
      runFill(view, piece.dtype, piece.fill, piece.key, piece.begin, 1);
    } catch (error) {
      failures.push({ piece: i, error });
    }
  }
  return failures.length === 0 ? undefined : { failures };
}

function takeTurn(turn: TurnMessage): Report {
  const { buffer, byteOffset, length, dtype, fill, key, threads, waiting } = turn;
  const words = new Int32Array(turn.control, 0, controlBytes / 4);
  const done = new Uint8Array(turn.control, controlBytes);
  const cancel = words.subarray(controlWords.cancel, controlWords.cancel + 1);
  const { bytes } = dtypes[dtype];
  const atOnce = { elements: length, threads: turn.crew };
  letGo(length * bytes);
  Atomics.add(words, controlWords.active, 1);
  try {
    const start = performance.now();
    while (Atomics.load(cancel, 0) === 0) {
      const index = Atomics.add(words, controlWords.claim, 1);
      if (index >= done.length) break;
      if (Atomics.load(done, index) === 1) continue; // filled before another worker died
      const [begin, end] = rangeOf(turn, index, length);
      const view = viewOf(dtype, buffer, byteOffset + begin * bytes, end - begin);
      if (isTorchKey(key) && isRandom(fill)) {
        const rounds = runTorchRange(view, dtype, fill, key, turn.begin + begin, threads, cancel, atOnce);
        if (rounds === 0) {
          if (Atomics.load(cancel, 0) === 0) throw tooManyRounds();
          break;
        }
        raise(words, controlWords.rounds, rounds);
      } else if (!runFill(view, dtype, fill, key, turn.begin + begin, threads, cancel, atOnce)) {
        break;
      }
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

/** Makes a word that other threads write to as well at least `value`. */
function raise(words: Int32Array, index: number, value: number): void {
  let seen = Atomics.load(words, index);
  while (seen < value) {
    const before = Atomics.compareExchange(words, index, seen, value);
    if (before === seen) return;
    seen = before;
  }
}
