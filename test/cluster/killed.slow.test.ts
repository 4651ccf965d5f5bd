/** scripts/kill-order: many kills while a large checkpoint is ordered, with a report. */
import { expect, test } from 'vitest';
import { bytesOfText } from '../../lib/core/size.js';
import { size } from '../../lib/core/text.js';
import { temporaryFolder } from '../checkpoint/temporary.js';
import { killOrders } from './killed-order.js';
import { hasRedis, unlessRedis } from './redis-server.js';

const root = temporaryFolder();
const kills = Number(process.env.NNINIT_KILLS ?? 50);
const bytes = bytesOfText(process.env.NNINIT_KILL_BYTES ?? '5GB') ?? Number.NaN;

// The script is there for this: without Redis it fails.
test.skipIf(!hasRedis && process.env.NNINIT_KILLS === undefined)(
  `workers, Redis and who orders are killed ${kills} times${unlessRedis}`,
  async () => {
    expect(bytes, 'NNINIT_KILL_BYTES').toBeGreaterThan(0);
    const report = await killOrders(root.path, kills, bytes, 1000);
    const { worker, Redis, orderer } = report.kills;
    const killed = `killed: workers ${worker}, Redis ${Redis}, who orders ${orderer}`;
    const made = `${report.checkpoints} checkpoints of ${size(report.bytes)} in ${report.seconds.toFixed(0)} s`;
    process.stderr.write(`${killed}; ${made}; wrong: ${report.wrong.join('; ') || 'nothing'}\n`);
    expect(report.wrong).toEqual([]);
    expect(report.checkpoints).toBeGreaterThan(0);
    expect(worker + Redis + orderer).toBe(kills);
  },
  3_600_000,
);
