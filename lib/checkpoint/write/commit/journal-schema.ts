import { z } from 'zod';
import { isPlainObject } from '../../../core/check.js';
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
  kept: z.array(z.string()).optional(),
  base: z.string().optional(),
  remnants: z.array(z.string()).optional(),
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

/** A line of a journal; undefined if it is none. */
export function parseEntry(line: string): Begin | Change | undefined {
  try {
    const said: unknown = JSON.parse(line);
    const isBegin = isPlainObject(said) && 'digest' in said;
    return (isBegin ? beginSchema : changeSchema).safeParse(said).data;
  } catch {
    return undefined;
  }
}
