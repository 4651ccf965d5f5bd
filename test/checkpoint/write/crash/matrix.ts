/** Runs that are ended at a chosen system call, and what must be so afterwards. */
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openCheckpoint } from '../../../../lib/checkpoint/read/open-checkpoint.js';
import { indexNameOf } from '../../../../lib/checkpoint/virtual/shards.js';
import { fileSetOf } from '../../../../lib/checkpoint/virtual/tensor-files.js';
import { isLeftover, journalName, readJournal } from '../../../../lib/checkpoint/write/commit/journal.js';
import { finishCheckpoint } from '../../../../lib/checkpoint/write/parts/finish.js';
import { writePart } from '../../../../lib/checkpoint/write/parts/write-part.js';
import { countsOf, type WriteOptions, writeTensors } from '../../../../lib/checkpoint/write/write.js';
import { errorCode } from '../../../../lib/core/errors.js';
import { philoxKeys } from '../../../../lib/plan/keys.js';
import { type PlannedTensor, resolvePlan } from '../../../../lib/plan/plan.js';
import { contentOf } from '../../temporary.js';

const indexName = indexNameOf('model');

const tensors: readonly PlannedTensor[] = [
  { name: 'a', shape: [40, 32], dtype: 'bfloat16', initializer: 'normal' },
  { name: 'b', shape: [24, 24], dtype: 'float32', initializer: 'orthogonal' },
  { name: 'c', shape: [32, 33], dtype: 'float32', initializer: 'uniform' },
  { name: 'd', shape: [20, 32], dtype: 'float32', initializer: 'normal' },
];

/** How a checkpoint is written. */
export interface Spec {
  readonly seed: number;
  readonly format?: 'safetensors' | 'npy' | 'raw';
  readonly maxShardSize?: number;
  readonly config?: string;
  /** So many parts, one after the other, which are then finished. */
  readonly parts?: number;
}

export type Mode = 'new' | 'force' | 'resume';

/** A run, and what is in the folder before it. */
export interface Scenario {
  readonly name: string;
  readonly mode: Mode;
  readonly old?: Spec;
  readonly made: Spec;
  /** Another run was killed before: at this part of its calls. */
  readonly killedAt?: number;
}

export const single = (seed: number): Spec => ({ seed, config: `{"seed": ${seed}}` });
export const shards = (seed: number): Spec => ({ ...single(seed), maxShardSize: 5000 });
export const npy = (seed: number): Spec => ({ seed, format: 'npy', config: `{"seed": ${seed}}` });
export const raw = (seed: number): Spec => ({ ...npy(seed), format: 'raw' });

/** A file of someone else's in the folder. */
export const notes = 'notes.txt';

/** Small pieces, and the journal written often: as many different moments as can be. */
const pieces = { chunkBytes: 1024, journalBytes: 2048 };

const optionsOf = ({ seed, ...spec }: Spec, mode: Mode) => ({
  ...spec,
  ...pieces,
  force: mode === 'force',
  resume: mode === 'resume',
  tensors,
  seed,
});

/** How long a part that ended is waited for. */
const graceMs = 20;

/** Writes in this process, and not in parts. */
export function writeHere(
  folder: string,
  { seed, parts: _, ...spec }: Spec,
  mode: Mode,
  more: Partial<WriteOptions> = {},
) {
  const keys = philoxKeys(BigInt(seed));
  const how = { force: mode === 'force', resume: mode === 'resume' };
  return writeTensors(folder, resolvePlan({ tensors }), { keys, graceMs, ...spec, ...pieces, ...how, ...more });
}

/** Writes all parts in this process, and finishes them. */
async function writePartsHere(folder: string, { seed, parts: count = 0, ...spec }: Spec): Promise<void> {
  const keys = philoxKeys(BigInt(seed));
  const resolved = resolvePlan({ tensors });
  const laid = { set: fileSetOf(resolved, { keys, ...spec }), keys, ...countsOf(resolved) };
  for (let index = 0; index < count; index++)
    await writePart(folder, laid, { ...pieces, graceMs, part: { index, count } });
  await finishCheckpoint(folder).catch((cause) => {
    if (errorCode(cause) !== 'ERR_NNINIT_NO_PARTS') throw cause; // it was finished already
  });
}

