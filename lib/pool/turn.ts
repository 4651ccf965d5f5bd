import type { Dtype } from '../core/dtype.js';
import type { Fill } from '../core/fill.js';
import type { Key } from '../native/addon.js';
import { Generator } from '../random/generator.js';
import type { Order } from './job.js';
import type { Operation } from './operation.js';
import type { Scheduler } from './scheduler.js';

/**
 * The key of the generator's next fill, or undefined where it must wait for its turn: the engine torch knows where a fill after
 * a truncated normal begins only when that is drawn.
 */
export function key_at_once(generator: Generator, fill: Fill, dtype: Dtype, size: number): Key | undefined {
  return generator.busy || generator.is_open_ended(fill) ? undefined : generator.next_key(fill, dtype, size);
}

/** Runs a job of an operation. Resolves with how often values were drawn. */
function run_job(scheduler: Scheduler, operation: Operation, order: Order): Promise<number> {
  return new Promise((resolve, reject) => {
    const job = scheduler.submit(order, (error) => {
      operation.remove(job, error === undefined);
      if (error === undefined) resolve(job.rounds);
      else reject(error);
    });
    operation.add(job);
  });
}

/**
 * Fills a tensor when the generator's earlier fills have ended. If the operation is stopped before that, it rejects at once. Stopped or
 * not, the generator moves past the fill, unless it is a truncated normal: nobody knows how far that would have been.
 */
export function fill_in_turn(
  generator: Generator,
  order: Omit<Order, 'key'>,
  operation: Operation,
  scheduler: Scheduler,
): Promise<void> {
  const { fill, tensor } = order;
  const { dtype, size: total } = tensor;
  const open_ended = generator.is_open_ended(fill);
  const run = (key: Key): Promise<number> => run_job(scheduler, operation, { ...order, key });
  return unless_stopped(operation, async (begun) => {
    const { drawn } = await generator.in_turn(
      (engine) => {
        begun();
        if (operation.stopped === undefined) return;
        if (!open_ended) engine.next_key(fill, dtype, total);
        throw operation.stopped.reason;
      },
      async (engine) => {
        // In an object, since the next fill need not wait for this one.
        if (!open_ended) return { drawn: run(engine.next_key(fill, dtype, total)) };
        const rounds = await run({ state: engine.get_state(), total });
        engine.skip(fill, dtype, total, rounds);
        return { drawn: rounds };
      },
    );
    await drawn;
  });
}

/**
 * Runs a list in its turn, with a generator of its own, so that its items draw one after the other whatever else is asked for
 * meanwhile. The generator is left after the list, or as it was if the list was stopped.
 */
export function list_in_turn<T>(
  generator: Generator,
  operation: Operation,
  run: (own: Generator) => Promise<T>,
): Promise<T> {
  return unless_stopped(operation, (begun) =>
    generator.in_turn(
      () => {
        begun();
        if (operation.stopped !== undefined) throw operation.stopped.reason;
      },
      async (engine) => {
        const own = new Generator({ engine: 'torch' }).set_state(engine.get_state());
        try {
          return await run(own);
        } finally {
          if (operation.stopped === undefined) engine.set_state(own.get_state());
        }
      },
    ),
  );
}

/** What `work` promises; rejects with the reason if the operation is stopped before it calls `begun`. */
function unless_stopped<T>(operation: Operation, work: (begun: () => void) => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const begun = operation.on_stop(reject);
    work(begun).then(resolve, reject);
  });
}
