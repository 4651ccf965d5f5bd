// Writes one checkpoint as the command does, in a process that may be killed: node driver.js '{"folder": …, "tensors": [ … ], …}'
import { fileSetOf } from '../../../../build/modules/lib/checkpoint/virtual/tensor-files.js';
import { finishCheckpoint } from '../../../../build/modules/lib/checkpoint/write/parts/finish.js';
import { writePart } from '../../../../build/modules/lib/checkpoint/write/parts/write-part.js';
import { countsOf, writeTensors } from '../../../../build/modules/lib/checkpoint/write/write.js';
import { describeError, exitCodeOf } from '../../../../build/modules/lib/cli/failure.js';
import { withSignals } from '../../../../build/modules/lib/cli/signals.js';
import { philoxKeys } from '../../../../build/modules/lib/plan/keys.js';
import { resolvePlan } from '../../../../build/modules/lib/plan/plan.js';

const { folder, tensors, seed, parts, ...options } = JSON.parse(process.argv[2]);
const resolved = resolvePlan({ tensors });
const keys = philoxKeys(BigInt(seed));

async function writeParts(signal) {
  const laid = { set: fileSetOf(resolved, { keys, ...options }), keys, ...countsOf(resolved) };
  for (let index = 0; index < parts; index++) {
    await writePart(folder, laid, { ...options, signal, part: { index, count: parts } });
  }
  await finishCheckpoint(folder, { signal });
}

try {
  await withSignals((signal) =>
    parts === undefined ? writeTensors(folder, resolved, { keys, signal, ...options }) : writeParts(signal),
  );
} catch (error) {
  process.stderr.write(`${describeError(error, false)}\n`);
  process.exitCode = exitCodeOf(error);
}
