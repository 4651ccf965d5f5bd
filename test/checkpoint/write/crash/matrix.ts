/** Runs that are ended at a chosen system call, and what must be so afterwards. */
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openCheckpoint } from '../../../../lib/checkpoint/read/open-checkpoint.js';
import { indexNameOf } from '../../../../lib/checkpoint/virtual/shards.js';
import { fileSetOf } from '../../../../lib/checkpoint/virtual/tensor-files.js';
import { isLeftover, journalName, readJournal } from '../../../../lib/checkpoint/write/commit/journal.js';
import { errorCode } from '../../../../lib/core/errors.js';
import { philoxKeys } from '../../../../lib/plan/keys.js';
import { resolvePlan } from '../../../../lib/plan/plan.js';
import { contentOf } from '../../temporary.js';
import { type Fault, type Laboratory, type Mode, type Spec, tensors, writeHere, writePartsHere } from './laboratory.js';

const indexName = indexNameOf('model');

/** A run, and what is in the folder before it. */
export interface Scenario {
  readonly name: string;
  readonly mode: Mode;
  readonly old?: Spec;
  readonly made: Spec;
  /** Another run was killed before: at this part of its calls. */
  readonly killedAt?: number;
}

/** A file of someone else's in the folder. */
export const notes = 'notes.txt';

/** What a scenario begins with, and what it may end with. */
export interface Prepared {
  readonly scenario: Scenario;
  readonly before: string;
  readonly beforeContent: Content;
  readonly old: Content;
  readonly made: Content;
  /** Kinds of the calls of an undisturbed run. */
  readonly calls: readonly string[];
}

export type Content = Readonly<Record<string, string>>;

export const look = (folder: string): Content => (existsSync(folder) ? contentOf(folder) : {});
export const visible = (content: Content): Content =>
  Object.fromEntries(Object.entries(content).filter(([name]) => !name.startsWith('.') && name !== notes));
export const same = (one: Content, other: Content) =>
  JSON.stringify(Object.entries(one).sort()) === JSON.stringify(Object.entries(other).sort());

export async function prepare(lab: Laboratory, scenario: Scenario): Promise<Prepared> {
  const { old, made, mode, killedAt } = scenario;
  const clean = lab.fresh();
  await writeHere(clean, made, 'new');
  const madeContent = look(clean);
  const before = lab.fresh();
  if (old !== undefined) {
    await writeHere(before, old, 'new');
    writeFileSync(join(before, notes), 'mine');
  }
  const oldContent = visible(look(before));
  if (killedAt !== undefined) {
    const first = old === undefined ? 'new' : 'force';
    const trial = lab.copy(before);
    const { length } = await lab.callsOf(trial, made, first);
    lab.remove(trial);
    const { signal } = await lab.run(before, made, first, { at: Math.ceil(length * killedAt), how: 'kill' });
    if (signal !== 'SIGKILL') throw new Error('the first run was not killed');
  }
  const trial = lab.copy(before);
  const calls = await lab.callsOf(trial, made, mode);
  lab.remove(trial, clean);
  return { scenario, before, beforeContent: look(before), old: oldContent, made: madeContent, calls };
}

/** What was found wrong after a run was ended: nothing, where all is well. */
export async function faultsAfter(lab: Laboratory, prepared: Prepared, folder: string): Promise<string[]> {
  const { old, made, scenario } = prepared;
  const wrong: string[] = [];
  const content = look(folder);
  const seen = visible(content);
  const hidden = Object.keys(content).filter((name) => name.startsWith('.'));
  const whole = same(seen, made) ? 'made' : Object.keys(old).length > 0 && same(seen, old) ? 'old' : undefined;

  // What can be seen.
  for (const [name, digest] of Object.entries(seen)) {
    if (digest !== made[name] && digest !== old[name]) wrong.push(`${name} is of neither checkpoint`);
  }
  if (scenario.old !== undefined && content[notes] === undefined) wrong.push(`${notes} is gone`);
  const tells = [indexName, 'manifest.json', 'model.safetensors'].filter((name) => name in seen);
  if (whole === undefined && tells.length > 0) wrong.push(`${tells} beside ${Object.keys(seen)}: neither checkpoint`);
  if (whole === undefined && (await opens(folder))) wrong.push('it opens, and is neither checkpoint');
  if (whole === undefined && Object.keys(seen).length > 0 && !hidden.includes(journalName)) {
    wrong.push(`${Object.keys(seen)} without a journal`);
  }
  if (hidden.some((name) => name !== journalName && !isLeftover(name))) wrong.push(`unknown: ${hidden}`);

  // A plain run.
  const plain = lab.copy(folder);
  const refused = await writeHere(plain, scenario.made, 'new').then(
    () => undefined,
    (cause: Error) => cause,
  );
  if (hidden.length === 0 && Object.keys(seen).length === 0) {
    if (!same(visible(look(plain)), made)) wrong.push(`a plain run: ${refused?.message ?? 'other bytes'}`);
  } else if (errorCode(refused) !== 'EEXIST' || refused?.message.includes('\n')) {
    wrong.push(`a plain run is not refused: ${refused?.message}`);
  } else if (!same(look(plain), content)) wrong.push('a plain run changed something');

  // Going on, and beginning anew.
  const journal = await readJournal(folder);
  if (journal === 'broken') wrong.push('the journal is broken');
  const least = await leastResumed(folder, content, scenario.made, made);
  const resumed = lab.copy(folder);
  try {
    const { resumedBytes } = await writeHere(resumed, scenario.made, 'resume');
    if (resumedBytes < least) wrong.push(`--resume kept ${resumedBytes} bytes of ${least}`);
    if (!endsWith(look(resumed), made)) wrong.push(`--resume ends with ${Object.keys(look(resumed))}`);
  } catch (cause) {
    // An old checkpoint that is untouched is refused as ever.
    if (journal !== undefined || whole !== 'old') wrong.push(`--resume: ${cause}`);
  }
  const parts = lab.copy(folder);
  if (scenario.made.parts !== undefined && (journal !== undefined || whole !== 'old')) {
    await writePartsHere(parts, scenario.made).catch((cause) => wrong.push(`the parts again: ${cause}`));
    if (!endsWith(look(parts), made)) wrong.push(`the parts again end with ${Object.keys(look(parts))}`);
  }
  const forced = lab.copy(folder);
  await writeHere(forced, scenario.made, 'force').catch((cause) => wrong.push(`--force: ${cause}`));
  if (!endsWith(look(forced), made)) wrong.push(`--force ends with ${Object.keys(look(forced))}`);
  lab.remove(plain, resumed, parts, forced);
  return wrong;
}

