import { lstat, open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isPlainObject } from '../../../core/check.js';
import { InputError } from '../../../core/errors.js';
import { manifestName } from '../../../formats/raw/names.js';
import { configName, type Document, type FileSet, type OutputFile } from '../../virtual/layout.js';
import { indexName, isWeightsName } from '../../virtual/shards.js';
import { ifThere, step } from './files.js';
import { heldName, isLeftover, type Journal, journalName, pendingName, readJournal } from './journal.js';
import { isRunning } from './process.js';

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
  readonly brokenJournal: boolean;
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
  readonly otherConfig: boolean;
}

/**
 * Looks at a folder before a checkpoint is written to it. Changes nothing.
 *
 * @throws InputError for what must not be replaced, an unfinished checkpoint of another plan, or a process that is still writing
 */
export async function survey(folder: string, set: FileSet, mode: Mode): Promise<Survey> {
  const names = (await step('look at', folder, () => ifThere(readdir(folder)))) ?? [];
  const journal = await readJournal(folder);
  await refuseRunning(folder, journal);
  const leftovers = names.filter(isLeftover);
  refuseUnfinished(folder, set, mode, journal, leftovers);
  const ours = new Set([...set.files.map(({ name }) => name), ...(set.index === undefined ? [] : [set.index.name])]);
  const theirs = await othersOf(folder, names, ours, readable(journal)?.stale ?? []);
  await refuseFolders(
    folder,
    [...ours, ...theirs, configName].filter((name) => names.includes(name)),
  );
  const config = await isDocument(folder, set.config);
  const otherConfig = set.config !== undefined && names.includes(configName) && !config;
  const found = { folder, names, journal, leftovers, ours, theirs, config, otherConfig };
  return mode === 'force' ? startAnew(found) : await goOn(found, set, mode);
}

const readable = (journal: Journal | 'broken' | undefined) => (journal === 'broken' ? undefined : journal);

const presentOf = ({ names, ours, theirs }: Found) => [...theirs, ...names.filter((name) => ours.has(name))];

/** Nothing that is there is used. */
function startAnew(found: Found): Survey {
  const { journal, leftovers, theirs, config, otherConfig } = found;
  return {
    complete: new Set(),
    held: new Set(),
    partial: new Map(),
    config,
    index: false,
    journal: undefined,
    brokenJournal: journal !== undefined,
    replaces: presentOf(found).length > 0 || otherConfig,
    leftovers,
    stale: theirs,
  };
}

/** What is complete stays, what is begun is finished, and what is of anyone else is refused. */
async function goOn(found: Found, set: FileSet, mode: 'new' | 'resume'): Promise<Survey> {
  const { folder, names, leftovers, ours, theirs, config, otherConfig } = found;
  const journal = readable(found.journal);
  const replaces = mode === 'resume' && journal?.replaces === true;
  const present = presentOf(found);
  if (mode === 'new' && present.length > 0) throw exists(folder, present);
  if (otherConfig && !replaces) {
    const path = join(folder, configName);
    throw refusal(path, `${path} exists already and differs; --force replaces it`);
  }
  if (theirs.length > 0 && !replaces) throw exists(folder, theirs, 'of another layout');
  const done = await progressOf(folder, set, names, journal);
  const index = await isDocument(folder, set.index);
  const trusted = set.selfDescribing || journal !== undefined || index;
  const wrong = [...ours].filter(
    (name) => names.includes(name) && !(trusted && done.complete.has(name)) && name !== set.index?.name,
  );
  if (set.index !== undefined && names.includes(set.index.name) && !index) wrong.push(set.index.name);
  if (wrong.length > 0 && !replaces) throw exists(folder, wrong, 'from another plan, seed or version');
  const used = [...done.held].map((name) => heldName(set.digest, name));
  for (const name of done.partial.keys()) used.push(pendingName(set.digest, name));
  return {
    ...done,
    config,
    index,
    journal,
    brokenJournal: found.journal === 'broken',
    replaces,
    leftovers: leftovers.filter((name) => !used.includes(name)),
    stale: theirs,
  };
}

