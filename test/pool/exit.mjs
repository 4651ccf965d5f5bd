/** A task that ends its thread. */
export function work() {
  process.exit(3);
}
