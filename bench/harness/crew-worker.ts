// A thread of Crew: waits for its turn, works on its part, waits again.
import { parentPort, workerData } from 'node:worker_threads';
import { type CrewData, crewSlots, type Operation, operations, Part, waitWhile } from './crew-work.js';

const { control, threads, bytes, memory, patient } = workerData as CrewData;
const part = new Part(bytes, memory);
const names = Object.keys(operations) as Operation[];
let roused = false;

parentPort?.postMessage('ready');
for (let turn = 0; ; turn++) {
  waitWhile(control, crewSlots.turn, turn, roused);
  const operation = names[Atomics.load(control, crewSlots.operation)] ?? 'memset';
  if (operation === 'rouse' || operation === 'rest') roused = patient && operation === 'rouse';
  else part.run(operation);
  // The last of the workers tells the first thread, and only then: woken for each, it would not get to its own work.
  if (Atomics.add(control, crewSlots.done, 1) + 1 < threads) continue;
  Atomics.store(control, crewSlots.finished, turn + 1);
  Atomics.notify(control, crewSlots.finished);
}
