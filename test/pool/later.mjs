import { mkdirSync } from 'node:fs';

// The first two threads do not load.
const folder = process.env.NNINIT_TEST_LATER;
for (const name of ['first', 'second']) {
  let isMade = true;
  try {
    mkdirSync(`${folder}/${name}`);
  } catch {
    isMade = false;
  }
  if (isMade) throw new Error('broken on purpose');
}

export const work = () => undefined;
