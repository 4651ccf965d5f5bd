import type { Signal } from './failure.js';

const signals: readonly Signal[] = ['SIGHUP', 'SIGINT', 'SIGTERM'];

/** Runs work that the first signal asks to stop. */
export async function withSignals<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController();
  const onSignal = (signal: Signal) => abort.abort(signal);
  for (const signal of signals) process.on(signal, onSignal);
  try {
    return await work(abort.signal);
  } finally {
    for (const signal of signals) process.off(signal, onSignal);
  }
}