export const endsWith = ({ [notes]: _, ...content }: Content, made: Content) => same(content, made);

async function opens(folder: string): Promise<boolean> {
  return openCheckpoint(folder).then(
    async (checkpoint) => {
      await checkpoint.close();
      return true;
    },
    () => false,
  );
}

/** Bytes that are there for a run that goes on. */
async function leastResumed(folder: string, content: Content, spec: Spec, made: Content): Promise<number> {
  const journal = await readJournal(folder);
  const { seed, parts: _, ...rest } = spec;
  const set = fileSetOf(resolvePlan({ tensors }), { keys: philoxKeys(BigInt(seed)), ...rest });
  if (journal === 'broken' || (journal === undefined && !set.selfDescribing)) return 0;
  let bytes = 0;
  for (const { name, dataBytes } of set.files) {
    const held = Object.keys(content).some((each) => each.endsWith(`-${name}.done`) && content[each] === made[name]);
    const begun = journal?.progress[name];
    const isThere = begun !== undefined && content[begun.file] !== undefined;
    if (held || content[name] === made[name]) bytes += dataBytes;
    else if (isThere && statSync(join(folder, begun.file)).size >= begun.bytes) bytes += begun.bytes;
  }
  return bytes;
}

/** What happened at one point. */
export interface Outcome {
  readonly scenario: string;
  readonly fault: Fault;
  /** Whether the run got there. */
  readonly reached: boolean;
  readonly wrong: readonly string[];
}

/** Every way in which a process ends at a call, from one run that ends well: what each would leave is looked at. */
export async function tryEndings(lab: Laboratory, prepared: Prepared): Promise<Outcome[]> {
  const { scenario, before, made } = prepared;
  const [folder, states] = [lab.copy(before), lab.fresh()];
  const calls = await lab.callsOf(folder, scenario.made, scenario.mode, undefined, states);
  if (!endsWith(look(folder), made)) throw new Error(`a run without a fault left ${Object.keys(look(folder))}`);
  const outcomes: Outcome[] = [];
  for (const fault of endingsOf(calls)) {
    const wrong = await faultsAfter(lab, prepared, join(states, `${fault.how}-${fault.at}`));
    outcomes.push({ scenario: scenario.name, fault, reached: true, wrong });
  }
  lab.remove(folder, states);
  return outcomes;
}

/** The ways in which a process ends at a call. */
export const endings = ['kill', 'torn', 'power'] as const;

/** A process that ends at a call. */
export function endingsOf(calls: readonly string[]): Fault[] {
  return endings.flatMap((how) =>
    calls.flatMap((kind, i) => (how === 'torn' && kind !== 'write' ? [] : [{ at: i + 1, how }])),
  );
}

/** Runs a scenario with one fault. */
export async function tryFault(lab: Laboratory, prepared: Prepared, fault: Fault): Promise<Outcome> {
  const { scenario, before, beforeContent, made } = prepared;
  const folder = lab.copy(before);
  const ended = await lab.run(folder, scenario.made, scenario.mode, fault);
  const wrong: string[] = [];
  const dies = ['kill', 'torn', 'power'].includes(fault.how);
  const { code, signal, stderr } = ended;
  if (code === 0) {
    if (stderr !== '') wrong.push(`says: ${stderr}`);
    if (!endsWith(look(folder), made)) wrong.push(`exit code 0 with ${Object.keys(look(folder))}`);
  } else if (!dies) {
    if (code !== 1) wrong.push(`ended with ${code ?? signal}`);
    if (!/^nninit: [^\n]+\n$/.test(stderr)) wrong.push(`not one line: ${stderr}`);
    if (!stderr.includes(folder)) wrong.push(`no path: ${stderr}`);
    if (fault.how === 'short') wrong.push('a short write is no error');
    const claims = stderr.includes('--resume goes on');
    const isWhole = same(look(folder), beforeContent) || endsWith(look(folder), made);
    if (!claims && !isWhole && scenario.killedAt === undefined)
      wrong.push(`left ${Object.keys(look(folder))}, and says: ${stderr}`);
    wrong.push(...(await faultsAfter(lab, prepared, folder)));
  } else {
    if (signal !== 'SIGKILL') wrong.push(`ended with ${code ?? signal}: ${stderr}`);
    wrong.push(...(await faultsAfter(lab, prepared, folder)));
  }
  lab.remove(folder);
  return { scenario: scenario.name, fault, reached: code !== 0, wrong };
}
