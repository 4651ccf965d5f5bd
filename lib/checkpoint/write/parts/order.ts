import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { InputError } from '../../../core/errors.js';
import { formats } from '../../../formats/names.js';
import { philoxKeys } from '../../../plan/keys.js';
import { digestOf, type OutputFile } from '../../virtual/layout.js';
import { ifThere, PendingFile, step, textOf } from '../commit/files.js';
import {
  heldNames,
  isOf,
  isOrder,
  type Journal,
  joined,
  marksOf,
  newRun,
  orderName,
  pendingName,
  readJournal,
} from '../commit/journal.js';
import type { Laid } from '../write.js';
import { missingOfAll, shareOf } from './shares.js';

const document = z.strictObject({ name: z.string(), text: z.string() });

/** What finishing a checkpoint needs besides its files: then neither the plan nor what it was made from need be at hand. */
const orderSchema = z.strictObject({
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  run: z.string().regex(/^[0-9a-f]{8}$/),
  /** How many parts the first process was told of. */
  count: z.int().positive(),
  format: z.enum(formats),
  base: z.string(),
  metadata: z.record(z.string(), z.string()),
  files: z.array(
    z.strictObject({ name: z.string(), headBytes: z.int().nonnegative(), fileBytes: z.int().nonnegative() }),
  ),
  config: document.optional(),
  index: document.optional(),
  selfDescribing: z.boolean(),
  tensors: z.int().nonnegative(),
  parameters: z.int().nonnegative(),
});

export type Order = z.infer<typeof orderSchema>;

/** Writes an order under its name in one step. */
export async function writeOrder(folder: string, run: string, { set, tensors, parameters }: Laid, count: number) {
  const { digest, format, base, metadata, config, index, selfDescribing } = set;
  const files = set.files.map(({ name, head, fileBytes }) => ({ name, headBytes: head.length, fileBytes }));
  const counts = { tensors, parameters };
  const order: Order = { digest, run, count, format, base, metadata, files, config, index, selfDescribing, ...counts };
  const name = orderName(digest, run);
  const file = await PendingFile.create(join(folder, name), join(folder, pendingName(digest, newRun(), 'order')));
  try {
    await file.write(Buffer.from(JSON.stringify(order)), 0);
    await file.finish();
    await file.publish();
  } catch (cause) {
    await file.discard();
    throw cause;
  }
}

/**
 * The orders of the parts that a folder holds, that of the run which its journal tells first. More than one where somebody was killed who
 * began the same at the same time as others: under the name of such an order nobody writes, so it may be damaged where another one is not.
 */
export async function* readOrders(folder: string): AsyncGenerator<Order> {
  const names = ((await step('look at', folder, () => ifThere(readdir(folder)))) ?? []).filter(isOrder);
  const journal = await readJournal(folder);
  const told = journal === 'broken' ? undefined : journal;
  const ours = names.filter((name) => told === undefined || name.includes(`-${told.digest.slice(0, 12)}-`));
  const isTold = (name: string): boolean => told !== undefined && isOf(told.run, name);
  let isAny = false;
  let damage: unknown;
  for (const name of [...ours.filter(isTold), ...ours.filter((each) => !isTold(each))]) {
    const path = join(folder, name);
    const text = await step('read', path, () => ifThere(textOf(path)));
    if (text === undefined) continue;
    let order: Order;
    try {
      order = parsed(path, text);
    } catch (cause) {
      if (isTold(name)) throw cause;
      damage ??= cause;
      continue;
    }
    isAny = true;
    yield order;
  }
  if (!isAny && damage !== undefined) throw damage;
}

function parsed(path: string, text: string): Order {
  try {
    return orderSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new InputError(`${path} is no order of parts`, { path, cause });
  }
}

/**
 * The files of an order, their heads from what is written of them; undefined if one is not there yet. The digest is that of all
 * names, sizes, heads and texts: nothing else can be published by it.
 */
export async function laidByOrder(folder: string, order: Order): Promise<Laid | undefined> {
  const { digest, run, files, tensors, parameters, count: _, ...facts } = order;
  const there = new Set(await step('look at', folder, () => readdir(folder)));
  const held = heldNames([...there], digest);
  const found: OutputFile[] = [];
  for (const { name, headBytes, fileBytes } of files) {
    const from = [held.get(name) ?? '', pendingName(digest, run, name), name].find((each) => there.has(each));
    const head = headBytes === 0 ? new Uint8Array(0) : from && (await headOf(join(folder, from), headBytes));
    if (!head) return undefined;
    found.push({ name, head, tensors: [], dataBytes: fileBytes - headBytes, fileBytes });
  }
  const set = { ...facts, config: facts.config, index: facts.index, files: found, digest };
  return digestOf(set) === digest ? { set, keys: philoxKeys(0n), tensors, parameters } : undefined;
}

async function headOf(path: string, bytes: number): Promise<Uint8Array | undefined> {
  return step('read', path, async () => {
    if (!(await stat(path)).isFile()) return undefined; // a named pipe is opened for ever
    const handle = await open(path, 'r');
    try {
      const head = Buffer.alloc(bytes);
      const { bytesRead } = await handle.read(head, 0, bytes, 0);
      return bytesRead === bytes ? head : undefined;
    } finally {
      await handle.close();
    }
  });
}

/**
 * Which of the parts that the first process was told of are not on the disk, all of them.
 *
 * @param journal where none can be read, marks count for nothing: they may be of files that were there before
 */
export function missingParts(
  { digest, run, count, files }: Order,
  names: readonly string[],
  journal: Journal | 'broken' | undefined,
) {
  const told = journal === 'broken' ? undefined : journal;
  const there = new Set(names);
  const isThere = (file: number): boolean => there.has(pendingName(digest, run, files[file]?.name ?? ''));
  const marks = [...marksOf(told === undefined ? [] : names, digest, run)].filter(([file]) => isThere(file));
  const seen = {
    complete: new Set<string>(told?.replaces ? [] : names), // those may be of the checkpoint that is to be replaced
    held: heldNames(names, digest),
    partial: new Map(),
    parts: new Map(marks.map(([file, extents]) => [files[file]?.name ?? '', joined(extents)])),
  };
  const set = { files: files.map((file) => ({ ...file, head: new Uint8Array(0) })) };
  return Array.from({ length: count }, (_, index) => index).filter(
    (index) => missingOfAll(set, shareOf(set, { index, count }), seen).length > 0,
  );
}
