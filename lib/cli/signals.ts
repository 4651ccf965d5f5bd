import type { Signal } from './failure.js';

const signals: readonly Signal[] = ['SIGHUP', 'SIGINT', 'SIGTERM'];

/** Runs work that the first signal asks to stop. */
export async function with_signals<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController();
  const on_signal = (signal: Signal) => abort.abort(signal);
  for (const signal of signals) process.on(signal, on_signal);
  try {
    return await work(abort.signal);
  } finally {
    for (const signal of signals) process.off(signal, on_signal);
  }
}
