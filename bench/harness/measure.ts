import { fillSlice } from '../../lib/init/fill-slice.js';
import * as init from '../../lib/init/init.js';
import { definitionOf } from '../../lib/init/initializers.js';
import { forceSimdTarget, set_num_threads, widen } from '../../lib/native/addon.js';
import { createPool, type Pool } from '../../lib/pool/pool.js';
import { Generator } from '../../lib/random/generator.js';
import { empty, type Tensor } from '../../lib/tensor/tensor.js';
import { bytesOf, type Subject, shapeOf, subjects, type Trial } from './catalog.js';
import { checksumOf, seed } from './checksums.js';
import { chain, chainCycles } from './clock.js';
import { Crew, partsOf } from './crew.js';
import { buffersOf, memcpy, memset, type Operation, touched } from './crew-work.js';
import { freeMemory, memoryShare } from './memory.js';
import type { Measured, TrialRequest } from './schema.js';
import { medianOf } from './stats.js';

/** A sample shorter than this is made of several calls, so that the clock's own cost does not show. */
const leastSampleNs = 500_000;
const mostCalls = 100_000;
const mostRounds = 200;
/** Of a trial's time, how long short calls are repeated before they are measured. */
const warmUpShare = 0.1;
/** What is there before the fill that is checked. */
const junk = 0xa5;

/** Something that is timed, once a round. */
interface Action {
  /** Before and after what is timed. */
  readonly before?: (() => void) | undefined;
  readonly after?: (() => void) | undefined;
  readonly call: () => unknown;
  /** Calls a sample. */
  calls: number;
  readonly samples: number[];
}

function action(call: () => unknown, before?: () => void, after?: () => void): Action {
  return { call, before, after, calls: 1, samples: [] };
}

/** An action of several threads, which are up when it begins and asleep when it is over. */
function together(crew: Crew, operation: Operation, before?: () => void): Action {
  return action(
    () => crew.run(operation),
    () => {
      before?.();
      crew.run('rouse');
    },
    () => crew.run('rest'),
  );
}

/** Nanoseconds a call. */
async function sample({ call, before, after, calls }: Action): Promise<number> {
  before?.();
  const start = process.hrtime.bigint();
  for (let i = 0; i < calls; i++) {
    const result = call();
    if (result instanceof Promise) await result;
  }
  const ns = Number(process.hrtime.bigint() - start);
  after?.();
  return ns / calls;
}

/**
 * Warms an action up, and finds how many calls a sample takes.
 *
 * @param seconds at least, where calls are short: until then V8 may still be compiling
 */
async function warmUp(timed: Action, seconds: number): Promise<void> {
  await sample(timed);
  const start = performance.now();
  for (;;) {
    const ns = await sample(timed);
    const longEnough = ns * timed.calls >= leastSampleNs || timed.calls >= mostCalls;
    if (!longEnough) timed.calls = Math.min(mostCalls, Math.ceil((1.2 * leastSampleNs) / Math.max(ns, 1)));
    else if (timed.calls === 1 || performance.now() - start >= 1000 * seconds) return;
  }
}

/** Of one thread and several, whichever is faster: one writes small tensors sooner than several agree. Warms both up. */
async function faster(one: Action | undefined, all: Action | undefined, seconds: number): Promise<Action | undefined> {
  if (one !== undefined) await warmUp(one, seconds);
  if (all !== undefined) await warmUp(all, seconds);
  if (one === undefined || all === undefined) return one ?? all;
  const times: [number[], number[]] = [[], []];
  for (let i = 0; i < 5; i++) {
    times[0].push(await sample(one));
    times[1].push(await sample(all));
  }
  return medianOf(times[0]) < medianOf(times[1]) ? one : all;
}

/** Rounds in which every action has a sample, in turn: a noisy moment hits all alike. */
async function runRounds(actions: readonly Action[], { rounds, seconds }: TrialRequest): Promise<void> {
  const start = performance.now();
  for (let round = 0; round < mostRounds; round++) {
    const spent = (performance.now() - start) / 1000;
    if (round >= rounds && spent >= seconds) return;
    // However slow the machine is, a trial ends.
    if (round >= 3 && spent >= 20 * Math.max(seconds, 0.5)) return;
    for (const timed of actions) timed.samples.push(await sample(timed));
  }
}

/** toFloat32Array without its new memory, from normals that are drawn at the first call. */
function widener(dtype: 'float16' | 'bfloat16'): (tensor: Tensor) => void {
  let drawn: Tensor<Uint16Array> | undefined;
  return ({ shape, data }) => {
    drawn ??= init.normal_(empty(shape, { dtype }), { generator: new Generator({ seed }) });
    widen(drawn.data, dtype, data as Float32Array);
  };
}

/** The call of init.*_ or fillSlice that a trial is about. */
function filler({ fill }: Trial, pool: Pool | undefined, generator: Generator): (tensor: Tensor) => unknown {
  const { initializer, slice, widens }: Subject = subjects[fill];
  if (widens !== undefined) return widener(widens);
  if (slice !== undefined) {
    return (tensor) => {
      const [rows = 1, length = 1] = tensor.shape;
      const ranges = [{ dim: 1, start: slice.from, length }];
      const options = { of: [rows, slice.columns], ranges, generator };
      return pool === undefined
        ? fillSlice(tensor, initializer, options)
        : pool.fillSlice(tensor, initializer, options);
    };
  }
  const { init: name, ...parameters } = typeof initializer === 'string' ? { init: initializer } : initializer;
  const call = (pool?.init ?? init)[`${name}_`] as (tensor: Tensor, keywords: object) => unknown;
  const keywords = { ...parameters, ...(definitionOf(name).random && { generator }) };
  return (tensor) => call(tensor, keywords);
}

