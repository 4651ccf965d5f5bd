/** What the crash matrix tries: scenarios and faults. */
import { type Fault, type Laboratory, npy, raw, shards, single } from './laboratory.js';
import { type Outcome, type Prepared, type Scenario, tryFault } from './matrix.js';

export const scenarios: readonly Scenario[] = [
  { name: 'new, single file', mode: 'new', made: single(7) },
  { name: 'new, shards', mode: 'new', made: shards(7) },
  { name: 'new, npy', mode: 'new', made: npy(7) },
  { name: 'new, raw', mode: 'new', made: raw(7) },
  { name: '--force, single file', mode: 'force', old: single(1), made: single(7) },
  { name: '--force, shards', mode: 'force', old: shards(1), made: shards(7) },
  { name: '--force, npy', mode: 'force', old: npy(1), made: npy(7) },
  { name: '--force, raw', mode: 'force', old: raw(1), made: raw(7) },
  { name: '--force, shards to single file', mode: 'force', old: shards(1), made: single(7) },
  { name: '--force, npy to shards', mode: 'force', old: npy(1), made: shards(7) },
  { name: '--force, single file to npy', mode: 'force', old: single(1), made: npy(7) },
  { name: '--resume, single file', mode: 'resume', made: single(7), killedAt: 0.6 },
  { name: '--resume, shards', mode: 'resume', made: shards(7), killedAt: 0.6 },
  { name: '--resume, npy', mode: 'resume', made: npy(7), killedAt: 0.6 },
  { name: '--resume of --force, shards', mode: 'resume', old: shards(1), made: shards(7), killedAt: 0.85 },
  { name: 'three parts, shards', mode: 'new', made: { ...shards(7), parts: 3 } },
  { name: 'three parts, npy', mode: 'new', made: { ...npy(7), parts: 3 } },
  { name: 'three parts, --force, single file', mode: 'force', old: single(1), made: { ...single(7), parts: 3 } },
  { name: 'three parts, --force, npy', mode: 'force', old: npy(1), made: { ...npy(7), parts: 3 } },
];

export const scenarioOf = (name: string): Scenario => {
  const found = scenarios.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no scenario ${name}`);
  return found;
};

const errnos = { EPERM: '1', EINTR: '4', EIO: '5', EACCES: '13', EMFILE: '24', ENOSPC: '28', short: 'short' } as const;

/** Errors that calls give: at one of a kind, or from one on. */
export const errors: readonly {
  readonly name: string;
  readonly kind: string;
  readonly error: keyof typeof errnos;
  readonly on?: true;
}[] = [
  { name: 'ENOSPC from a write', kind: 'write', error: 'ENOSPC' },
  { name: 'ENOSPC from all writes from one on', kind: 'write', error: 'ENOSPC', on: true },
  { name: 'EIO from a write', kind: 'write', error: 'EIO' },
  { name: 'EINTR from a write', kind: 'write', error: 'EINTR' },
  { name: 'a short write', kind: 'write', error: 'short' },
  { name: 'EIO from a sync', kind: 'sync', error: 'EIO' },
  { name: 'EINTR from a sync', kind: 'sync', error: 'EINTR' },
  { name: 'EMFILE from open', kind: 'open', error: 'EMFILE' },
  { name: 'EMFILE from all opens from one on', kind: 'open', error: 'EMFILE', on: true },
  { name: 'EMFILE from a creation', kind: 'create', error: 'EMFILE' },
  { name: 'EACCES from a creation', kind: 'create', error: 'EACCES' },
  { name: 'EINTR from a creation', kind: 'create', error: 'EINTR' },
  { name: 'EACCES from rename', kind: 'rename', error: 'EACCES' },
  { name: 'EIO from all renames from one on', kind: 'rename', error: 'EIO', on: true },
  { name: 'EACCES from unlink', kind: 'unlink', error: 'EACCES' },
  { name: 'EPERM from link: a file system without links', kind: 'link', error: 'EPERM' },
  { name: 'EIO from link', kind: 'link', error: 'EIO' },
  { name: 'EACCES from mkdir', kind: 'mkdir', error: 'EACCES' },
];

/** Faults of one kind of error. */
export async function errorsOf(lab: Laboratory, { before, scenario, calls }: Prepared, row: (typeof errors)[number]) {
  const { kind, error, on = false } = row;
  let count = calls.filter((each) => each === kind).length;
  if (kind === 'open') {
    const trial = lab.copy(before);
    count = (await lab.callsOf(trial, scenario.made, scenario.mode, { at: 0, how: '0', kind })).length;
    lab.remove(trial);
  }
  return Array.from({ length: count }, (_, i): Fault => ({ at: i + 1, how: errnos[error], kind, on }));
}

/** Tries faults, a few at the same time. */
export async function tryAll(lab: Laboratory, prepared: Prepared, faults: readonly Fault[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const rest = [...faults];
  const next = async (): Promise<void> => {
    for (let fault = rest.shift(); fault !== undefined; fault = rest.shift()) {
      outcomes.push(await tryFault(lab, prepared, fault));
    }
  };
  await Promise.all([next(), next(), next()]);
  return outcomes;
}

/** What was wrong, in lines. */
export const wrongOf = (outcomes: readonly Outcome[]): string[] =>
  outcomes.flatMap(({ scenario, fault, wrong }) =>
    wrong.map((what) => `${scenario}, ${JSON.stringify(fault)}: ${what}`),
  );
