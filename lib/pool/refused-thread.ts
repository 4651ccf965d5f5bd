// What Piscina takes for `node:worker_threads` where it starts threads: scripts/compile.js puts it there.
import { EventEmitter } from 'node:events';
import * as threads from 'node:worker_threads';

export const { receiveMessageOnPort } = threads;

/**
 * What stands for a thread that the system refuses (ulimit -u, a container's limit): one that dies while it starts. Piscina starts threads in
 * handlers of events too, where an error would end the process.
 */
class RefusedThread extends EventEmitter {
  readonly threadId = -1;
  /** Why there is none. */
  readonly refusal: unknown;

  constructor(refusal: unknown) {
    super();
    this.refusal = refusal;
    setImmediate(() => {
      this.emit('error', refusal);
      this.emit('exit', 1);
    });
  }

  postMessage(): void {}

  ref(): void {}

  unref(): void {}

  async terminate(): Promise<number> {
    return 1;
  }
}

/** As node's, called with `new`, but that it never throws for want of a thread. */
export function Worker(
  ...args: ConstructorParameters<typeof threads.Worker>
): InstanceType<typeof threads.Worker> | RefusedThread {
  try {
    return new threads.Worker(...args);
  } catch (error) {
    return new RefusedThread(error);
  }
}
