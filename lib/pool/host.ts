import { Piscina } from 'piscina';
import { compiled_file } from '../core/package-files.js';
import { worker_young_generation_mb } from './memory.js';
import type { Message, Report } from './messages.js';

/** Workers that may die one after another without any work done before the pool gives up. */
const most_failures = 4;
/** Below the event loop's priority: with a worker for each core, that thread would otherwise wait for milliseconds to be run. */
const worker_niceness = 10;

/** The threads: Piscina, and the care that whoever waits for them never waits in vain. */
export class Host {
  readonly piscina: Piscina<Message, Report>;
  readonly #threads: number;
  readonly #on_broken: (error: Error) => void;
  #tasks = 0;
  #failures = 0;
  #last_error: unknown;
  #closed = false;
  #is_broken = false;
  #tell_broken: () => void = () => undefined;
  readonly #broken = new Promise<void>((resolve) => {
    this.#tell_broken = resolve;
  });

  /**
   * @param on_broken called once if threads cannot be had: then no task will ever come back
   * @param filename what the threads run
   */
  constructor(threads: number, on_broken: (error: Error) => void, filename = compiled_file('lib/pool/worker')) {
    this.#threads = threads;
    this.#on_broken = on_broken;
    this.piscina = new Piscina<Message, Report>({
      filename,
      name: 'work',
      minThreads: threads,
      maxThreads: threads,
      niceIncrement: worker_niceness, // where @napi-rs/nice is installed, which Piscina asks for as optional
      resourceLimits: { maxYoungGenerationSizeMb: worker_young_generation_mb },
    });
    this.piscina.on('error', (error: unknown) => {
      this.#last_error = error;
    });
    this.piscina.on('workerDestroy', () => setImmediate(() => this.#revive()));
  }

  /** Runs a task. Rejects if its worker died, and for nothing else. */
  async run(message: Message): Promise<Report> {
    this.#tasks++;
    try {
      const report = await this.piscina.run(message);
      this.#failures = 0;
      return report;
    } finally {
      this.#tasks--;
    }
  }

  /** Ends the threads, which must be idle. */
  async close(): Promise<void> {
    // Not while they start: Node 20 aborts the process if a thread is ended while it loads a module or an addon. One task for each
    // idle thread goes to each.
    if (!this.#is_broken) await Promise.race([this.#broken, this.#ping_all()]);
    this.#closed = true;
    await this.piscina.destroy();
  }

  async #ping_all(): Promise<void> {
    await Promise.allSettled(Array.from({ length: this.#threads }, () => this.run({ kind: 'ping' })));
  }

  /** Piscina replaces a worker that dies at work, but not one that dies while it starts: its tasks would wait forever. */
  #revive(): void {
    if (this.#closed || this.#is_broken || this.#tasks === 0 || this.piscina.threads.length >= this.#threads) return;
    if (++this.#failures > most_failures) {
      if (this.piscina.threads.length > 0) return; // the others do the work
      this.#is_broken = true;
      this.#tell_broken();
      const why = this.#last_error instanceof Error ? `: ${this.#last_error.message}` : '';
      this.#on_broken(new Error(`the pool's worker threads do not start${why}`, { cause: this.#last_error }));
      return;
    }
    this.piscina.run({ kind: 'ping' }).catch(() => undefined); // makes Piscina start a thread
  }
}
