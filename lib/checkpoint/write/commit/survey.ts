import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../../../core/errors.js';
import { manifestName } from '../../../formats/raw/names.js';
import { configName, configNames, type Document, type FileSet } from '../../virtual/layout.js';
import { isAnyWeightsName, isWeightsName, sharersOf } from '../../virtual/shards.js';
import { ifThere, step, textOf } from './files.js';
import { graceMs, isBeating, isChanging, isHere } from './heartbeat.js';
import { type Extent, isAlive, isHeld, isLeftover, type Journal, journalName, readJournal } from './journal.js';
import { configsOfReplaced, inDoubt, metadataOf, type Replaced } from './old-config.js';
import { filesOfManifest, isTensorFile, othersOf } from './others.js';
import { stateOf } from './process.js';
import { type Partial, progressOf } from './progress.js';

/** What to do about what is there: refuse it, replace it, or go on with it. */
export type Mode = 'new' | 'force' | 'resume';

/** What a folder holds of a checkpoint that is to be written there. */
export interface Survey {
  /** Files that need no writing: under their own names, and under those that they have while others are incomplete. */
  readonly complete: ReadonlySet<string>;
  readonly held: ReadonlyMap<string, string>;
  /** For unfinished files, the names that they have, and how many bytes of their tensors are on the disk. */
  readonly partial: ReadonlyMap<string, Partial>;
  /** For files of which parts are written, the extents that are on the disk, in order and apart. */
  readonly parts: ReadonlyMap<string, readonly Extent[]>;
  /** Whether the config and the index are there already, as they should be. */
  readonly config: boolean;
  readonly index: boolean;
  readonly journal: Journal | undefined;
  /** The run that had the folder; null where there is a journal that cannot be read, undefined where there is none. */
  readonly owner: string | null | undefined;
  /** Whether something that is there will be replaced: then nothing gets its name before all is complete. */
  readonly replaces: boolean;
  /** Of runs that were killed: to be removed before anything is written. */
  readonly leftovers: readonly string[];
  /** Of another checkpoint: to be removed when all is complete, as far as it is there then. */
  readonly stale: readonly string[];
  /** Files of others under names that the checkpoint's have, where names do not tell whose they are. */
  readonly kept: readonly string[];
  /** What the names of the weights begin with of which unfinished checkpoints have left some. */
  readonly remnants: readonly string[];
  /** All that was there. */
  readonly names: readonly string[];
}

export interface SurveyOptions {
  readonly signal?: AbortSignal | undefined;
  readonly graceMs?: number | undefined;
  /** Whether others may be writing: parts of the same checkpoint, or whoever finishes it. */
  readonly besides?: boolean | undefined;
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
  /** These, and what its run may still make, which was perhaps only paused. */
  readonly stale: readonly string[];
  readonly kept: readonly string[];
  readonly remnants: readonly string[];
  /** Whether the config is there, as it should be; and whether another one is. */
  readonly config: boolean;
  readonly otherConfig: boolean;
}

/**
 * Looks at a folder before a checkpoint is written to it. Changes nothing.
 *
 * @throws InputError for what must not be replaced, an unfinished checkpoint of another plan, or a process that is still writing
 */
