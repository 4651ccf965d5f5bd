/** scripts/kill-s3: many kills while checkpoints are written to a store that breaks down, with a report. */
import { expect, test } from 'vitest';
import { bytesOfText } from '../../../../lib/core/size.js';
import { size } from '../../../../lib/core/text.js';
import { temporaryFolder } from '../../temporary.js';
import { killWrites } from './killed-writes.js';

const root = temporaryFolder();
const kills = Number(process.env.NNINIT_KILLS ?? 50);
const bytes = bytesOfText(process.env.NNINIT_KILL_BYTES ?? '500MB') ?? Number.NaN;

test(`whoever writes to a store that breaks down, and the store, are killed ${kills} times`, async () => {
  expect(bytes, 'NNINIT_KILL_BYTES').toBeGreaterThan(0);
  const report = await killWrites(root.path, { kills, bytes, pauseMs: 4000, faulty: 0.1 });
  const killed = `killed: who writes ${report.kills.writer}, the store ${report.kills.store}`;
  const failed = `${report.faults} of ${report.requests} requests failed`;
  const made = `${report.checkpoints} checkpoints of ${size(report.bytes)} in ${report.seconds.toFixed(0)} s`;
  process.stderr.write(`${killed}; ${failed}; ${made}; wrong: ${report.wrong.join('; ') || 'nothing'}\n`);
  expect(report.wrong).toEqual([]);
  expect(report.checkpoints).toBeGreaterThan(0);
  expect(report.kills.writer + report.kills.store).toBe(kills);
}, 3_600_000);
