/** Runs of their own in a folder, with a library before the C library that ends or fails them at a system call. */
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fileSetOf } from '../../../../lib/checkpoint/virtual/tensor-files.js';
import { finishCheckpoint } from '../../../../lib/checkpoint/write/parts/finish.js';
import { writePart } from '../../../../lib/checkpoint/write/parts/write-part.js';
import { countsOf, type WriteOptions, writeTensors } from '../../../../lib/checkpoint/write/write.js';
import { errorCode } from '../../../../lib/core/errors.js';
import { philoxKeys } from '../../../../lib/plan/keys.js';
import { type PlannedTensor, resolvePlan } from '../../../../lib/plan/plan.js';

/** What is written: an orthogonal one among them, which is made whole. */
export const tensors: readonly PlannedTensor[] = [
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

export const single = (seed: number): Spec => ({ seed, config: `{"seed": ${seed}}` });
export const shards = (seed: number): Spec => ({ ...single(seed), maxShardSize: 5000 });
export const npy = (seed: number): Spec => ({ seed, format: 'npy', config: `{"seed": ${seed}}` });
export const raw = (seed: number): Spec => ({ ...npy(seed), format: 'raw' });

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
export async function writePartsHere(folder: string, { seed, parts: count = 0, ...spec }: Spec): Promise<void> {
  const keys = philoxKeys(BigInt(seed));
  const resolved = resolvePlan({ tensors });
  const laid = { set: fileSetOf(resolved, { keys, ...spec }), keys, ...countsOf(resolved) };
  for (let index = 0; index < count; index++)
    await writePart(folder, laid, { ...pieces, graceMs, part: { index, count } });
  await finishCheckpoint(folder).catch((cause) => {
    if (errorCode(cause) !== 'ERR_NNINIT_NO_PARTS') throw cause; // it was finished already
  });
}

/** What happens at a call. */
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

/** How a run ended. */
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
