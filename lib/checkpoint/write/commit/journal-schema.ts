import { z } from 'zod';
import type { Journal } from './journal.js';

const processSchema = z.strictObject({
  pid: z.int().positive(),
  host: z.string(),
  started: z.string().exactOptional(),
  space: z.string().exactOptional(),
});

export const journalSchema: z.ZodType<Journal> = z.object({
  run: z.string().regex(/^[0-9a-f]{8}$/),
  digest: z.string(),
  replaces: z.boolean(),
  committing: z.boolean(),
  stale: z.array(z.string()).default([]),
  files: z.array(z.string()).default([]),
  parts: z.boolean().default(false),
  process: processSchema.nullable(),
  progress: z.record(z.string(), z.strictObject({ file: z.string(), bytes: z.int().nonnegative() })),
});
