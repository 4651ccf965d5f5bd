/** A worker that every task but a ping ends. */
export function work({ kind }) {
  if (kind !== 'ping') process.exit(3);
}
