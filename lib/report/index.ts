import type { Run } from '../bench/schema.js';

/** The pictures of a run, by name. */
export async function pictures_of(_run: Run): Promise<[string, string][]> {
  return [];
}
