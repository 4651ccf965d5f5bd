import { z } from 'zod';
import type { Begin, Change } from './journal.js';

const processSchema = z.strictObject({
  pid: z.int().positive(),
  host: z.string(),
  started: z.string().exactOptional(),
  space: z.string().exactOptional(),
});

const progressSchema = z.record(z.string(), z.strictObject({ file: z.string(), bytes: z.int().nonnegative() }));
const runSchema = z.string().regex(/^[0-9a-f]{8}$/);

const beginSchema: z.ZodType<Begin> = z.object({
  run: runSchema,
  over: runSchema.optional(),
  digest: z.string(),
  replaces: z.boolean(),
  committing: z.boolean(),
  stale: z.array(z.string()).default([]),
  files: z.array(z.string()).default([]),
  parts: z.boolean().default(false),
  process: processSchema.nullable(),
  progress: progressSchema,
});

const changeSchema: z.ZodType<Change> = z.strictObject({
  run: runSchema,
  committing: z.boolean().exactOptional(),
  process: processSchema.nullable().exactOptional(),
  progress: progressSchema.exactOptional(),
});

const entrySchema = z.union([beginSchema, changeSchema]);

/** A line of a journal; undefined if it is none. */
export function parseEntry(line: string): Begin | Change | undefined {
  try {
    return entrySchema.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}
