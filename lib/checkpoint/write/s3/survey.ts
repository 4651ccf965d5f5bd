import { createHash } from 'node:crypto';
import { InputError } from '../../../core/errors.js';
import { manifestName } from '../../../formats/raw/names.js';
import { readHeader } from '../../../formats/safetensors/read-header.js';
import { configName, configNames, type Document, type FileSet, type OutputFile } from '../../virtual/layout.js';
import { isAnyWeightsName, isWeightsName, sharersOf } from '../../virtual/shards.js';
import { configsOfReplaced, inDoubt, metadataOfManifest, type Replaced } from '../commit/old-config.js';
import { filesOfManifestText, othersOf } from '../commit/others.js';
import type { Seen, Store } from './store.js';

/** What a store holds of a checkpoint that is to be written there. */
export interface StoreSurvey {
  /** All that is there, by names. */
  readonly objects: ReadonlyMap<string, Seen>;
  /** Files that need no sending. */
  readonly complete: ReadonlySet<string>;
  /** Whether the config and the index are there, as they should be. */
  readonly config: boolean;
  readonly index: boolean;
  /** Begun, and gone on with: for each name, the numbers of its uploads. */
  readonly uploads: ReadonlyMap<string, readonly string[]>;
  /** Of another checkpoint: to be removed when all is sent. What tells that all of it is there comes first. */
  readonly stale: readonly string[];
  /** All of another checkpoint that is to be replaced. While any of it is there, no run goes on with this one. */
  readonly old: readonly string[];
}

export interface StoreMode {
  readonly force: boolean;
  readonly resume: boolean;
}

/**
 * Looks at what is below a prefix, by the rules that hold for folders. Nothing is changed yet but uploads that are given up.
 *
 * @throws InputError (EEXIST) for what must not be replaced
 */
export async function surveyStore(
  store: Store,
  url: string,
  set: FileSet,
  { force, resume }: StoreMode,
): Promise<StoreSurvey> {
  const { base, files, index } = set;
  const labels = labelsOf(set);
  const ours = new Set([...files, index].flatMap((each) => each?.name ?? []));
  const objects = await store.objects();
  const names = [...objects.keys()];
  const listed = names.includes(manifestName) ? filesOfManifestText((await store.text(manifestName)) ?? '', names) : [];
  const stale = othersOf(names, [base], listed).filter((name) => !ours.has(name));
  const weights = [...stale, ...names.filter((name) => ours.has(name))];
  const strangers = names.filter((name) => isAnyWeightsName(name) && !weights.includes(name));
  const there = (name: string) => `${store.path(name)} is there`;
  const replace = "existing: 'replace' replaces it";
  const isThere = async (document: Document | undefined) =>
    document !== undefined && names.includes(document.name) && (await store.text(document.name)) === document.text;
  const config = await isThere(set.config);
  const otherConfig = set.config !== undefined && names.includes(set.config.name) && !config;
  const known = new Set(names);
  const expected = files.flatMap(({ name }) => (force || !known.has(name) ? name : []));
  const uploads = await store.uploads(expected);
  const begun = [...uploads].filter(([name]) => ours.has(name) || isWeightsName(name, base));
  const other = begun.find(([name]) => !ours.has(name));
  const complete = new Set<string>();
  if (force) {
    const [sharer] = otherConfig ? sharersOf(set.config.name, strangers) : [];
    if (otherConfig && sharer !== undefined)
      throw refusal(
        url,
        `${there(set.config.name)}, may describe ${sharer} too, which stays, and differs: move one of them away first`,
      );
    const configs = names.filter((name) => configNames.includes(name) && name !== set.config?.name);
    stale.push(...(await replacedConfigs(store, url, configs, { set, weights, strangers })));
    for (const [name, ids] of begun) for (const id of ids) await store.abort(name, id);
    return {
      objects,
      complete,
      config,
      index: false,
      uploads: new Map(),
      stale,
      old: [...weights, ...stale, ...(otherConfig ? [set.config.name] : [])],
    };
  }
  const hasIndex = resume && (await isThere(index));
  if (resume) {
    if (other !== undefined)
      throw refusal(url, `${url} holds an unfinished checkpoint of another layout (${other[0]}); ${replace}`);
    if (stale[0] !== undefined) throw refusal(url, `${there(stale[0])}, of another layout; ${replace}`);
    for (const { name, fileBytes } of files.filter((file) => known.has(file.name))) {
      if (await store.has(name, fileBytes, labels.get(name) ?? '')) complete.add(name);
      else throw refusal(url, `${there(name)}, from another plan, seed or version, or damaged; ${replace}`);
    }
    if (index !== undefined && names.includes(index.name) && !hasIndex)
      throw refusal(url, `${there(index.name)}, from another plan, seed or version, or damaged; ${replace}`);
  } else if (weights[0] !== undefined) {
    throw refusal(url, `${store.path(weights[0])} exists already; ${replace}`);
  } else if (begun.length > 0) {
    const text = `${url} holds an unfinished checkpoint: existing: 'resume' finishes it, existing: 'replace' starts anew`;
    throw refusal(url, text);
  }
  if (otherConfig) throw refusal(url, `${store.path(set.config.name)} exists already and differs; ${replace}`);
  return { objects, complete, config, index: hasIndex, uploads, stale, old: [] };
}

/**
 * What each file's object carries to be known by. It is given when an upload begins, so one that is gone on with must be known to have the same: where a head
 * tells its file's content, whoever sends that head gives the same.
 */
export function labelsOf({ files, digest, selfDescribing }: FileSet): ReadonlyMap<string, string> {
  const labelOf = ({ name, head, fileBytes }: OutputFile) => {
    const hash = createHash('sha256').update(`${name} ${fileBytes} ${selfDescribing ? '' : digest}\n`);
    return hash.update(head).digest('hex');
  };
  return new Map(files.map((file) => [file.name, labelOf(file)]));
}

/** As in a folder. */
async function replacedConfigs(
  store: Store,
  url: string,
  configs: readonly string[],
  replaced: Replaced,
): Promise<string[]> {
  const { theirs, isUnknown } = await configsOfReplaced(configs, replaced, async (name) => {
    if (name.endsWith('.safetensors')) return (await readHeader(store.path(name))).metadata;
    return name === manifestName ? metadataOfManifest((await store.text(name)) ?? '') : undefined;
  });
  if (isUnknown) throw refusal(url, inDoubt(store.path(configName)));
  return theirs;
}

const refusal = (url: string, text: string): InputError => new InputError(text, { path: url, code: 'EEXIST' });