export async function survey(folder: string, set: FileSet, mode: Mode, options: SurveyOptions = {}): Promise<Survey> {
  if (!options.besides) await refuseRunning(folder, options); // which may take a while, in which files may appear
  const entries = await entriesOf(folder);
  const names = entries.map(({ name }) => name);
  const journal = await readJournal(folder);
  const leftovers = names.filter(isLeftover);
  const noFile = entries.find((entry) => isLeftover(entry.name) && entry.isDirectory());
  if (noFile !== undefined) throw isNoFile(join(folder, noFile.name)); // no run makes such
  refuseUnfinished(folder, set, mode, journal, leftovers);
  const ours = new Set([...set.files.map(({ name }) => name), ...(set.index === undefined ? [] : [set.index.name])]);
  const stale = readable(journal)?.stale ?? [];
  const told = new Set([...stale, ...madeBy(readable(journal))].filter(isTensorFile));
  const known = new Set([...told].filter((name) => !ours.has(name)));
  const remnants = remnantsOf(readable(journal));
  const listed = new Set(await filesOfManifest(folder, names));
  const theirs = othersOf(names, [set.base, ...remnants], [...listed, ...known]).filter((name) => !ours.has(name));
  const kept = names.filter((name) => ours.has(name) && isTensorFile(name) && !told.has(name) && !listed.has(name));
  const weights = presentOf({ names, ours, theirs });
  const held = readable(journal)?.committing ? leftovers.filter(isHeld) : []; // not before that may they have brought a config
  const strangers = names.filter((name) => isAnyWeightsName(name) && !weights.includes(name));
  const configFile = set.config?.name ?? configName;
  const configs = names.filter((name) => configNames.includes(name) && name !== set.config?.name);
  const isStale = (name: string) => stale.includes(name) && sharersOf(name, strangers).length === 0;
  theirs.push(...configs.filter(isStale));
  const rest = configs.filter((name) => !isStale(name));
  if (mode === 'force')
    theirs.push(...(await replacedConfigs(folder, rest, { set, weights: [...weights, ...held], strangers })));
  await refuseFolders(
    folder,
    [...ours, ...theirs, configName, configFile].filter((name) => names.includes(name)),
  );
  const config = await isDocument(folder, set.config);
  const otherConfig = set.config !== undefined && names.includes(configFile) && !config;
  if (otherConfig && mode === 'force') refuseShared(folder, configFile, sharersOf(configFile, strangers));
  const all = [...new Set([...theirs, ...known])];
  const found = { folder, names, journal, leftovers, ours, theirs, stale: all, kept, remnants, config, otherConfig };
  return mode === 'force' ? startAnew(found) : await goOn(found, set, mode);
}

const readable = (journal: Journal | 'broken' | undefined) => (journal === 'broken' ? undefined : journal);

/** Files under their own names that a run has made, or may have, where names do not tell: none that was there before it began to give names. */
function madeBy(journal: Journal | undefined): readonly string[] {
  if (journal === undefined) return [];
  const kept = new Set(journal.committing ? [] : journal.kept);
  return journal.files.filter((name) => !kept.has(name));
}

/** What the names of unfinished weights begin with. Those that a run was to replace are whole until it gives names. */
function remnantsOf(journal: Journal | undefined): string[] {
  if (journal === undefined) return [];
  const { base, committing, replaces, remnants = [] } = journal;
  return [...new Set([...remnants, ...(base !== undefined && (committing || !replaces) ? [base] : [])])];
}

/** The run that has a folder, as in Survey. */
export const ownerOf = (journal: Journal | 'broken' | undefined) => (journal === 'broken' ? null : journal?.run);

const presentOf = ({ names, ours, theirs }: Pick<Found, 'names' | 'ours' | 'theirs'>) => [
  ...theirs,
  ...names.filter((name) => ours.has(name)),
];

/** @throws InputError where a config.json may describe the old weights and nobody can tell, and the new ones have none */
async function replacedConfigs(folder: string, configs: readonly string[], replaced: Replaced): Promise<string[]> {
  const { theirs, isUnknown } = await configsOfReplaced(configs, replaced, (name) => metadataOf(join(folder, name)));
  if (isUnknown) throw refusal(join(folder, configName), inDoubt(join(folder, configName)));
  return theirs;
}

/**
 * A config can describe checkpoints of several names.
 *
 * @throws InputError where one stays, which the new config would seem to describe
 */
function refuseShared(folder: string, config: string, strangers: readonly string[]): void {
  const [first] = strangers;
  if (first === undefined) return;
  const path = join(folder, config);
  throw refusal(path, `${path} may describe ${first} too, which stays, and differs: move one of them away first`);
}

/** Nothing that is there is used. */
function startAnew(found: Found): Survey {
  const { journal, leftovers, stale, kept, remnants, config, otherConfig } = found;
  return {
    complete: new Set(),
    held: new Map(),
    partial: new Map(),
    parts: new Map(),
    config,
    index: false,
    journal: undefined,
    owner: ownerOf(journal),
    // Whoever had the folder may have renamed files until it is taken over.
    replaces: presentOf(found).length > 0 || otherConfig || journal !== undefined,
    leftovers,
    stale,
    kept,
    remnants,
    names: found.names,
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
    const path = join(folder, set.config?.name ?? configName);
    throw refusal(path, `${path} exists already and differs; existing: 'replace' replaces it`);
  }
  if (theirs.length > 0 && !replaces) throw exists(folder, theirs, 'of another layout');
  const done = await progressOf(folder, set, names, journal);
  const index = await isDocument(folder, set.index);
  const trusted = set.selfDescribing || journal !== undefined || index;
  const wrong = [...ours].filter(
    (name) => names.includes(name) && !(trusted && done.complete.has(name)) && name !== set.index?.name,
  );
  if (set.index !== undefined && names.includes(set.index.name) && !index) wrong.push(set.index.name);
  if (wrong.length > 0 && !replaces) throw exists(folder, wrong, 'from another plan, seed or version, or damaged');
  const used = new Set([...done.held.values(), ...[...done.partial.values()].map(({ file }) => file)]);
  return {
    ...done,
    config,
    index,
    journal,
    owner: ownerOf(found.journal),
    replaces,
    leftovers: leftovers.filter((name) => !used.has(name)),
    stale: found.stale,
    kept: found.kept,
    remnants: found.remnants,
    names,
  };
}

