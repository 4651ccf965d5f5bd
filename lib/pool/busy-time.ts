/** How much of their time workers are at tasks. */
export class BusyTime {
  readonly #workers: number;
  readonly #now: () => number;
  readonly #start: number;
  #tasks = 0;
  #busy = 0;
  #since: number;

  /** @param now tells the time, in any unit */
  constructor(workers: number, now = () => performance.now()) {
    this.#workers = workers;
    this.#now = now;
    this.#start = now();
    this.#since = this.#start;
  }

  /** A task goes to the workers. What is more than one for each worker waits. */
  begin(): void {
    this.#count();
    this.#tasks++;
  }

  end(): void {
    this.#count();
    this.#tasks--;
  }

  /** The share of all workers' time since the beginning, 0 to 1. */
  get share(): number {
    this.#count();
    const all = this.#workers * (this.#since - this.#start);
    return all > 0 ? this.#busy / all : 0;
  }

  #count(): void {
    const now = this.#now();
    this.#busy += Math.min(this.#tasks, this.#workers) * (now - this.#since);
    this.#since = now;
  }
}
