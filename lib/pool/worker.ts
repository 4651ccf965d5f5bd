/** What runs in the pool's threads. Piscina calls `work`. */

import { dtypes, view_of } from '../core/dtype.js';
import { is_random } from '../core/fill.js';
import { is_torch_key, run_fill, run_torch_range } from '../native/addon.js';
import { too_many_rounds } from '../random/engines/torch.js';
import { let_go } from './memory.js';
import {
  type BatchMessage,
  control_bytes,
  control_words,
  type Failure,
  type Message,
  Records,
  type Report,
  slot_head_bytes,
  type TurnMessage,
} from './messages.js';
import { range_of } from './split.js';

/** How long a worker stays with one tensor while other work waits. */
const turn_milliseconds = 1;

/** Does one task. What goes wrong with a fill is in the report; nothing is thrown. */
export function work(message: Message): Report {
  switch (message.kind) {
    case 'batch':
      return fill_batch(message);
    case 'turn':
      return take_turn(message);
    case 'ping':
      return undefined;
  }
}

function fill_batch({ slot, count }: BatchMessage): Report {
  const records = new Records(slot);
  const failures: Failure[] = [];
  for (let i = 0; i < count; i++) {
    try {
      const piece = records.read(i);
      const view = view_of(piece.dtype, slot, slot_head_bytes + piece.at, piece.count);
      run_fill(view, piece.dtype, piece.fill, piece.key, piece.begin, 1);
    } catch (error) {
      failures.push({ piece: i, error });
    }
  }
  return failures.length === 0 ? undefined : { failures };
}

function take_turn(turn: TurnMessage): Report {
  const { buffer, byte_offset, length, dtype, fill, key, threads, waiting } = turn;
  const words = new Int32Array(turn.control, 0, control_bytes / 4);
  const done = new Uint8Array(turn.control, control_bytes);
  const cancel = words.subarray(control_words.cancel, control_words.cancel + 1);
  const { bytes } = dtypes[dtype];
  const at_once = { elements: length, threads: turn.crew };
  let_go(length * bytes);
  Atomics.add(words, control_words.active, 1);
  try {
    const start = performance.now();
    while (Atomics.load(cancel, 0) === 0) {
      const index = Atomics.add(words, control_words.claim, 1);
      if (index >= done.length) break;
      if (Atomics.load(done, index) === 1) continue; // filled before another worker died
      const [begin, end] = range_of(turn, index, length);
      const view = view_of(dtype, buffer, byte_offset + begin * bytes, end - begin);
      if (is_torch_key(key) && is_random(fill)) {
        const rounds = run_torch_range(view, dtype, fill, key, turn.begin + begin, threads, cancel, at_once);
        if (rounds === 0) {
          if (Atomics.load(cancel, 0) === 0) throw too_many_rounds();
          break;
        }
        raise(words, control_words.rounds, rounds);
      } else if (!run_fill(view, dtype, fill, key, turn.begin + begin, threads, cancel, at_once)) {
        break;
      }
      Atomics.store(done, index, 1);
      Atomics.add(words, control_words.done, 1);
      if (Atomics.load(waiting, 0) !== 0 && performance.now() - start >= turn_milliseconds) break;
    }
    return undefined;
  } catch (error) {
    return { failures: [{ piece: 0, error }] };
  } finally {
    Atomics.sub(words, control_words.active, 1);
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
