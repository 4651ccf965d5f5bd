import * as init from '../../lib/init/init.js';
import { definition_of } from '../../lib/init/initializers.js';
import { force_simd_target, set_num_threads } from '../../lib/native/addon.js';
import { createPool, type Pool } from '../../lib/pool/pool.js';
import { Generator } from '../../lib/random/generator.js';
import { empty, type Tensor } from '../../lib/tensor/tensor.js';
import { bytes_of, shape_of, subjects, type Trial } from './catalog.js';
import { checksum_of, seed } from './checksums.js';
import { Crew, parts_of } from './crew.js';
import { buffers_of, memcpy, memset, type Operation, touched } from './crew-work.js';
import { free_memory, memory_share } from './memory.js';
import type { Job, Measured } from './schema.js';
import { median_of } from './stats.js';

/** A sample shorter than this is made of several calls, so that the clock's own cost does not show. */
const least_sample_ns = 500_000;
const most_calls = 100_000;
const most_rounds = 200;
/** Of a trial's time, how long short calls are repeated before they are measured. */
const warm_up_share = 0.1;
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
async function warm_up(timed: Action, seconds: number): Promise<void> {
  await sample(timed);
  const start = performance.now();
  for (;;) {
    const ns = await sample(timed);
    const long_enough = ns * timed.calls >= least_sample_ns || timed.calls >= most_calls;
    if (!long_enough) timed.calls = Math.min(most_calls, Math.ceil((1.2 * least_sample_ns) / Math.max(ns, 1)));
    else if (timed.calls === 1 || performance.now() - start >= 1000 * seconds) return;
  }
}

/** Of one thread and several, whichever is faster: one writes small tensors sooner than several agree. Warms both up. */
async function faster(one: Action | undefined, all: Action | undefined, seconds: number): Promise<Action | undefined> {
  if (one !== undefined) await warm_up(one, seconds);
  if (all !== undefined) await warm_up(all, seconds);
  if (one === undefined || all === undefined) return one ?? all;
  const times: [number[], number[]] = [[], []];
  for (let i = 0; i < 5; i++) {
    times[0].push(await sample(one));
    times[1].push(await sample(all));
  }
  return median_of(times[0]) < median_of(times[1]) ? one : all;
}

/** Rounds in which every action has a sample, in turn: a noisy moment hits all alike. */
async function run_rounds(actions: readonly Action[], { rounds, seconds }: Job): Promise<void> {
  const start = performance.now();
  for (let round = 0; round < most_rounds; round++) {
    const spent = (performance.now() - start) / 1000;
    if (round >= rounds && spent >= seconds) return;
    // However slow the machine is, a trial ends.
    if (round >= 3 && spent >= 20 * Math.max(seconds, 0.5)) return;
    for (const timed of actions) timed.samples.push(await sample(timed));
  }
}

/** The call of init.*_ that a trial is about. */
function filler({ fill }: Trial, pool: Pool | undefined, generator: Generator): (tensor: Tensor) => unknown {
  const { initializer } = subjects[fill];
  const { init: name, ...parameters } = typeof initializer === 'string' ? { init: initializer } : initializer;
  const call = (pool?.init ?? init)[`${name}_`] as (tensor: Tensor, keywords: object) => unknown;
  const keywords = { ...parameters, ...(definition_of(name).random && { generator }) };
  return (tensor) => call(tensor, keywords);
}

/** Runs one trial in this process, beside memset and memcpy of the same bytes. */
export async function measure(job: Job): Promise<Measured> {
  const { trial, target } = job;
  if (target !== undefined) force_simd_target(target);
  set_num_threads(trial.threads);
  const pool = trial.executor === 'pool' ? createPool({ threads: trial.threads }) : undefined;
  const generator = new Generator({ seed });
  const run = filler(trial, pool, generator);
  const reset = () => {
    generator.manual_seed(seed);
  };
  try {
    return await (trial.memory === 'warm' ? measure_warm : measure_fresh)(job, run, reset);
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

async function limits_of({ data }: Tensor, { trial: { threads }, seconds }: Job): Promise<Limits> {
  const bytes = data.byteLength;
  const fits = (more: number) => more <= memory_share * free_memory();
  // JavaScript's fill of shared memory is no memset: the pool's tensors have one on memory beside them.
  const own = data.buffer instanceof ArrayBuffer ? buffers_of(data.buffer) : undefined;
  const parts = parts_of(bytes, threads);
  const with_memory = own === undefined || (parts.length > 1 && fits(bytes));
  const with_source = with_memory && fits(2 * bytes);
  const crew = await Crew.start(with_memory ? parts : [], { with_memory, with_source });
  const source = own !== undefined && fits(bytes) ? buffers_of(touched(bytes)) : undefined;
  const alone = {
    set: own && action(() => memset(own)),
    copy: own && source && action(() => memcpy(own, source)),
  };
  const all = {
    set: with_memory ? together(crew, 'memset') : undefined,
    copy: with_source ? together(crew, 'memcpy') : undefined,
  };
  const set = await faster(alone.set, all.set, warm_up_share * seconds);
  const copy = await faster(alone.copy, all.copy, warm_up_share * seconds);
  if (set === undefined) throw new Error('bench: there is not enough memory for memset beside the tensor');
  return { set, copy, crew };
}

async function measure_warm(job: Job, run: Fill, reset: () => void): Promise<Measured> {
  const { trial } = job;
  const tensor: Tensor = empty(shape_of(trial), { dtype: trial.dtype, shared: trial.executor === 'pool' });
  // The first touch is by as many threads as will fill: on machines with several memory nodes it decides where pages are.
  await run(tensor);
  const { set, copy, crew } = await limits_of(tensor, job);
  const fill = action(() => run(tensor), reset);
  await warm_up(fill, warm_up_share * job.seconds);
  await run_rounds(copy === undefined ? [set, fill] : [copy, set, fill], job);
  await crew.close();
  // Once more over other bytes, on the stream that is recorded: that is what is checked.
  // In pieces: Node 20 has no typed array of more than 2^32 bytes.
  for (const piece of buffers_of(tensor.data.buffer)) piece.fill(junk);
  reset();
  await run(tensor);
  return per_element(trial, checksum_of(tensor.data), fill, set, copy);
}

async function measure_fresh(job: Job, run: Fill, reset: () => void): Promise<Measured> {
  const { trial } = job;
  const crew = await Crew.start(parts_of(bytes_of(trial), trial.threads), { with_memory: false, with_source: false });
  let last: Tensor | undefined;
  // Of all threads: a worker that returned its memory later would do so while the fill is timed.
  const release = () => {
    last = undefined;
    crew.run('collect');
  };
  const set = together(crew, 'fresh', release);
  const fill = action(
    () => {
      last = empty(shape_of(trial), { dtype: trial.dtype, shared: trial.executor === 'pool' });
      return run(last);
    },
    () => {
      reset();
      release();
    },
  );
  for (const timed of [set, fill]) await sample(timed);
  await run_rounds([set, fill], job);
  await crew.close();
  if (last === undefined) throw new Error('bench: no round was run');
  return per_element(trial, checksum_of(last.data), fill, set, undefined);
}

function per_element(trial: Trial, checksum: string, fill: Action, set: Action, copy: Action | undefined): Measured {
  const each = ({ samples }: Action) => samples.map((ns) => ns / 2 ** trial.log2);
  return { fill: each(fill), memset: each(set), memcpy: copy === undefined ? null : each(copy), checksum };
}
