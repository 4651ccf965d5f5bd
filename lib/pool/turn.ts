import type { Dtype } from '../dtype.js';
import type { Fill } from '../fill.js';
import type { Generator } from '../generator.js';
import type { Key } from '../native.js';

/**
 * The key of the generator's next fill, or undefined where it must wait for its turn: the engine torch knows where a fill after
 * a truncated normal begins only when that is drawn.
 */
export function key_at_once(generator: Generator, fill: Fill, dtype: Dtype, size: number): Key | undefined {
  return generator.busy || generator.is_open_ended(fill) ? undefined : generator.next_key(fill, dtype, size);
}

/**
 * Starts a fill when the generator's earlier ones have ended.
 *
 * @param submit starts it; calls `settled` at the end, with the error or undefined, and how often values were drawn
 */
export function in_turn(
  generator: Generator,
  fill: Fill,
  dtype: Dtype,
  size: number,
  submit: (key: Key, settled: (error: unknown, rounds: number) => void) => void,
): Promise<void> {
  const draw = (key: Key): Promise<number> =>
    new Promise((resolve, reject) => {
      submit(key, (error, rounds) => (error === undefined ? resolve(rounds) : reject(error)));
    });
  return generator.in_turn(fill, dtype, size, draw);
}
