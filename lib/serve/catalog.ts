import { Arena } from '../checkpoint/virtual/arena.js';
import { VirtualCheckpoint } from '../checkpoint/virtual/virtual.js';
import { WholeTensors } from '../checkpoint/virtual/whole-tensors.js';
import type { Pool } from '../pool/pool.js';
import type { Engine } from '../random/names.js';
import { type Content, contentsOf } from './content.js';
import { type Laid, Planner } from './planner.js';
import { Refusal, repositoryNotFound } from './refusal.js';
import { Repositories, type Repository } from './repositories.js';
import { commitOf, nameOfRevision, type Revision, revisionOfCommit, revisionOfName } from './revision.js';

/** What is told of a file. */
export type Entry = Pick<Content, 'name' | 'size' | 'oid' | 'modified'>;

/** What is told of a repository at a revision without its bytes. */
export interface Summary {
  readonly repository: Repository;
  readonly commit: string;
  /** Elements by the names that safetensors has for dtypes. */
  readonly parameters: Laid['parameters'];
  readonly contents: ReadonlyMap<string, Entry>;
}

/** A repository at a revision: a checkpoint of which every byte is known. */
export interface Snapshot extends Summary {
  readonly revision: Revision;
  /** Its tensors, as far as they take memory. */
  readonly weight: number;
  readonly contents: ReadonlyMap<string, Content>;
}

/** Elements of all dtypes. */
export const totalOf = (parameters: Snapshot['parameters']): number =>
  Object.values(parameters).reduce((sum, each) => sum + each, 0);

/** Checkpoints that are laid out and kept; a tensor takes some 500 bytes in each. The newest is kept whatever it has. */
const mostSnapshots = 32;
const mostTensors = 50_000;
/** In the engine torch a tensor has a state of 5 KB besides. */
const torchWeight = 10;
/** Summaries that are kept, and files in all: lists of everything would have all plans made anew each time. */
const mostSummaries = 1000;
const mostEntries = 20_000;
/** Tensors that are made whole are kept up to this size, of all checkpoints together. */
const wholeBytes = 32 << 20;

/** So often what is asked for may change before it is made. */
const mostTurns = 5;

/** A repository is another one by the time that its checkpoint is laid out. */
class Changed extends Error {
  constructor() {
    super('the repository changed while its plan was made');
  }
}

/** A snapshot that is kept. */
interface Kept {
  readonly id: string;
  readonly revision: Revision;
  readonly made: Promise<Snapshot>;
  /** Of each who waits for it: whether they are gone. */
  readonly waiting: (() => boolean)[];
  /** None before it is made. */
  weight: number | undefined;
}

/** What a repository's id and a revision's name stand for. */
interface Resolved extends Pick<Snapshot, 'repository' | 'revision' | 'commit'> {
  readonly key: string;
}

/** What is kept holds no bytes, and nothing that makes them. */
function summaryOf({ repository, commit, parameters, contents }: Snapshot): Summary {
  const entries = Array.from(contents.values(), ({ name, size, oid, modified }) => ({ name, size, oid, modified }));
  return { repository, commit, parameters, contents: new Map(entries.map((each) => [each.name, each])) };
}

export interface CatalogOptions {
  readonly pool: Pool;
  readonly engine: Engine;
  /** Bytes. */
  readonly maxShardSize: number | undefined;
}

/** What a server has: repositories, each at 2^64 seeds and in several dtypes. */
export class Catalog {
  readonly repositories: Repositories;
  readonly #options: CatalogOptions;
  readonly #planner = new Planner();
  readonly #wholes = new WholeTensors(wholeBytes, new Arena(wholeBytes));
  /** The least recently used first. */
  readonly #snapshots = new Map<string, Kept>();
  /** The least recently used first. */
  readonly #summaries = new Map<string, Summary>();

  private constructor(repositories: Repositories, options: CatalogOptions) {
    this.repositories = repositories;
    this.#options = options;
  }

  static async of(inputs: readonly string[], options: CatalogOptions): Promise<Catalog> {
    return new Catalog(await Repositories.of(inputs, JSON.stringify([options.maxShardSize])), options);
  }

  /**
   * A repository at a revision.
   *
   * @param name of the revision, or its commit
   * @param isGone whether whoever asks has left meanwhile: what all have left is not made
   * @throws Refusal where there is none; InputError for a config that makes no sense
   */
  async snapshot(id: string, name: string, isGone: () => boolean = () => false): Promise<Snapshot> {
    return this.#asNow(id, name, (resolved) => this.#take(resolved, isGone));
  }

