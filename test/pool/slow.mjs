import { existsSync, mkdirSync, writeFileSync } from 'node:fs';

// The first thread loads at once, the others wait for the file `go`, and say by `loaded` that they are through.
const folder = process.env.NNINIT_TEST_SLOW;
try {
  mkdirSync(`${folder}/first`);
} catch {
  const never = new Int32Array(new SharedArrayBuffer(4));
  while (!existsSync(`${folder}/go`)) Atomics.wait(never, 0, 0, 5);
  writeFileSync(`${folder}/loaded`, '');
}

export const work = () => undefined;
