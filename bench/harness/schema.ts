import { z } from 'zod';
import { dtypeNames, executors, memories, subjectNames } from './catalog.js';

/** The version of the format of result files. */
export const formatVersion = 1;

const nanoseconds = z.number().positive();

const stats = z
  .strictObject({
    n: z.int().min(1).describe('rounds measured'),
    min: nanoseconds,
    q1: nanoseconds,
    median: nanoseconds,
    q3: nanoseconds,
    max: nanoseconds,
  })
  .describe('nanoseconds an element');

/** One thing to measure. */
export const trialSchema = z.strictObject({
  fill: z.enum(subjectNames),
  dtype: z.enum(dtypeNames),
  log2: z.int().min(0).max(32).describe('elements, as a power of two'),
  threads: z.int().min(1).max(1024),
  memory: z.enum(memories).describe('warm: the same memory each round; fresh: new memory, its allocation included'),
  executor: z.enum(executors).describe('sync: native threads; pool: Piscina workers'),
});

const result = z.strictObject({
  id: z.string().describe('the same trial has the same id in every run'),
  trial: trialSchema,
  shape: z.array(z.int().min(0)),
  bytes: z.int().min(1).describe('of the tensor'),
  ns: stats,
  ghz: z
    .number()
    .positive()
    .optional()
    .describe(
      'of the core, seen between the rounds: the median time of a chain of instructions that takes a known number of cycles',
    ),
  memset: stats
    .nullable()
    .describe("the C library's memset of the same bytes on as many threads, in turn with the fill"),
  memcpy: stats.nullable().describe('the same for memcpy; null where memory does not suffice, and on fresh memory'),
  checksum: z
    .string()
    .regex(/^[\da-f]{16}$/)
    .describe('of the bytes; equal to the recorded one'),
});

const peerResult = z.strictObject({
  peer: z.string(),
  fill: z.enum(subjectNames),
  dtype: z.enum(dtypeNames),
  log2: z.int().min(0).max(32),
  threads: z.int().min(1).describe('cores the peer may use'),
  ns: stats,
});

const machine = z.strictObject({
  cpu: z.string(),
  cores: z.int().min(1).describe('hardware threads that this process may use'),
  real_cores: z.int().min(1).nullable().optional().describe('that these are on; null where the system does not tell'),
  numa_nodes: z.int().min(1),
  caches: z.array(z.strictObject({ level: z.string(), bytes: z.int().min(1), shared_by: z.int().min(1) })),
  virtual: z.boolean().nullable().describe('whether it is a virtual machine'),
  memory_bytes: z.int().min(1),
  huge_pages: z.string().describe("Linux's setting of transparent huge pages, or 'unknown'"),
  governor: z.string().describe("of the first core's frequency, or 'unknown'"),
  granted: z
    .number()
    .positive()
    .nullable()
    .optional()
    .describe("cores that the container's quota grants; null for all"),
  load: z.number().min(0).describe('average of the minute before the run'),
  os: z.string(),
  node: z.string(),
  compiler: z.string().describe('of the addon, as it says itself'),
  simd_target: z.string(),
});

const noise = z.strictObject({
  within: z
    .number()
    .min(0)
    .describe("memset's spread within a trial (quartile distance / median): the median of all trials"),
  between: z
    .number()
    .min(0)
    .nullable()
    .describe(
      "memset's medians of the same bytes and threads across trials: their relative spread, the median of all such groups; null without three trials alike",
    ),
});

/** A result file. */
export const runSchema = z.strictObject({
  $schema: z.string().optional(),
  format: z.literal('nninit-bench'),
  version: z.literal(formatVersion),
  suite: z.string(),
  nninit: z.string().describe('its version'),
  date: z.string().describe('ISO 8601'),
  command: z.string(),
  affinity: z.string(),
  passes: z
    .int()
    .min(1)
    .optional()
    .describe('times that all trials were run, in an order of chance each; a result has the rounds of all'),
  environment: z
    .record(z.string(), z.string())
    .optional()
    .describe('variables that steer peers, and reached them: OMP_…, OPENBLAS_…, MKL_…, XLA_…, TF_…'),
  machine,
  noise,
  results: z.array(result),
  peers: z.array(z.strictObject({ name: z.string(), label: z.string(), version: z.string() })),
  peer_results: z.array(peerResult),
  skipped: z.array(z.strictObject({ what: z.string(), why: z.string() })),
  failed: z
    .array(z.strictObject({ what: z.string(), why: z.string() }))
    .optional()
    .describe('trials that ended early or wrote wrong bytes: they have no result'),
});

export type BenchRun = z.infer<typeof runSchema>;
export type TrialResult = z.infer<typeof result>;
export type PeerResult = z.infer<typeof peerResult>;
export type Machine = z.infer<typeof machine>;
export type Noise = z.infer<typeof noise>;

/** What a trial's process is asked for. */
export const trialRequestSchema = z.strictObject({
  trial: trialSchema,
  /** At least so long, and so many rounds. */
  seconds: z.number().min(0),
  rounds: z.int().min(1),
  target: z.string().optional(),
});

export type TrialRequest = z.infer<typeof trialRequestSchema>;

const samples = z.array(nanoseconds).min(1);

/** What a trial's process answers. */
export const measuredSchema = z.strictObject({
  fill: samples,
  memset: samples.nullable(),
  memcpy: samples.nullable(),
  /** Billions of cycles a second. */
  ghz: samples,
  checksum: z.string(),
});

export type Measured = z.infer<typeof measuredSchema>;

/** What a peer's process is asked for: its best on so many cores, on memory that is warm as far as it can be. */
export const peerJobSchema = z.strictObject({
  peer: z.string(),
  fill: z.enum(subjectNames),
  dtype: z.enum(dtypeNames),
  log2: z.int().min(0).max(32),
  shape: z.array(z.int().min(1)),
  threads: z.int().min(1),
  cores: z.array(z.int().min(0)).describe('those it is held to; none for all'),
  seconds: z.number().min(0),
  rounds: z.int().min(1),
});

export type PeerJob = z.infer<typeof peerJobSchema>;

/** What a peer's process answers. */
export const peerMeasuredSchema = z.union([
  z.strictObject({ version: z.string() }),
  z.strictObject({ samples }),
  z.strictObject({ unsupported: z.string() }),
]);

export type PeerMeasured = z.infer<typeof peerMeasuredSchema>;

/** The JSON Schema of result files. */
export function jsonSchema(): unknown {
  return { title: 'A result of `nninit bench`', ...z.toJSONSchema(runSchema) };
}
