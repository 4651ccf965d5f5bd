// A thread of Crew: waits for its turn, works on its part, sleeps again.
import { parentPort, workerData } from 'node:worker_threads';
import { collect_garbage, crew_slots, type Operation, operations, Part } from './crew_work.js';

const { control, bytes, memory } = workerData as {
  readonly control: Int32Array<SharedArrayBuffer>;
  readonly bytes: number;
  readonly memory: { readonly with_memory: boolean; readonly with_source: boolean };
};
const part = new Part(bytes, memory);
const names = Object.keys(operations) as Operation[];

parentPort?.postMessage('ready');
for (let turn = 0; ; turn++) {
  Atomics.wait(control, crew_slots.turn, turn);
  const operation = names[Atomics.load(control, crew_slots.operation)] ?? 'memset';
  part.run(operation);
  Atomics.add(control, crew_slots.done, 1);
  Atomics.notify(control, crew_slots.done);
  if (operation === 'fresh') collect_garbage();
}