/**
 * Another run may have ended between the look at the folder and the moment since which it is this run's.
 *
 * @throws InputError (EEXIST) before anything is made in vain
 */
export async function refuseAppeared(folder: string, set: FileSet, seen: Survey): Promise<void> {
  const ours = new Set([...set.files.map(({ name }) => name), set.index?.name, set.config?.name, manifestName]);
  const names = await step('look at', folder, () => readdir(folder));
  const before = new Set(seen.names);
  const appeared = names.find((name) => !before.has(name) && (ours.has(name) || isWeightsName(name, set.base)));
  if (appeared === undefined) return;
  const path = join(folder, appeared);
  throw refusal(path, `${path} has appeared meanwhile; existing: 'replace' replaces it`);
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
    throw refusal(
      path,
      `${folder} holds an unfinished checkpoint: existing: 'resume' finishes it, existing: 'replace' starts anew`,
    );
  }
  const digest = readable(journal)?.digest ?? set.digest;
  if (mode === 'resume' && digest !== set.digest) {
    throw refusal(
      path,
      `${folder} holds an unfinished checkpoint of another plan: existing: 'resume' needs the same input, seed, options and version ` +
        "of nninit; existing: 'replace' starts anew",
    );
  }
}

const entriesOf = async (folder: string) =>
  (await step('look at', folder, () => ifThere(readdir(folder, { withFileTypes: true })))) ?? [];

const isNoFile = (path: string): InputError => refusal(path, `${path} is no file: remove it first`);

async function refuseRunning(folder: string, { signal, graceMs: grace = graceMs }: SurveyOptions): Promise<void> {
  const journal = await readJournal(folder);
  if (journal === undefined || journal === 'broken') return;
  if (journal.parts) {
    const alive = (await entriesOf(folder)).filter(({ name }) => isAlive(name));
    const beats = alive.map(({ name }) => isChanging(join(folder, name), grace, signal));
    if (!(await Promise.all(beats)).includes(true)) return;
    throw new InputError(`parts are being written to ${folder}`, { path: folder, code: 'EBUSY' });
  }
  if (journal.process === null) return;
  const { pid, host } = journal.process;
  const state = await stateOf(journal.process);
  if (state === 'gone') return;
  const lives = state === 'running' || (state === 'own' && isHere(journal.run));
  if (!lives && !(await isBeating(folder, journal.run, grace, signal))) return;
  const where = state === 'unknown' ? ` on ${host}` : '';
  throw new InputError(`process ${pid}${where} is writing to ${folder}`, { path: folder, code: 'EBUSY' });
}

/** A folder or a device in the place of a file is not ours to replace. */
async function refuseFolders(folder: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const path = join(folder, name);
    const there = await step('look at', path, () => ifThere(lstat(path)));
    if (there !== undefined && !there.isFile() && !there.isSymbolicLink()) {
      throw isNoFile(path);
    }
  }
}

async function isDocument(folder: string, document: Document | undefined): Promise<boolean> {
  if (document === undefined) return false;
  const path = join(folder, document.name);
  return (await step('read', path, () => ifThere(textOf(path)))) === document.text;
}

function exists(folder: string, names: readonly string[], what = ''): InputError {
  const [first = ''] = names;
  const path = join(folder, first);
  const more = names.length > 1 ? ` and ${names.length - 1} more` : '';
  const [exist, are, them] = names.length > 1 ? ['exist', 'are', 'them'] : ['exists', 'is', 'it'];
  const state = what === '' ? `${exist} already` : `${are} there, ${what}`;
  return refusal(path, `${path}${more} ${state}; existing: 'replace' replaces ${them}`);
}

function refusal(path: string, text: string): InputError {
  return new InputError(text, { path, code: 'EEXIST' });
}
