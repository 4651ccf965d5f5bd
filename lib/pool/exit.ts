/** What is to be stopped when the process, or the thread that this is loaded in, exits. */
const running = new Set<() => void>();
let listens = false;

/**
 * Has `stop` called when the process exits, which waits for its threads: they would go on to the end of their fills.
 *
 * @returns takes that back
 */
export function atExit(stop: () => void): () => void {
  if (!listens) process.on('exit', () => running.forEach((each) => void each()));
  listens = true;
  running.add(stop);
  return () => running.delete(stop);
}