export interface Fault {
  /** The number of the call, from 1. */
  readonly at: number;
  /** kill, torn, power or short, or the number of an error. */
  readonly how: string;
  /** Of these calls only. */
  readonly kind?: string;
  /** Whether all calls after it fail too. */
  readonly on?: boolean;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

interface StartOptions {
  /** Options of writeTensors. */
  readonly more?: object;
  /** A file for the calls. */
  readonly log?: string;
  /** Microseconds that each call waits, at most. */
  readonly slow?: number;
  /** A program that starts it. */
  readonly under?: readonly string[];
  /** A folder for what a process would leave that ends at each of its calls: kill-N, torn-N, power-N. */
  readonly states?: string;
}

const driver = fileURLToPath(new URL('./driver.js', import.meta.url));
const source = fileURLToPath(new URL('./faults.c', import.meta.url));

/** Whether there is what the matrix needs. */
export const isPossible = process.platform === 'linux' && spawnSync('gcc', ['--version']).status === 0;

/** In memory where that can be: what a power failure takes is the library's to say, and no disk need be waited for. */
const place = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** Where everything happens: one file system, so that links work. */
export class Laboratory {
  readonly root: string;
  readonly #library: string;
  #count = 0;

  constructor() {
    this.root = mkdtempSync(join(place, 'nninit-crash-'));
    this.#library = join(this.root, 'faults.so');
    const { LD_PRELOAD: _, ...env } = process.env; // the sanitizers' is for the addon
    const args = ['-shared', '-fPIC', '-O1', '-Wall', '-Werror', '-o', this.#library, source, '-ldl'];
    const { status, stderr } = spawnSync('gcc', args, { encoding: 'utf8', env });
    if (status !== 0) throw new Error(stderr);
  }

  /** A name that nothing has yet. */
  fresh(): string {
    return join(this.root, `f${this.#count++}`);
  }

  copy(folder: string): string {
    const to = this.fresh();
    if (existsSync(folder)) cpSync(folder, to, { recursive: true });
    return to;
  }

  /** Starts a run of its own in a folder. */
  start(
    folder: string,
    spec: Spec,
    mode: Mode,
    fault?: Fault,
    { more, log, slow, under = [], states }: StartOptions = {},
  ) {
    const kept = states ?? this.fresh();
    mkdirSync(kept);
    const args = JSON.stringify({ folder, ...optionsOf(spec, mode), ...more });
    const [program = '', ...words] = [...under, process.execPath, driver, args];
    const child = spawn(program, words, {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        ...process.env,
        LD_PRELOAD: [process.env.LD_PRELOAD, this.#library].filter(Boolean).join(':'),
        FAULTS_FOLDER: folder,
        FAULTS_KEPT: kept,
        ...(log !== undefined && { FAULTS_LOG: log }),
        ...(slow !== undefined && { FAULTS_SLOW: String(slow) }),
        ...(states !== undefined && { FAULTS_HOW: 'states' }),
        ...(fault && { FAULTS_AT: String(fault.at), FAULTS_HOW: fault.how }),
        ...(fault?.kind && { FAULTS_KIND: fault.kind }),
        ...(fault?.on && { FAULTS_ON: '1' }),
      },
    });
    let stderr = '';
    child.stderr.on('data', (piece: Buffer) => {
      stderr += piece;
    });
    const ended = new Promise<Ended>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => {
        if (states === undefined) rmSync(kept, { recursive: true, force: true });
        resolve({ code, signal, stderr });
      });
    });
    return { child, ended };
  }

  run(...args: Parameters<Laboratory['start']>): Promise<Ended> {
    return this.start(...args).ended;
  }

  /** The calls of a run, without a fault: their kinds. */
  async callsOf(folder: string, spec: Spec, mode: Mode, fault?: Fault, states?: string): Promise<string[]> {
    const log = this.fresh();
    const { code, signal, stderr } = await this.run(folder, spec, mode, fault, { log, ...(states && { states }) });
    if (fault === undefined && code !== 0)
      throw new Error(`a run without a fault ended with ${code ?? signal}: ${stderr}`);
    const lines = readFileSync(log, 'utf8').trim().split('\n');
    rmSync(log);
    return lines.map((line) => line.split(' ')[1] ?? '');
  }

  remove(...folders: readonly string[]): void {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  }
}

/** What a scenario begins with, and what it may end with. */
export interface Prepared {
  readonly scenario: Scenario;
  readonly before: string;
  readonly beforeContent: Content;
  readonly old: Content;
  readonly made: Content;
  /** Kinds of the calls of an undisturbed run. */
  readonly calls: readonly string[];
}

export type Content = Readonly<Record<string, string>>;

export const look = (folder: string): Content => (existsSync(folder) ? contentOf(folder) : {});
export const visible = (content: Content): Content =>
  Object.fromEntries(Object.entries(content).filter(([name]) => !name.startsWith('.') && name !== notes));
