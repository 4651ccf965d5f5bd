import { createHash } from 'node:crypto';
import { deflateSync, inflateSync } from 'node:zlib';
import { z } from 'zod';
import { layOut } from '../checkpoint/virtual/virtual-checkpoint.js';
import { mostParts } from '../checkpoint/write/parts/shares.js';
import { countsOf, type Laid } from '../checkpoint/write/write.js';
import { InputError } from '../core/errors.js';
import { version } from '../core/version.js';
import { streamVersions } from '../plan/keys.js';
import type { Plan } from '../plan/plan.js';

/** What is ordered: the plan and all that decides bytes, and where they go. Plain data. */
export interface Ordered {
  readonly plan: Plan;
  readonly layout: Readonly<Record<string, unknown>>;
  /** As text, which JSON keeps: one, or those of an ensemble. */
  readonly seeds: readonly string[];
  readonly isEnsemble: boolean;
  readonly replaces: boolean;
}

const hex = z.string().regex(/^[0-9a-f]{64}$/);

/** What each job says. A worker does it only if it makes the same bytes of the plan. */
const jobSchema = z.object({
  /** Of the files, as nninit's heads and journals have it: of the plan, the seeds, the layout and the versions. */
  digest: hex,
  streamVersion: z.int(),
  /** Of nninit. */
  version: z.string(),
  output: z.string().min(1),
});

export const partJob = jobSchema.extend({ index: z.int().nonnegative(), count: z.int().min(1).max(mostParts) });
/** The order, which is the job that finishes: parts refer to it, so the plan is in Redis once. */
export const finishJob = jobSchema.extend({ count: z.int().min(1).max(mostParts), order: z.string() });

export type JobFacts = z.infer<typeof jobSchema>;
export type PartJob = z.infer<typeof partJob>;
export type FinishJob = z.infer<typeof finishJob>;

/** No plan takes more, unpacked. */
const mostBytes = 2 ** 30;

const orderedSchema = z.strictObject({
  plan: z.record(z.string(), z.unknown()),
  layout: z.record(z.string(), z.unknown()),
  seeds: z.array(z.string().regex(/^\d{1,20}$/)).min(1),
  isEnsemble: z.boolean(),
  replaces: z.boolean(),
});

export const pack = (ordered: Ordered): string => deflateSync(JSON.stringify(ordered)).toString('base64');

/** @throws InputError for what is no order */
export function unpack(text: string): Ordered {
  try {
    const json = inflateSync(Buffer.from(text, 'base64'), { maxOutputLength: mostBytes }).toString();
    return orderedSchema.parse(JSON.parse(json)) as unknown as Ordered;
  } catch (cause) {
    throw new InputError('a job holds no order of nninit', { cause });
  }
}

/** An order laid out: of an ensemble, its first member. */
export interface LaidOrder {
  readonly ordered: Ordered;
  readonly laid: Laid;
  readonly facts: Omit<JobFacts, 'output'>;
  /** Of all files. */
  readonly bytes: number;
}

/** Lays an order out, which tells its digest. */
export function layOrder(fn: string, ordered: Ordered): LaidOrder {
  const { plan, layout, seeds, isEnsemble } = ordered;
  const { tensors, ...laid } = layOut(fn, plan, { ...layout, seed: BigInt(seeds[0] ?? 0) });
  const own = laid.set.digest;
  const digest = isEnsemble ? createHash('sha256').update(`${own} ${seeds.join()}`).digest('hex') : own;
  const each = laid.set.files.reduce((sum, { fileBytes }) => sum + fileBytes, 0);
  return {
    ordered,
    laid: { ...laid, ...countsOf(tensors) },
    facts: { digest, streamVersion: streamVersions[laid.keys.engine], version },
    bytes: each * seeds.length,
  };
}

/** The name of an order: the same for whoever orders the same, so that it is done once. */
export function orderId({ digest, output }: JobFacts, count: number, replaces: boolean): string {
  return createHash('sha256')
    .update(JSON.stringify([digest, output, count, replaces]))
    .digest('hex')
    .slice(0, 24);
}

/**
 * Why a job is none for this process, by its version alone: what another one has in its jobs need not be understood here. Heads of files have the version, so
 * the bytes would be others too. Undefined for the same version, and for what is no job of nninit.
 */
export function otherVersion(data: unknown): string | undefined {
  const { version: theirs } = (data ?? {}) as { readonly version?: unknown };
  if (typeof theirs !== 'string' || theirs === version) return undefined;
  return `it was ordered by nninit ${theirs}, and the worker is nninit ${version}`;
}

/** Why a job that was ordered elsewhere is not for this process; undefined if it is. */
export function refusal(job: Omit<JobFacts, 'output'>, own: Omit<JobFacts, 'output'>): string | undefined {
  const [theirs, ours] = [job, own].map((facts) => `nninit ${facts.version}, stream version ${facts.streamVersion}`);
  if (job.streamVersion !== own.streamVersion) return `it was ordered by ${theirs}, and the worker is ${ours}`;
  if (job.digest === own.digest) return undefined;
  return `its plan makes ${own.digest.slice(0, 12)} by the worker (${ours}), and ${job.digest.slice(0, 12)} was ordered (${theirs})`;
}
