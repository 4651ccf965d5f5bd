import { z } from 'zod';

/** A process, so that a later one can tell whether it still runs. */
const processSchema = z.strictObject({
  pid: z.int().positive(),
  host: z.string(),
  /** On Linux, the boot of the system and the tick in it at which the process started: numbers of processes are used again. */
  started: z.string().optional(),
});

export type ProcessId = z.infer<typeof processSchema>;

export const journalSchema = z.object({
  /** The digest of the files that are being written. */
  digest: z.string(),
  /** Whether what was there before may be replaced. */
  replaces: z.boolean(),
  /** Whether all files were complete, and were being given their names. */
  committing: z.boolean(),
  /** Files of another checkpoint that are to be removed: once its manifest is gone nothing else tells them. */
  stale: z.array(z.string()).default([]),
  /** Who writes; null once they have given up in good order. */
  process: processSchema.nullable(),
  /** For files that are not complete: so many bytes of their tensors, without a gap, are on the disk. */
  progress: z.record(z.string(), z.int().nonnegative()),
});

/** What a run writes down so that a later one can go on. */
export type Journal = z.infer<typeof journalSchema>;
