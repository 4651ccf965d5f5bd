import { test } from 'vitest';
import { temporary_folder } from '../checkpoint/temporary.js';
import { kill_and_resume } from './killed.js';

const root = temporary_folder();

test.skipIf(process.platform === 'win32')(
  'killed at 8 random moments, a checkpoint still ends to the byte',
  async () => {
    await kill_and_resume(root.path, 8, 400);
  },
  240_000, // some twenty processes, each of which takes seconds to start under the sanitizers
);
