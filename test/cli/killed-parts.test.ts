import { test } from 'vitest';
import { temporaryFolder } from '../checkpoint/temporary.js';
import { killParts } from './killed-parts.js';

const root = temporaryFolder();

test.skipIf(process.platform === 'win32')(
  'processes of parts are killed at 8 random moments, and the checkpoint is the same to the byte',
  async () => {
    await killParts(root.path, 8);
  },
  240_000,
);
