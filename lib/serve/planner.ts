import { once } from 'node:events';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { type Unpacked, UnpackedTensors } from '../checkpoint/virtual/packed-tensors.js';
import type { LaidFiles } from '../checkpoint/virtual/virtual.js';
import { InputError } from '../core/errors.js';
import { compiledFile } from '../core/package-files.js';
import type { Asked, Packed, PlannerMessage, PlannerReply } from './planner-worker.js';

/** A checkpoint laid out. */
export type Laid = LaidFiles & Pick<Packed, 'parameters'>;

/** V8 collects garbage the earlier, the less it may keep; a plan of 90,000 tensors takes a tenth of it. */
const resourceLimits = { maxOldGenerationSizeMb: 1024, maxYoungGenerationSizeMb: 4 };
/** A thread that has nothing to do for so long is ended: what it held is the system's again. */
const idleMs = 10_000;

/**
 * Makes plans and lays them out in a thread of its own: with many tensors that takes seconds, in which the event loop is to go on. One after another, so that
 * the memory of one is enough.
 */
export class Planner {
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #isClosing = false;

  /**
   * @param isWanted asked when its turn comes: what nobody waits for any more is not made, since others wait behind it
   * @throws InputError for a config that makes no sense
   */
  async lay(asked: Asked, isWanted: () => boolean = () => true): Promise<Laid> {
    const laid = this.#last.then(() => {
      if (!isWanted()) throw new Error('nobody waits for this checkpoint any more');
      return this.#lay(asked);
    });
    this.#last = laid.catch(() => {});
    return laid;
  }

  /** Has it forget what it has read of an input. */
  forget(input: string): void {
    this.#worker?.postMessage({ forget: input } satisfies PlannerMessage);
  }

  /** Ends the thread, after what it is at. Until then it keeps the process: otherwise one that has nothing else to do would end before this does. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#worker?.ref();
    await this.#last;
    await this.#end();
    this.#isClosing = false;
  }

  async #lay(asked: Asked): Promise<Laid> {
    clearTimeout(this.#idle);
    const worker = this.#worker ?? this.#start();
    try {
      const { files, ...laid } = await ask(worker, asked);
      const unpacked: Unpacked = new Map();
      return {
        ...laid,
        files: files.map((file) => ({ ...file, tensors: new UnpackedTensors(file.tensors, unpacked) })),
      };
    } finally {
      this.#idle = setTimeout(() => void this.#end(), idleMs).unref();
    }
  }

  #start(): Worker {
    const worker = threadOf(compiledFile('lib/serve/planner-worker'));
    const forget = (): void => {
      if (this.#worker === worker) this.#worker = undefined;
    };
    worker.on('error', forget); // whoever waits for it is told of the error too
    worker.once('exit', forget);
    if (!this.#isClosing) worker.unref();
    this.#worker = worker;
    return worker;
  }

  async #end(): Promise<void> {
    clearTimeout(this.#idle);
    const worker = this.#worker;
    this.#worker = undefined;
    if (worker === undefined) return;
    // By itself: Node 20 aborts the process if a thread is ended while it loads a module.
    worker.postMessage('end' satisfies PlannerMessage);
    await new Promise((resolve) => worker.once('exit', resolve)); // `once` would reject for an error of it before
  }
}

/** Where the program itself is a text (`node --input-type=module -e …`), threads inherit the option, and Node 20 refuses files with it. */
function threadOf(file: string): Worker {
  const options = { name: 'nninit planner', resourceLimits };
  const isText = [...process.execArgv, process.env.NODE_OPTIONS].some((each) => each?.includes('--input-type'));
  if (!isText) return new Worker(file, options);
  return new Worker(`import(${JSON.stringify(pathToFileURL(file).href)})`, { ...options, eval: true });
}

async function ask(worker: Worker, asked: Asked): Promise<Packed> {
  worker.postMessage(asked satisfies PlannerMessage);
  const [reply] = (await once(worker, 'message')) as [PlannerReply];
  if (!('error' in reply)) return reply;
  const { error, input } = reply;
  if (input === undefined || !(error instanceof Error)) throw error;
  const { system, ...known } = input;
  throw new InputError(error.message, { ...known, cause: Object.assign(error, system && { code: system }) });
}