export const same = (one: Content, other: Content) =>
  JSON.stringify(Object.entries(one).sort()) === JSON.stringify(Object.entries(other).sort());

export async function prepare(lab: Laboratory, scenario: Scenario): Promise<Prepared> {
  const { old, made, mode, killedAt } = scenario;
  const clean = lab.fresh();
  await writeHere(clean, made, 'new');
  const madeContent = look(clean);
  const before = lab.fresh();
  if (old !== undefined) {
    await writeHere(before, old, 'new');
    writeFileSync(join(before, notes), 'mine');
  }
  const oldContent = visible(look(before));
  if (killedAt !== undefined) {
    const first = old === undefined ? 'new' : 'force';
    const trial = lab.copy(before);
    const { length } = await lab.callsOf(trial, made, first);
    lab.remove(trial);
    const { signal } = await lab.run(before, made, first, { at: Math.ceil(length * killedAt), how: 'kill' });
    if (signal !== 'SIGKILL') throw new Error('the first run was not killed');
  }
  const trial = lab.copy(before);
  const calls = await lab.callsOf(trial, made, mode);
  lab.remove(trial, clean);
  return { scenario, before, beforeContent: look(before), old: oldContent, made: madeContent, calls };
}

/** What was found wrong after a run was ended: nothing, where all is well. */
export async function faultsAfter(lab: Laboratory, prepared: Prepared, folder: string): Promise<string[]> {
  const { old, made, scenario } = prepared;
  const wrong: string[] = [];
  const content = look(folder);
  const seen = visible(content);
  const hidden = Object.keys(content).filter((name) => name.startsWith('.'));
  const whole = same(seen, made) ? 'made' : Object.keys(old).length > 0 && same(seen, old) ? 'old' : undefined;

  // What can be seen.
  for (const [name, digest] of Object.entries(seen)) {
    if (digest !== made[name] && digest !== old[name]) wrong.push(`${name} is of neither checkpoint`);
  }
  if (scenario.old !== undefined && content[notes] === undefined) wrong.push(`${notes} is gone`);
  const tells = [indexName, 'manifest.json', 'model.safetensors'].filter((name) => name in seen);
  if (whole === undefined && tells.length > 0) wrong.push(`${tells} beside ${Object.keys(seen)}: neither checkpoint`);
  if (whole === undefined && (await opens(folder))) wrong.push('it opens, and is neither checkpoint');
  if (whole === undefined && Object.keys(seen).length > 0 && !hidden.includes(journalName)) {
    wrong.push(`${Object.keys(seen)} without a journal`);
  }
  if (hidden.some((name) => name !== journalName && !isLeftover(name))) wrong.push(`unknown: ${hidden}`);

  // A plain run.
  const plain = lab.copy(folder);
  const refused = await writeHere(plain, scenario.made, 'new').then(
    () => undefined,
    (cause: Error) => cause,
  );
  if (hidden.length === 0 && Object.keys(seen).length === 0) {
    if (!same(visible(look(plain)), made)) wrong.push(`a plain run: ${refused?.message ?? 'other bytes'}`);
  } else if (errorCode(refused) !== 'EEXIST' || refused?.message.includes('\n')) {
    wrong.push(`a plain run is not refused: ${refused?.message}`);
  } else if (!same(look(plain), content)) wrong.push('a plain run changed something');

  // Going on, and beginning anew.
  const journal = await readJournal(folder);
  if (journal === 'broken') wrong.push('the journal is broken');
  const least = await leastResumed(folder, content, scenario.made, made);
  const resumed = lab.copy(folder);
  try {
    const { resumedBytes } = await writeHere(resumed, scenario.made, 'resume');
    if (resumedBytes < least) wrong.push(`--resume kept ${resumedBytes} bytes of ${least}`);
    if (!endsWith(look(resumed), made)) wrong.push(`--resume ends with ${Object.keys(look(resumed))}`);
  } catch (cause) {
    // An old checkpoint that is untouched is refused as ever.
    if (journal !== undefined || whole !== 'old') wrong.push(`--resume: ${cause}`);
  }
  const parts = lab.copy(folder);
  if (scenario.made.parts !== undefined && (journal !== undefined || whole !== 'old')) {
    await writePartsHere(parts, scenario.made).catch((cause) => wrong.push(`the parts again: ${cause}`));
    if (!endsWith(look(parts), made)) wrong.push(`the parts again end with ${Object.keys(look(parts))}`);
  }
  const forced = lab.copy(folder);
  await writeHere(forced, scenario.made, 'force').catch((cause) => wrong.push(`--force: ${cause}`));
  if (!endsWith(look(forced), made)) wrong.push(`--force ends with ${Object.keys(look(forced))}`);
  lab.remove(plain, resumed, parts, forced);
  return wrong;
}

