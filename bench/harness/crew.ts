import { Worker } from 'node:worker_threads';
import { compiledFile } from '../../lib/core/package-files.js';
import { type CrewData, crewSlots, type Operation, operations, Part, waitWhile } from './crew-work.js';
import { usableCores } from './machine.js';

/** At least so many bytes a thread: waking one up takes as long as writing these. */
const leastPart = 256 * 1024;
const page = 4096;

/** How many bytes each of several threads takes: whole pages, as equal as they can be. */
export function partsOf(bytes: number, threads: number): number[] {
  const count = Math.max(1, Math.min(threads, Math.floor(bytes / leastPart)));
  const cut = (i: number) => (i === count ? bytes : Math.floor((bytes * i) / count / page) * page);
  return Array.from({ length: count }, (_, i) => cut(i + 1) - cut(i));
}

/**
 * The C library's memset and memcpy on several threads: the limit that a fill on as many threads is held against. This thread
 * takes the first part, workers the others; between `rest` and `rouse` they sleep.
 */
export class Crew {
  readonly #control: Int32Array<SharedArrayBuffer>;
  readonly #workers: readonly Worker[];
  readonly #own: Part;
  readonly #patient: boolean;

  private constructor(control: Int32Array<SharedArrayBuffer>, workers: readonly Worker[], own: Part, patient: boolean) {
    this.#control = control;
    this.#workers = workers;
    this.#own = own;
    this.#patient = patient;
  }

  /**
   * Starts the threads.
   *
   * @param parts bytes of each, this thread's first
   * @param memory whether they need memory for memset, and a source for memcpy besides
   */
  static async start(parts: readonly number[], memory: CrewData['memory']): Promise<Crew> {
    const control = new Int32Array(new SharedArrayBuffer(4 * crewSlots.count));
    const [first = 0, ...others] = parts;
    const patient = parts.length <= usableCores();
    const workers = others.map((bytes) => {
      const workerData: CrewData = { control, threads: others.length, bytes, memory, patient };
      return new Worker(compiledFile('bench/harness/crew-worker'), { workerData });
    });
    const ready = workers.map(
      (worker) =>
        new Promise<void>((resolve, reject) => {
          worker.once('message', () => resolve());
          worker.once('error', reject);
        }),
    );
    await Promise.all(ready);
    return new Crew(control, workers, new Part(first, memory), patient);
  }

  /** Runs an operation on all parts. */
  run(operation: Operation): void {
    const control = this.#control;
    Atomics.store(control, crewSlots.operation, operations[operation]);
    Atomics.store(control, crewSlots.done, 0);
    const before = Atomics.add(control, crewSlots.turn, 1);
    Atomics.notify(control, crewSlots.turn);
    this.#own.run(operation);
    if (this.#workers.length > 0) waitWhile(control, crewSlots.finished, before, this.#patient);
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}
