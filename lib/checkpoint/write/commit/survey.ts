import { lstat, open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { is_plain_object } from '../../../core/check.js';
import { InputError } from '../../../core/errors.js';
import { config_name, type Document, type FileSet, type OutputFile } from '../../../formats/output-file.js';
import { manifest_name } from '../../../formats/raw/names.js';
import { index_name, is_weights_name } from '../../../formats/safetensors/shards.js';
import { if_there, step } from './files.js';
import { held_name, is_leftover, type Journal, journal_name, pending_name, read_journal } from './journal.js';
import { is_running } from './process.js';

/** What to do about what is there: refuse it, replace it, or go on with it. */
export type Mode = 'new' | 'force' | 'resume';

/** What a folder holds of a checkpoint that is to be written there. */
export interface Survey {
  /** Files that need no writing: under their own names, and under the names that they have while others are incomplete. */
  readonly complete: ReadonlySet<string>;
  readonly held: ReadonlySet<string>;
  /** For unfinished files, how many bytes of their tensors are on the disk. */
  readonly partial: ReadonlyMap<string, number>;
  /** Whether the config and the index are there already, as they should be. */
  readonly config: boolean;
  readonly index: boolean;
  readonly journal: Journal | undefined;
  /** Whether there is a journal that cannot be read. */
  readonly broken_journal: boolean;
  /** Whether something that is there will be replaced: then nothing gets its name before all is complete. */
  readonly replaces: boolean;
  /** Of runs that were killed: to be removed before anything is written. */
  readonly leftovers: readonly string[];
  /** Of another checkpoint: to be removed when all is complete. */
  readonly stale: readonly string[];
}

/** What a folder holds, before it is said what that means. */
interface Found {
  readonly folder: string;
  readonly names: readonly string[];
  readonly journal: Journal | 'broken' | undefined;
  readonly leftovers: readonly string[];
  /** The names that the checkpoint's own files and its index have. */
  readonly ours: ReadonlySet<string>;
  /** Files of another checkpoint. */
  readonly theirs: readonly string[];
  /** Whether the config is there, as it should be; and whether another one is. */
  readonly config: boolean;
  readonly other_config: boolean;
}

/**
 * Looks at a folder before a checkpoint is written to it. Changes nothing.
 *
 * @throws InputError for what must not be replaced, an unfinished checkpoint of another plan, or a process that is still writing
 */
export async function survey(folder: string, set: FileSet, mode: Mode): Promise<Survey> {
  const names = (await step('look at', folder, () => if_there(readdir(folder)))) ?? [];
  const journal = await read_journal(folder);
  await refuse_running(folder, journal);
  const leftovers = names.filter(is_leftover);
  refuse_unfinished(folder, set, mode, journal, leftovers);
  const ours = new Set([...set.files.map(({ name }) => name), ...(set.index === undefined ? [] : [set.index.name])]);
  const theirs = await others_of(folder, names, ours, readable(journal)?.stale ?? []);
  await refuse_folders(
    folder,
    [...ours, ...theirs, config_name].filter((name) => names.includes(name)),
  );
  const config = await is_document(folder, set.config);
  const other_config = set.config !== undefined && names.includes(config_name) && !config;
  const found = { folder, names, journal, leftovers, ours, theirs, config, other_config };
  return mode === 'force' ? start_anew(found) : await go_on(found, set, mode);
}

const readable = (journal: Journal | 'broken' | undefined) => (journal === 'broken' ? undefined : journal);

const present_of = ({ names, ours, theirs }: Found) => [...theirs, ...names.filter((name) => ours.has(name))];

/** Nothing that is there is used. */
function start_anew(found: Found): Survey {
  const { journal, leftovers, theirs, config, other_config } = found;
  return {
    complete: new Set(),
    held: new Set(),
    partial: new Map(),
    config,
    index: false,
    journal: undefined,
    broken_journal: journal !== undefined,
    replaces: present_of(found).length > 0 || other_config,
    leftovers,
    stale: theirs,
  };
}

/** What is complete stays, what is begun is finished, and what is of anyone else is refused. */
async function go_on(found: Found, set: FileSet, mode: 'new' | 'resume'): Promise<Survey> {
  const { folder, names, leftovers, ours, theirs, config, other_config } = found;
  const journal = readable(found.journal);
  const replaces = mode === 'resume' && journal?.replaces === true;
  const present = present_of(found);
  if (mode === 'new' && present.length > 0) throw exists(folder, present);
  if (other_config && !replaces) {
    const path = join(folder, config_name);
    throw refusal(path, `${path} exists already and differs; --force replaces it`);
  }
  if (theirs.length > 0 && !replaces) throw exists(folder, theirs, 'of another layout');
  const done = await progress_of(folder, set, names, journal);
  const index = await is_document(folder, set.index);
  const trusted = set.self_describing || journal !== undefined || index;
  const wrong = [...ours].filter(
    (name) => names.includes(name) && !(trusted && done.complete.has(name)) && name !== set.index?.name,
  );
  if (set.index !== undefined && names.includes(set.index.name) && !index) wrong.push(set.index.name);
  if (wrong.length > 0 && !replaces) throw exists(folder, wrong, 'from another plan, seed or version');
  const used = [...done.held].map((name) => held_name(set.digest, name));
  for (const name of done.partial.keys()) used.push(pending_name(set.digest, name));
  return {
    ...done,
    config,
    index,
    journal,
    broken_journal: found.journal === 'broken',
    replaces,
    leftovers: leftovers.filter((name) => !used.includes(name)),
    stale: theirs,
  };
}

function refuse_unfinished(
  folder: string,
  set: FileSet,
  mode: Mode,
  journal: Journal | 'broken' | undefined,
  leftovers: readonly string[],
): void {
  const path = join(folder, journal_name);
  if (mode === 'new' && (journal !== undefined || leftovers.length > 0)) {
    throw refusal(path, `${folder} holds an unfinished checkpoint: --resume finishes it, --force starts anew`);
  }
  const digest = readable(journal)?.digest ?? set.digest;
  if (mode === 'resume' && digest !== set.digest) {
    throw refusal(
      path,
      `${folder} holds an unfinished checkpoint of another plan: --resume needs the same input, seed, options and version ` +
        'of nninit; --force starts anew',
    );
  }
}

async function refuse_running(folder: string, journal: Journal | 'broken' | undefined): Promise<void> {
  if (journal === undefined || journal === 'broken' || journal.process === null) return;
  if (!(await is_running(journal.process))) return;
  throw new InputError(`process ${journal.process.pid} is writing to ${folder}`, { path: folder, code: 'EBUSY' });
}

/** Files of another checkpoint, whatever its format: two in one folder would be taken for one. What tells that all is there comes first. */
async function others_of(
  folder: string,
  names: readonly string[],
  ours: ReadonlySet<string>,
  known: readonly string[],
): Promise<string[]> {
  const weights = names.filter((name) => is_weights_name(name) && name !== index_name);
  const index = names.filter((name) => name === index_name);
  const left = names.filter((name) => is_tensor_file(name) && known.includes(name));
  const all = new Set([...index, ...(await files_of_manifest(folder, names)), ...left, ...weights]);
  return [...all].filter((name) => !ours.has(name));
}

const is_tensor_file = (name: string): boolean => /\.(npy|bin)$/.test(name);

/** The manifest in a folder and what it lists, as far as it is there; nothing if it is someone else's. */
async function files_of_manifest(folder: string, names: readonly string[]): Promise<string[]> {
  if (!names.includes(manifest_name)) return [];
  let listed: unknown;
  try {
    listed = JSON.parse(await readFile(join(folder, manifest_name), 'utf8'));
  } catch {
    return [];
  }
  if (!is_plain_object(listed) || !is_plain_object(listed.tensors)) return [];
  const metadata = is_plain_object(listed.metadata) ? listed.metadata : {};
  if (!Object.hasOwn(metadata, 'nninit.version')) return [];
  const files = new Set(
    Object.values(listed.tensors).map((entry) => (is_plain_object(entry) ? entry.file : undefined)),
  );
  return [manifest_name, ...names.filter((name) => is_tensor_file(name) && files.has(name))];
}

/** A folder or a device in the place of a file is not ours to replace. */
async function refuse_folders(folder: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const path = join(folder, name);
    const there = await step('look at', path, () => if_there(lstat(path)));
    if (there !== undefined && !there.isFile() && !there.isSymbolicLink()) {
      throw refusal(path, `${path} is no file: remove it first`);
    }
  }
}