export const endsWith = ({ [notes]: _, ...content }: Content, made: Content) => same(content, made);

async function opens(folder: string): Promise<boolean> {
  return openCheckpoint(folder).then(
    async (checkpoint) => {
      await checkpoint.close();
      return true;
    },
    () => false,
  );
}

/** Bytes that are there for a run that goes on. */
async function leastResumed(folder: string, content: Content, spec: Spec, made: Content): Promise<number> {
  const journal = await readJournal(folder);
  const { seed, parts: _, ...rest } = spec;
  const set = fileSetOf(resolvePlan({ tensors }), { keys: philoxKeys(BigInt(seed)), ...rest });
  if (journal === 'broken' || (journal === undefined && !set.selfDescribing)) return 0;
  let bytes = 0;
  for (const { name, dataBytes } of set.files) {
    const held = Object.keys(content).some((each) => each.endsWith(`-${name}.done`) && content[each] === made[name]);
    const begun = journal?.progress[name];
    const isThere = begun !== undefined && content[begun.file] !== undefined;
    if (held || content[name] === made[name]) bytes += dataBytes;
    else if (isThere && statSync(join(folder, begun.file)).size >= begun.bytes) bytes += begun.bytes;
  }
  return bytes;
}

/** What happened at one point. */
export interface Outcome {
  readonly scenario: string;
  readonly fault: Fault;
  /** Whether the run got there. */
  readonly reached: boolean;
  readonly wrong: readonly string[];
}

/** Every way in which a process ends at a call, from one run that ends well: what each would leave is looked at. */
export async function tryEndings(lab: Laboratory, prepared: Prepared): Promise<Outcome[]> {
  const { scenario, before, made } = prepared;
  const [folder, states] = [lab.copy(before), lab.fresh()];
  const calls = await lab.callsOf(folder, scenario.made, scenario.mode, undefined, states);
  if (!endsWith(look(folder), made)) throw new Error(`a run without a fault left ${Object.keys(look(folder))}`);
  const outcomes: Outcome[] = [];
  for (const fault of endingsOf(calls)) {
    const wrong = await faultsAfter(lab, prepared, join(states, `${fault.how}-${fault.at}`));
    outcomes.push({ scenario: scenario.name, fault, reached: true, wrong });
  }
  lab.remove(folder, states);
  return outcomes;
}

/** The ways in which a process ends at a call. */
export const endings = ['kill', 'torn', 'power'] as const;

/** A process that ends at a call. */
export function endingsOf(calls: readonly string[]): Fault[] {
  return endings.flatMap((how) =>
    calls.flatMap((kind, i) => (how === 'torn' && kind !== 'write' ? [] : [{ at: i + 1, how }])),
  );
}

/** Runs a scenario with one fault. */
export async function tryFault(lab: Laboratory, prepared: Prepared, fault: Fault): Promise<Outcome> {
  const { scenario, before, beforeContent, made } = prepared;
  const folder = lab.copy(before);
  const ended = await lab.run(folder, scenario.made, scenario.mode, fault);
  const wrong: string[] = [];
  const dies = ['kill', 'torn', 'power'].includes(fault.how);
  const { code, signal, stderr } = ended;
  if (code === 0) {
    if (stderr !== '') wrong.push(`says: ${stderr}`);
    if (!endsWith(look(folder), made)) wrong.push(`exit code 0 with ${Object.keys(look(folder))}`);
  } else if (!dies) {
    if (code !== 1) wrong.push(`ended with ${code ?? signal}`);
    if (!/^nninit: [^\n]+\n$/.test(stderr)) wrong.push(`not one line: ${stderr}`);
    if (!stderr.includes(folder)) wrong.push(`no path: ${stderr}`);
    if (fault.how === 'short') wrong.push('a short write is no error');
    const claims = stderr.includes('--resume goes on');
    const isWhole = same(look(folder), beforeContent) || endsWith(look(folder), made);
    if (!claims && !isWhole && scenario.killedAt === undefined)
      wrong.push(`left ${Object.keys(look(folder))}, and says: ${stderr}`);
    wrong.push(...(await faultsAfter(lab, prepared, folder)));
  } else {
    if (signal !== 'SIGKILL') wrong.push(`ended with ${code ?? signal}: ${stderr}`);
    wrong.push(...(await faultsAfter(lab, prepared, folder)));
  }
  lab.remove(folder);
  return { scenario: scenario.name, fault, reached: code !== 0, wrong };
}
