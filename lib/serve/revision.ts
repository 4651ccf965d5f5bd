import { type Dtype, dtypes } from '../core/dtype.js';
import { type Engine, engineNames } from '../random/names.js';

/** What a revision's name says: all that decides the bytes besides the repository and the server's own settings. */
export interface Revision {
  /** In [0, 2^64). */
  readonly seed: bigint;
  /** In place of the config's own. */
  readonly dtype: Dtype | undefined;
  readonly engine: Engine;
}

const dtypeNames = Object.keys(dtypes) as Dtype[];
const seedLimit = 2n ** 64n;

/**
 * Reads `main` (seed 0), `seed-42`, `seed-42-bfloat16`, `seed-42-bfloat16-torch`; undefined for every other name.
 *
 * @param engine of revisions that name none
 */
export function revisionOfName(name: string, engine: Engine): Revision | undefined {
  if (['main', 'HEAD', 'refs/heads/main'].includes(name)) return { seed: 0n, dtype: undefined, engine };
  const [, digits, ...parts] = /^seed-(\d{1,20})(?:-(\w+))?(?:-(\w+))?$/.exec(name) ?? [];
  if (digits === undefined || BigInt(digits) >= seedLimit) return undefined;
  if (parts.filter((part) => engineNames.some((each) => each === part)).length > 1) return undefined;
  let revision: Revision = { seed: BigInt(digits), dtype: undefined, engine };
  for (const part of parts) {
    if (part === undefined) continue;
    const dtype = dtypeNames.find((each) => each === part);
    const named = engineNames.find((each) => each === part);
    if (dtype === undefined && named === undefined) return undefined;
    if (dtype !== undefined && revision.dtype !== undefined) return undefined; // which of the two?
    revision = { ...revision, ...(dtype && { dtype }), ...(named && { engine: named }) };
  }
  return revision;
}

/**
 * The name of a revision that says all of it.
 *
 * @param usual the engine of revisions that name none
 */
export function nameOfRevision({ seed, dtype, engine }: Revision, usual: Engine): string {
  return ['seed', seed, ...(dtype === undefined ? [] : [dtype]), ...(engine === usual ? [] : [engine])].join('-');
}

/**
 * The commit of a revision, 40 hexadecimal digits: its seed, its other parts, and a digest of what the repository holds. So a commit can be asked
 * for at any server with the same repository, and at none with another.
 *
 * @param state 22 digits
 */
export function commitOf({ seed, dtype, engine }: Revision, state: string): string {
  const parts = engineNames.indexOf(engine) * 16 + (dtype === undefined ? 15 : dtypeNames.indexOf(dtype));
  return seed.toString(16).padStart(16, '0') + parts.toString(16).padStart(2, '0') + state;
}

/** The revision that a commit is of; undefined for a commit of another repository, or of another state of this one. */
export function revisionOfCommit(commit: string, state: string): Revision | undefined {
  if (!/^[0-9a-f]{40}$/.test(commit) || commit.slice(18) !== state) return undefined;
  const parts = Number.parseInt(commit.slice(16, 18), 16);
  const engine = engineNames[parts >> 4];
  const dtype = dtypeNames[parts & 15];
  if (engine === undefined || (dtype === undefined && (parts & 15) !== 15)) return undefined;
  return { seed: BigInt(`0x${commit.slice(0, 16)}`), dtype, engine };
}