/** The chain that tells the frequency, compiled. */
async function clockOf(): Promise<Action> {
  const clock = action(chain);
  for (let i = 0; i < 50; i++) await sample(clock);
  return clock;
}

/** Runs one trial in this process, beside memset and memcpy of the same bytes. */
export async function measure(job: TrialRequest): Promise<Measured> {
  const { trial, target } = job;
  if (target !== undefined) forceSimdTarget(target);
  set_num_threads(trial.threads);
  const pool = trial.executor === 'pool' ? createPool({ threads: trial.threads }) : undefined;
  const generator = new Generator({ seed });
  const run = filler(trial, pool, generator);
  const reset = () => {
    generator.manual_seed(seed);
  };
  try {
    return await (trial.memory === 'warm' ? measureWarm : measureFresh)(job, run, reset);
  } finally {
    await pool?.close();
  }
}

type Fill = (tensor: Tensor) => unknown;

/** memset and memcpy of as many bytes on as many threads, warmed up. */
interface Limits {
  readonly set: Action;
  readonly copy: Action | undefined;
  readonly crew: Crew;
}

async function limitsOf({ data }: Tensor, { trial: { threads }, seconds }: TrialRequest): Promise<Limits> {
  const bytes = data.byteLength;
  const fits = (more: number) => more <= memoryShare * freeMemory();
  // JavaScript's fill of shared memory is no memset: the pool's tensors have one on memory beside them.
  const own = data.buffer instanceof ArrayBuffer ? buffersOf(data.buffer) : undefined;
  const parts = partsOf(bytes, threads);
  const withMemory = own === undefined || (parts.length > 1 && fits(bytes));
  const withSource = withMemory && fits(2 * bytes);
  const crew = await Crew.start(withMemory ? parts : [], { withMemory, withSource });
  const source = own !== undefined && fits(bytes) ? buffersOf(touched(bytes)) : undefined;
  const alone = {
    set: own && action(() => memset(own)),
    copy: own && source && action(() => memcpy(own, source)),
  };
  const all = {
    set: withMemory ? together(crew, 'memset') : undefined,
    copy: withSource ? together(crew, 'memcpy') : undefined,
  };
  const set = await faster(alone.set, all.set, warmUpShare * seconds);
  const copy = await faster(alone.copy, all.copy, warmUpShare * seconds);
  if (set === undefined) throw new Error('bench: there is not enough memory for memset beside the tensor');
  return { set, copy, crew };
}

async function measureWarm(job: TrialRequest, run: Fill, reset: () => void): Promise<Measured> {
  const { trial } = job;
  const tensor: Tensor = empty(shapeOf(trial), { dtype: trial.dtype, shared: trial.executor === 'pool' });
  // The first touch is by as many threads as will fill: on machines with several memory nodes it decides where pages are.
  await run(tensor);
  const { set, copy, crew } = await limitsOf(tensor, job);
  const fill = action(() => run(tensor), reset);
  await warmUp(fill, warmUpShare * job.seconds);
  const clock = await clockOf();
  await runRounds(copy === undefined ? [set, fill, clock] : [copy, set, fill, clock], job);
  await crew.close();
  // Once more over other bytes, on the stream that is recorded: that is what is checked.
  // In pieces: Node 20 has no typed array of more than 2^32 bytes.
  for (const piece of buffersOf(tensor.data.buffer)) piece.fill(junk);
  reset();
  await run(tensor);
  return perElement(trial, checksumOf(tensor.data), { fill, set, copy, clock });
}

async function measureFresh(job: TrialRequest, run: Fill, reset: () => void): Promise<Measured> {
  const { trial } = job;
  const crew = await Crew.start(partsOf(bytesOf(trial), trial.threads), { withMemory: false, withSource: false });
  let last: Tensor | undefined;
  // Of all threads: a worker that returned its memory later would do so while the fill is timed.
  const release = () => {
    last = undefined;
    crew.run('collect');
  };
  const set = together(crew, 'fresh', release);
  const fill = action(
    () => {
      last = empty(shapeOf(trial), { dtype: trial.dtype, shared: trial.executor === 'pool' });
      return run(last);
    },
    () => {
      reset();
      release();
    },
  );
  for (const timed of [set, fill]) await sample(timed);
  const clock = await clockOf();
  await runRounds([set, fill, clock], job);
  await crew.close();
  if (last === undefined) throw new Error('bench: no round was run');
  return perElement(trial, checksumOf(last.data), { fill, set, copy: undefined, clock });
}

interface Timed extends Pick<Limits, 'set' | 'copy'> {
  readonly fill: Action;
  readonly clock: Action;
}

function perElement(trial: Trial, checksum: string, { fill, set, copy, clock }: Timed): Measured {
  const each = ({ samples }: Action) => samples.map((ns) => ns / 2 ** trial.log2);
  const ghz = clock.samples.map((ns) => chainCycles / ns);
  return { fill: each(fill), memset: each(set), memcpy: copy === undefined ? null : each(copy), ghz, checksum };
}
