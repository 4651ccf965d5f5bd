// A thread of the writer's crew: works on its share of one job after another.
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { askToStop, type Job, nextJob, workOn } from './work.js';

/** What a thread answers when its share of a job is done, or failed. */
export interface Answer {
  readonly id: number;
  readonly error?: SentError;
}

/** An error's parts: cloning an Error between threads would lose its code. */
export interface SentError {
  readonly message: string;
  readonly stack: string | undefined;
  readonly code: string | undefined;
  readonly errno: number | undefined;
}

const { thread, chunkBytes } = workerData as { readonly thread: number; readonly chunkBytes: number };
const buffer = new ArrayBuffer(chunkBytes);

/** Jobs that it has not answered. */
const owed: Job[] = [];

parentPort?.on('message', (first: Job) => {
  owed.push(first);
  for (;;) {
    receiveMore();
    const job = nextJob(owed);
    if (job === undefined) return;
    owed.splice(owed.indexOf(job), 1);
    parentPort?.postMessage(answerTo(job));
  }
});

/** What came while it worked. */
function receiveMore(): void {
  while (parentPort !== null) {
    const received = receiveMessageOnPort(parentPort);
    if (received === undefined) return;
    owed.push(received.message);
  }
}

function answerTo(job: Job): Answer {
  try {
    const work = workOn(job, thread, buffer);
    while (!work.next().done);
    return { id: job.id };
  } catch (error) {
    askToStop(job.shared);
    return { id: job.id, error: sent(error) };
  }
}

function sent(error: unknown): SentError {
  if (!(error instanceof Error)) return { message: String(error), stack: undefined, code: undefined, errno: undefined };
  const { message, stack } = error;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const errno = 'errno' in error && typeof error.errno === 'number' ? error.errno : undefined;
  return { message, stack, code, errno };
}