  /** What is told of it, which is kept longer than what its bytes are made by. The same arguments and errors. */
  async summary(id: string, name: string, isGone: () => boolean): Promise<Summary> {
    const [key, known] = await this.#asNow(id, name, async (resolved) => {
      return [resolved.key, this.#summaries.get(resolved.key) ?? summaryOf(await this.#take(resolved, isGone))];
    });
    this.#summaries.delete(key);
    this.#summaries.set(key, known); // now the most recently used
    let entries = [...this.#summaries.values()].reduce((sum, each) => sum + each.contents.size, 0);
    for (const [oldest, { contents }] of this.#summaries) {
      if (this.#summaries.size <= mostSummaries && entries <= mostEntries) break;
      this.#summaries.delete(oldest);
      entries -= contents.size;
    }
    return known;
  }

  /** Does something with what an id and a name stand for, once more where that has changed before it was made. */
  async #asNow<T>(id: string, name: string, work: (resolved: Resolved) => Promise<T>): Promise<T> {
    for (let turn = 1; ; turn++) {
      try {
        return await work(await this.#resolve(id, name));
      } catch (cause) {
        if (!(cause instanceof Changed) || turn === mostTurns) throw cause;
      }
    }
  }

  async #resolve(id: string, name: string): Promise<Resolved> {
    const repository = await this.repositories.find(id);
    if (repository === undefined) throw repositoryNotFound();
    const { state } = repository;
    const revision = revisionOfName(name, this.#options.engine) ?? revisionOfCommit(name, state);
    if (revision === undefined) {
      const what = 'Invalid rev id: expected main, seed-N, seed-N-dtype, or a commit of what is here now';
      throw new Refusal(404, what, { hub: 'RevisionNotFound', s3: 'NoSuchKey' });
    }
    const commit = commitOf(revision, state);
    return { key: `${id}@${commit}`, repository, revision, commit };
  }

  async #take({ key, repository, revision, commit }: Resolved, isGone: () => boolean): Promise<Snapshot> {
    const known = this.#snapshots.get(key) ?? this.#begin(key, repository, revision, commit);
    this.#snapshots.delete(key);
    this.#snapshots.set(key, known); // now the most recently used
    known.waiting.push(isGone);
    try {
      const snapshot = await known.made;
      known.weight = snapshot.weight;
      this.#trim();
      return snapshot;
    } catch (cause) {
      if (this.#snapshots.get(key) === known) this.#snapshots.delete(key);
      throw cause;
    } finally {
      known.waiting.length = 0;
    }
  }

  #begin(key: string, repository: Repository, revision: Revision, commit: string): Kept {
    const waiting: Kept['waiting'] = [];
    const isWanted = (): boolean => {
      if (waiting.some((isGone) => !isGone())) return true;
      this.#snapshots.delete(key); // who comes now has it made
      return false;
    };
    return {
      id: repository.id,
      revision,
      made: this.#make(repository, revision, commit, isWanted),
      waiting,
      weight: undefined,
    };
  }

  /** What was asked for lately besides `main`, the last first: repositories and the names of revisions. */
  recent(): { readonly id: string; readonly revision: string }[] {
    const all = [...this.#snapshots.values()].map(({ id, revision }) => {
      return { id, revision: nameOfRevision(revision, this.#options.engine) };
    });
    return all.filter(({ revision }) => revision !== 'seed-0').reverse();
  }

  /** Ends its thread. */
  close(): Promise<void> {
    return this.#planner.close();
  }

  #trim(): void {
    // What is still being made stays: who asks for it meanwhile would have it made twice.
    const made = [...this.#snapshots].filter(([, each]) => each.weight !== undefined);
    let weight = made.reduce((sum, [, each]) => sum + (each.weight ?? 0), 0);
    let left = made.length;
    for (const [key, each] of made) {
      if (left <= mostSnapshots && (weight <= mostTensors || left === 1)) break;
      this.#snapshots.delete(key);
      left -= 1;
      weight -= each.weight ?? 0;
    }
  }

  async #make(repository: Repository, revision: Revision, commit: string, isWanted: () => boolean): Promise<Snapshot> {
    const { pool, maxShardSize } = this.#options;
    const { input, state, modified } = repository;
    const laid = await this.#planner.lay({ ...revision, input, state, maxShardSize }, isWanted);
    // It may have waited for others, and is made of what was there at its turn.
    if ((await this.repositories.find(repository.id))?.state !== state) {
      this.#planner.forget(input); // what it was may come back, with its times: a copy, a backup
      throw new Changed();
    }
    const virtual = new VirtualCheckpoint(laid, this.#wholes);
    return {
      repository,
      revision,
      commit,
      parameters: laid.parameters,
      weight:
        laid.files.reduce((sum, { tensors }) => sum + tensors.length, 0) *
        (revision.engine === 'torch' ? torchWeight : 1),
      contents: contentsOf(virtual, repository.assets, { commit, pool, modified }),
    };
  }
}