async function is_document(folder: string, document: Document | undefined): Promise<boolean> {
  if (document === undefined) return false;
  const path = join(folder, document.name);
  return (await step('read', path, () => if_there(readFile(path, 'utf8')))) === document.text;
}

/** How far the files of a set are. */
async function progress_of(folder: string, set: FileSet, names: readonly string[], journal: Journal | undefined) {
  const there = new Set(names);
  const complete = new Set<string>();
  const held = new Set<string>();
  const partial = new Map<string, number>();
  // Where older files are replaced, those of the same name and length may still be theirs, unless their heads tell.
  const own_names = set.self_describing || journal === undefined || !journal.replaces || journal.committing;
  for (const file of set.files) {
    const { name } = file;
    const pending = pending_name(set.digest, name);
    const hold = held_name(set.digest, name);
    // What is held has not been renamed yet: a file under the name itself is an older one.
    if (there.has(hold) && (await begins_like(join(folder, hold), file, file.data_bytes))) {
      held.add(name);
    } else if (own_names && there.has(name) && (await begins_like(join(folder, name), file, file.data_bytes))) {
      complete.add(name);
    } else {
      const bytes = journal?.progress[name] ?? 0;
      const usable = bytes > 0 && bytes <= file.data_bytes && there.has(pending);
      if (usable && (await begins_like(join(folder, pending), file, bytes))) partial.set(name, bytes);
    }
  }
  return { complete, held, partial };
}

/** Whether a file has the head of `file`, and the length of the whole, or at least `data_bytes` of tensors where that is less. */
async function begins_like(path: string, file: OutputFile, data_bytes: number): Promise<boolean> {
  const { head, file_bytes } = file;
  return step('read', path, async () => {
    const info = await lstat(path);
    if (!info.isFile() || info.size > file_bytes || info.size < head.length + data_bytes) return false;
    const handle = await open(path, 'r');
    try {
      const found = Buffer.alloc(head.length);
      const { bytesRead } = await handle.read(found, 0, head.length, 0);
      return bytesRead === head.length && found.equals(head);
    } finally {
      await handle.close();
    }
  });
}

function exists(folder: string, names: readonly string[], what = ''): InputError {
  const [first = ''] = names;
  const path = join(folder, first);
  const more = names.length > 1 ? ` and ${names.length - 1} more` : '';
  const [exist, are, them] = names.length > 1 ? ['exist', 'are', 'them'] : ['exists', 'is', 'it'];
  const state = what === '' ? `${exist} already` : `${are} there, ${what}`;
  return refusal(path, `${path}${more} ${state}; --force replaces ${them}`);
}

function refusal(path: string, text: string): InputError {
  return new InputError(text, { path, code: 'EEXIST' });
}
