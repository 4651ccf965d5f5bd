import { test } from 'vitest';
import { temporaryFolder } from '../checkpoint/temporary.js';
import { killAndResume } from './killed.js';

const root = temporaryFolder();

test.skipIf(process.platform === 'win32')(
  'killed at 50 random moments, a checkpoint still ends to the byte',
  async () => {
    await killAndResume(root.path, 50, 400);
  },
);
