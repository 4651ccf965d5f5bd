// A thread of the writer's crew: works on its share of one job after another.
import { parentPort, workerData } from 'node:worker_threads';
import { ask_to_stop, type Job, work_on } from './writer_work.js';

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

const { thread, chunk_bytes } = workerData as { readonly thread: number; readonly chunk_bytes: number };
const buffer = new ArrayBuffer(chunk_bytes);

parentPort?.on('message', (job: Job) => {
  const answer = (error?: SentError) => {
    parentPort?.postMessage({ id: job.id, ...(error === undefined ? {} : { error }) } satisfies Answer);
  };
  try {
    const work = work_on(job, thread, buffer);
    while (!work.next().done);
    answer();
  } catch (error) {
    ask_to_stop(job.shared);
    answer(sent(error));
  }
});

function sent(error: unknown): SentError {
  if (!(error instanceof Error)) return { message: String(error), stack: undefined, code: undefined, errno: undefined };
  const { message, stack } = error;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const errno = 'errno' in error && typeof error.errno === 'number' ? error.errno : undefined;
  return { message, stack, code, errno };
}
