import { performance } from 'node:perf_hooks';

/** How long copying may hold the event loop at a time. */
const sliceMilliseconds = 1;

/**
 * Does small pieces of work on this thread, a millisecond's worth between which timers and sockets get their turn. (Done as
 * the workers' messages come in, they could follow one another without end: Node hands out up to a thousand messages at a time.)
 */
export class Copier {
  #queue: (() => void)[] = [];
  #next = 0;
  #scheduled = false;

  push(copy: () => void): void {
    this.#queue.push(copy);
    this.#schedule();
  }

  /** Does all steps, one after the other. */
  all(steps: Iterator<() => void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const next = (): void => {
        try {
          const { done, value } = steps.next();
          if (done === true) resolve();
          else {
            value();
            this.push(next);
          }
        } catch (error) {
          reject(error);
        }
      };
      this.push(next);
    });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#drain());
  }

  #drain(): void {
    this.#scheduled = false;
    const end = performance.now() + sliceMilliseconds;
    while (this.#next < this.#queue.length) {
      const copy = this.#queue[this.#next++] as () => void;
      copy();
      if (performance.now() >= end) break;
    }
    if (this.#next < this.#queue.length) {
      this.#schedule();
    } else {
      this.#queue = [];
      this.#next = 0;
    }
  }
}
