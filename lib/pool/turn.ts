import type { Dtype } from '../core/dtype.js';
import type { Fill } from '../core/fill.js';
import { elementsOf } from '../core/shape.js';
import type { Key } from '../native/addon.js';
import { Generator } from '../random/generator.js';
import type { NarrowDtype } from '../tensor/narrow.js';
import { drawnIn } from '../tensor/target.js';
import type { Order } from './job.js';
import { type Operation, ofCaller } from './operation.js';
import type { Scheduler } from './scheduler.js';

/**
 * The key of the generator's next fill, or undefined where it must wait for its turn: the engine torch knows where a fill after
 * a truncated normal begins only when that is drawn.
 */
export function keyAtOnce(generator: Generator, fill: Fill, dtype: Dtype | NarrowDtype, size: number): Key | undefined {
  return generator.busy || generator.isOpenEnded(fill) ? undefined : generator.nextKey(fill, drawnIn(dtype), size);
}

/** Runs a job of an operation. Resolves with how often values were drawn. */
export function runJob(scheduler: Scheduler, operation: Operation, order: Order): Promise<number> {
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
export function fillInTurn(
  generator: Generator,
  order: Omit<Order, 'key'>,
  operation: Operation,
  scheduler: Scheduler,
): Promise<void> {
  const { fill, tensor } = order;
  const dtype = drawnIn(tensor.dtype);
  const total = order.slice === undefined ? tensor.size : elementsOf(order.slice.shape);
  const openEnded = generator.isOpenEnded(fill);
  const run = (key: Key): Promise<number> => runJob(scheduler, operation, { ...order, key });
  return unlessStopped(operation, async (begun) => {
    const { drawn } = await generator.inTurn(
      (engine) => {
        begun();
        if (operation.stopped === undefined) return;
        if (!openEnded) engine.nextKey(fill, dtype, total);
        throw operation.stopped.reason;
      },
      async (engine) => {
        // In an object, since the next fill need not wait for this one.
        if (!openEnded) {
          const key = engine.nextKey(fill, dtype, total);
          return { drawn: tensor.size === 0 ? 0 : run(key) }; // an empty part: a job without ranges would never end
        }
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
export function listInTurn<T>(
  generator: Generator,
  operation: Operation,
  run: (own: Generator) => Promise<T>,
): Promise<T> {
  const runForCaller = ofCaller(run); // who gives the turn to it is another call
  return unlessStopped(operation, (begun) =>
    generator.inTurn(
      () => {
        begun();
        if (operation.stopped !== undefined) throw operation.stopped.reason;
      },
      async (engine) => {
        const own = new Generator({ engine: 'torch' }).set_state(engine.get_state());
        try {
          return await runForCaller(own);
        } finally {
          if (operation.stopped === undefined) engine.set_state(own.get_state());
        }
      },
    ),
  );
}

/** What `work` promises; rejects with the reason if the operation is stopped before it calls `begun`. */
function unlessStopped<T>(operation: Operation, work: (begun: () => void) => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const begun = operation.onStop(reject);
    work(begun).then(resolve, reject);
  });
}