function refuseUnfinished(
  folder: string,
  set: FileSet,
  mode: Mode,
  journal: Journal | 'broken' | undefined,
  leftovers: readonly string[],
): void {
  const path = join(folder, journalName);
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

async function refuseRunning(folder: string, journal: Journal | 'broken' | undefined): Promise<void> {
  if (journal === undefined || journal === 'broken' || journal.process === null) return;
  if (!(await isRunning(journal.process))) return;
  throw new InputError(`process ${journal.process.pid} is writing to ${folder}`, { path: folder, code: 'EBUSY' });
}

/** Files of another checkpoint, whatever its format: two in one folder would be taken for one. What tells that all is there comes first. */
async function othersOf(
  folder: string,
  names: readonly string[],
  ours: ReadonlySet<string>,
  known: readonly string[],
): Promise<string[]> {
  const weights = names.filter((name) => isWeightsName(name) && name !== indexName);
  const index = names.filter((name) => name === indexName);
  const left = names.filter((name) => isTensorFile(name) && known.includes(name));
  const all = new Set([...index, ...(await filesOfManifest(folder, names)), ...left, ...weights]);
  return [...all].filter((name) => !ours.has(name));
}

const isTensorFile = (name: string): boolean => /\.(npy|bin)$/.test(name);

/** The manifest in a folder and what it lists, as far as it is there; nothing if it is someone else's. */
async function filesOfManifest(folder: string, names: readonly string[]): Promise<string[]> {
  if (!names.includes(manifestName)) return [];
  let listed: unknown;
  try {
    listed = JSON.parse(await readFile(join(folder, manifestName), 'utf8'));
  } catch {
    return [];
  }
  if (!isPlainObject(listed) || !isPlainObject(listed.tensors)) return [];
  const metadata = isPlainObject(listed.metadata) ? listed.metadata : {};
  if (!Object.hasOwn(metadata, 'nninit.version')) return [];
  const files = new Set(Object.values(listed.tensors).map((entry) => (isPlainObject(entry) ? entry.file : undefined)));
  return [manifestName, ...names.filter((name) => isTensorFile(name) && files.has(name))];
}

/** A folder or a device in the place of a file is not ours to replace. */
async function refuseFolders(folder: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const path = join(folder, name);
    const there = await step('look at', path, () => ifThere(lstat(path)));
    if (there !== undefined && !there.isFile() && !there.isSymbolicLink()) {
      throw refusal(path, `${path} is no file: remove it first`);
    }
  }
}

async function isDocument(folder: string, document: Document | undefined): Promise<boolean> {
  if (document === undefined) return false;
  const path = join(folder, document.name);
  return (await step('read', path, () => ifThere(readFile(path, 'utf8')))) === document.text;
}

/** How far the files of a set are. */
async function progressOf(folder: string, set: FileSet, names: readonly string[], journal: Journal | undefined) {
  const there = new Set(names);
  const complete = new Set<string>();
  const held = new Set<string>();
  const partial = new Map<string, number>();
  // Where older files are replaced, those of the same name and length may still be theirs, unless their heads tell.
  const ownNames = set.selfDescribing || journal === undefined || !journal.replaces || journal.committing;
  for (const file of set.files) {
    const { name } = file;
    const pending = pendingName(set.digest, name);
    const hold = heldName(set.digest, name);
    // What is held has not been renamed yet: a file under the name itself is an older one.
    if (there.has(hold) && (await beginsLike(join(folder, hold), file, file.dataBytes))) {
      held.add(name);
    } else if (ownNames && there.has(name) && (await beginsLike(join(folder, name), file, file.dataBytes))) {
      complete.add(name);
    } else {
      const bytes = journal?.progress[name] ?? 0;
      const usable = bytes > 0 && bytes <= file.dataBytes && there.has(pending);
      if (usable && (await beginsLike(join(folder, pending), file, bytes))) partial.set(name, bytes);
    }
  }
  return { complete, held, partial };
}

/** Whether a file has the head of `file`, and the length of the whole, or at least `dataBytes` of tensors where that is less. */
async function beginsLike(path: string, file: OutputFile, dataBytes: number): Promise<boolean> {
  const { head, fileBytes } = file;
  return step('read', path, async () => {
    const info = await lstat(path);
    if (!info.isFile() || info.size > fileBytes || info.size < head.length + dataBytes) return false;
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
