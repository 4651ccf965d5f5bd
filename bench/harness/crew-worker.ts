// A thread of Crew: waits for its turn, works on its part, waits again.
import { parentPort, workerData } from 'node:worker_threads';
import { type CrewData, crew_slots, type Operation, operations, Part, wait_while } from './crew-work.js';

const { control, threads, bytes, memory, patient } = workerData as CrewData;
const part = new Part(bytes, memory);
const names = Object.keys(operations) as Operation[];
let roused = false;

parentPort?.postMessage('ready');
for (let turn = 0; ; turn++) {
  wait_while(control, crew_slots.turn, turn, roused);
  const operation = names[Atomics.load(control, crew_slots.operation)] ?? 'memset';
  if (operation === 'rouse' || operation === 'rest') roused = patient && operation === 'rouse';
  else part.run(operation);
  // The last of the workers tells the first thread, and only then: woken for each, it would not get to its own work.
  if (Atomics.add(control, crew_slots.done, 1) + 1 < threads) continue;
  Atomics.store(control, crew_slots.finished, turn + 1);
  Atomics.notify(control, crew_slots.finished);
}
