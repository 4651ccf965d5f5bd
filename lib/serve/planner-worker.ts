/** What runs in the planner's thread: it makes plans and lays them out. */
import { parentPort } from 'node:worker_threads';
import { type PackedTensors, packTensors } from '../checkpoint/virtual/packed-tensors.js';
import type { KeyedTensor } from '../checkpoint/virtual/range.js';
import { type LaidFiles, laidFiles } from '../checkpoint/virtual/virtual.js';
import { layOut } from '../checkpoint/virtual/virtual-checkpoint.js';
import { errorCode, InputError } from '../core/errors.js';
import { elementsOf } from '../core/shape.js';
import { storedDtypes } from '../core/stored-dtype.js';
import { accountMemory } from '../native/addon.js';
import { type LoadedPlan, loadPlan } from '../plan/load-plan.js';
import type { Revision } from './revision.js';

/** A checkpoint to be laid out. */
export interface Asked extends Revision {
  readonly input: string;
  /** Of what the input holds: another one, another plan. */
  readonly state: string;
  /** Bytes. */
  readonly maxShardSize: number | undefined;
}

/** A checkpoint laid out, which a thread can be sent however many tensors it has. */
export interface Packed extends Omit<LaidFiles, 'files'> {
  readonly files: readonly {
    readonly name: string;
    readonly size: number;
    readonly head: Uint8Array;
    readonly tensors: PackedTensors;
  }[];
  /** Elements by the names that safetensors has for dtypes. */
  readonly parameters: Readonly<Record<string, number>>;
}

/** What the planner is sent: a job, that it is to forget the plans of an input, or that it is to end. */
export type PlannerMessage = Asked | { readonly forget: string } | 'end';

/** What it sends back for each job. */
export type PlannerReply =
  | Packed
  | {
      readonly error: unknown /** What an InputError carries besides, and loses with its class when it is cloned. */;
      readonly input?: Pick<InputError, 'code' | 'path'> & { readonly system: string | undefined };
    };

/** Plans that are kept for further seeds: so many, and tensors in all. One of more is kept until another is made. */
const mostPlans = 32;
const mostTensors = 20_000;
/** From so many tensors on, what is left of making them is collected at once. */
const manyTensors = 10_000;
const tooMuch = 2 ** 33;

/** A plan that is kept. */
interface Kept {
  readonly input: string;
  readonly plan: Promise<LoadedPlan>;
  tensors: number;
}

/** The least recently used first. */
const plans = new Map<string, Kept>();

parentPort?.on('message', async (message: PlannerMessage) => {
  if (message === 'end') {
    parentPort?.close();
    return;
  }
  if ('forget' in message) {
    for (const [key, { input }] of plans) if (input === message.forget) plans.delete(key);
    return;
  }
  try {
    const packed = await pack(message);
    const memory = packed.files.flatMap(({ head, tensors }) => [head.buffer as ArrayBuffer, tensors.bytes.buffer]);
    parentPort?.postMessage(packed, memory);
    if (message.engine === 'torch') collect(); // states of 5 KB for each tensor
  } catch (error) {
    const known = error instanceof InputError ? error : undefined;
    const input = known && { input: { code: known.code, path: known.path, system: errorCode(known.cause) } };
    parentPort?.postMessage({ error, ...input } satisfies PlannerReply);
  }
});

async function pack({ maxShardSize, seed, engine, ...of }: Asked): Promise<Packed> {
  const plan = await planOf(of);
  const { set, keys } = layOut('serve', plan, { seed, engine, maxShardSize });
  const parameters: Record<string, number> = {};
  for (const { dtype, shape } of plan.tensors) {
    const { tag } = storedDtypes[dtype];
    parameters[tag] = (parameters[tag] ?? 0) + elementsOf(shape);
  }
  const { files, ...laid } = laidFiles(set, keys);
  if (plan.tensors.length >= manyTensors) collect();
  const packed = files.map(({ name, size, head, tensors }) => ({
    ...{ name, size, head: ownMemory(head) },
    tensors: packTensors(tensors as readonly KeyedTensor[]),
  }));
  return { ...laid, files: packed, parameters };
}

async function planOf({ input, state, dtype }: Pick<Asked, 'input' | 'state' | 'dtype'>): Promise<LoadedPlan> {
  const key = JSON.stringify([input, state, dtype]);
  if (!plans.has(key)) for (const [other, each] of plans) if (each.tensors > mostTensors) plans.delete(other);
  const kept = plans.get(key) ?? { input, plan: loadPlan(input, { dtype }), tensors: 0 };
  plans.delete(key);
  const { tensors } = await kept.plan; // what failed is tried again when it is asked for again
  plans.set(key, kept); // now the most recently used
  if (kept.tensors === 0 && tensors.length >= manyTensors) collect();
  kept.tensors = tensors.length;
  let sum = [...plans.values()].reduce((all, each) => all + each.tensors, 0);
  for (const [oldest, each] of plans) {
    if (plans.size === 1 || (plans.size <= mostPlans && sum <= mostTensors)) break;
    plans.delete(oldest);
    sum -= each.tensors;
  }
  return kept.plan;
}

/** Has V8 collect all garbage, as it does when it hears of very much memory outside of its heap: a large plan leaves hundreds of megabytes. */
function collect(): void {
  accountMemory(tooMuch, false);
  accountMemory(tooMuch, true);
}

/** Bytes in memory of their own, which can be handed over. */
function ownMemory(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
}
