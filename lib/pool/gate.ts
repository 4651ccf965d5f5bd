import { PoolClosedError } from '../core/errors.js';

/** A call that is made of many jobs, or waits for a generator. `stop` makes it settle soon; one without it is not waited for then. */
interface Call {
  readonly stop: ((reason: unknown) => void) | undefined;
}

/** Who may use a pool: calls enter while it is open, and whoever closes it waits until those that are inside have left. */
export class Gate {
  #closed = false;
  #dropped = false;
  readonly #inside = new Set<Call>();
  #empty: (() => void)[] = [];

  /** @throws PoolClosedError in the name of `fn` once the gate is closed */
  check(fn: string): void {
    if (this.#closed) throw new PoolClosedError(`${fn}: the pool is closed`);
  }

  /**
   * Enters; disposing of what is returned leaves.
   *
   * @throws as check does
   */
  enter(fn: string, stop?: (reason: unknown) => void): Disposable {
    this.check(fn);
    const call = { stop };
    this.#inside.add(call);
    return { [Symbol.dispose]: () => this.#leave(call) };
  }

  /** Lets nobody in any more. */
  close(): void {
    this.#closed = true;
  }

  /** Stops all that are inside. */
  drop(): void {
    this.#dropped = true;
    for (const call of [...this.#inside]) {
      if (call.stop === undefined) this.#leave(call);
      else call.stop(byForce());
    }
  }

  /** @throws PoolClosedError in the name of `fn` after drop, for those that were inside, and once all have left */
  checkInside(fn: string): void {
    if (this.#dropped) throw byForce();
    if (this.#inside.size === 0) this.check(fn);
  }

  /** Resolves when nobody is inside. */
  async empty(): Promise<void> {
    if (this.#inside.size > 0) await new Promise<void>((resolve) => this.#empty.push(resolve));
  }

  #leave(call: Call): void {
    this.#inside.delete(call);
    if (this.#inside.size > 0) return;
    for (const tell of this.#empty) tell();
    this.#empty = [];
  }
}

/** One for each call, since a checkpoint's writer marks it. */
export const byForce = (): PoolClosedError => new PoolClosedError('the pool was closed by force');
