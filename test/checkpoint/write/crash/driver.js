// Writes one checkpoint as the command does, in a process that may be killed: node driver.js '{"folder": …, "tensors": [ … ], …}'
import { writeTensors } from '../../../../build/modules/lib/checkpoint/write/write.js';
import { describeError, exitCodeOf } from '../../../../build/modules/lib/cli/failure.js';
import { withSignals } from '../../../../build/modules/lib/cli/signals.js';
import { philoxKeys } from '../../../../build/modules/lib/plan/keys.js';
import { resolvePlan } from '../../../../build/modules/lib/plan/plan.js';

const { folder, tensors, seed, ...options } = JSON.parse(process.argv[2]);
try {
  await withSignals((signal) =>
    writeTensors(folder, resolvePlan({ tensors }), { keys: philoxKeys(BigInt(seed)), signal, ...options }),
  );
} catch (error) {
  process.stderr.write(`${describeError(error, false)}\n`);
  process.exitCode = exitCodeOf(error);
}
