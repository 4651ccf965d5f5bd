/** What a job is worth at least: some tens of milliseconds of work, beside which the 2 ms that the queue takes of it are little. */
const leastBytes = 2 ** 26;
/** With so many parts every worker of most has some, and none is waited for long: then parts grow, */
const enough = 64;
/** up to so many bytes, of which none that a lost worker has written is written again. */
const usualBytes = 2 ** 28;
const most = 4096;
/** To make a file, sync it and give it its name takes as long as so many bytes of it. */
const fileBytes = 2 ** 20;

/** In how many parts an order is done: few where files are small, however many they are. */
export function partsFor(bytes: number, files: number): number {
  const work = bytes + files * fileBytes;
  const parts = Math.max(Math.min(enough, work / leastBytes), work / usualBytes);
  return Math.min(most, Math.max(1, Math.floor(parts)));
}
