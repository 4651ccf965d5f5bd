/** Two runs that write to one folder at the same time. */
import { spawnSync } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import { indexNameOf } from '../../../../lib/checkpoint/virtual/shards.js';
import { isLeftover } from '../../../../lib/checkpoint/write/commit/journal.js';
import {
  type Ended,
  type Laboratory,
  type Mode,
  npy,
  raw,
  type Spec,
  shards,
  single,
  writeHere,
} from './laboratory.js';
import { type Content, endsWith, look, same, visible } from './matrix.js';

const indexName = indexNameOf('model');

/** A host of its own, with processes that nobody else sees. */
const elsewhere = ['unshare', '-u', '-p', '-f', '--mount-proc', 'sh', '-c', 'hostname elsewhere; exec "$@"', 'sh'];
export const canBeElsewhere = spawnSync('unshare', ['-u', '-p', '-f', '--mount-proc', 'true']).status === 0;

export interface Writer {
  readonly spec: Spec;
  readonly mode: Mode;
}

/** What one round is. */
export interface Round {
  readonly old?: Spec;
  readonly first: Writer;
  readonly second: Writer;
  /** Milliseconds until the second starts. */
  readonly delay: number;
  /** Whether the two cannot see each other's processes. */
  readonly apart: boolean;
  /** Milliseconds after which the first is stopped, and for which. */
  readonly pause?: { readonly after: number; readonly for: number };
}

/** A round from numbers in [0, 1). */
export function drawRound(random: () => number): Round {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const kinds = [single, shards, npy, raw];
  const spec = pick(kinds)(7);
  const other = pick([spec, { ...spec, seed: 8, ...(spec.config && { config: '{"seed": 8}' }) }, pick(kinds)(8)]);
  const old = random() < 0.4 ? pick(kinds)(1) : undefined;
  const modes: Mode[] = old === undefined ? ['new', 'resume', 'force'] : ['force', 'resume'];
  return {
    ...(old && { old }),
    first: { spec, mode: old === undefined ? pick(modes) : 'force' },
    second: { spec: other, mode: pick(modes) },
    delay: random() * 50,
    apart: canBeElsewhere && random() < 0.6,
    ...(random() < 0.7 && { pause: { after: 150 + random() * 500, for: random() * 600 } }),
  };
}

/** How a round ended, and what was wrong with that. */
export interface RoundOutcome {
  readonly codes: readonly (number | null)[];
  readonly wrong: readonly string[];
}

export async function race(lab: Laboratory, round: Round): Promise<RoundOutcome> {
  const { old, first, second, delay, apart, pause } = round;
  const contents = new Map<Spec, Content>();
  for (const spec of [old, first.spec, second.spec]) {
    if (spec === undefined || contents.has(spec)) continue;
    const clean = lab.fresh();
    await writeHere(clean, spec, 'new');
    contents.set(spec, look(clean));
    lab.remove(clean);
  }
  const folder = lab.fresh();
  if (old !== undefined) await writeHere(folder, old, 'new');
  // No sign of life for so short a time, and a live run is taken for gone: that is what must do no harm.
  const options = { more: { graceMs: 60 }, slow: 8000 };
  const one = lab.start(folder, first.spec, first.mode, undefined, options);
  const pausing = pause && pauseLater(one.child.pid, pause);
  await setTimeout(delay);
  const two = lab.start(folder, second.spec, second.mode, undefined, { ...options, under: apart ? elsewhere : [] });
  const limit = setTimeout(30_000, 'hangs' as const, { ref: false });
  const ended = await Promise.race([limit, Promise.all([one.ended, two.ended])]);
  await pausing;
  if (ended === 'hangs') {
    one.child.kill('SIGKILL');
    two.child.kill('SIGKILL');
    return { codes: [], wrong: ['a run hangs'] };
  }
  const wrong = [...wrongWith(ended, look(folder), round, contents)];
  // Whatever came of it, a third one brings it to an end.
  await setTimeout(100);
  await writeHere(folder, first.spec, 'force', { graceMs: 60 }).catch((cause) => wrong.push(`--force then: ${cause}`));
  if (!endsWith(look(folder), contents.get(first.spec) ?? {})) wrong.push(`--force then: ${Object.keys(look(folder))}`);
  lab.remove(folder);
  return { codes: ended.map(({ code }) => code), wrong };
}

async function pauseLater(pid: number | undefined, { after, for: time }: { after: number; for: number }) {
  await setTimeout(after);
  try {
    process.kill(pid ?? 0, 'SIGSTOP');
    await setTimeout(time);
    process.kill(pid ?? 0, 'SIGCONT');
  } catch {
    // it has ended
  }
}

function* wrongWith(ended: readonly Ended[], content: Content, round: Round, contents: ReadonlyMap<Spec, Content>) {
  const seen = visible(content);
  const all = [...contents.values()];
  const told = `${ended.map(({ code, stderr }) => `${code} ${stderr.trim()}`).join(' | ')}; there: ${Object.keys(content)}`;
  for (const { code, stderr } of ended) {
    if (code === 0 ? stderr !== '' : !(code === 1 || code === 2) || !/^nninit: [^\n]+\n$/.test(stderr)) {
      yield `ended with ${code}, saying: ${stderr}`;
    }
  }
  for (const [name, digest] of Object.entries(seen)) {
    if (all.every((each) => each[name] !== digest)) yield `${name} is spoiled; ${told}`;
  }
  const tells = [indexName, 'manifest.json', 'model.safetensors'].some((name) => name in seen);
  if (tells && !all.some((each) => same(seen, each))) yield `parts of two; ${told}`;
  const winners = [round.first, round.second].filter((_, i) => ended[i]?.code === 0);
  const goesOn = Object.keys(content).some((name) => name.startsWith('.'));
  if (winners.length > 0 && !goesOn && !winners.some(({ spec }) => same(seen, contents.get(spec) ?? {}))) {
    yield `nobody's; ${told}`;
  }
  // A run that succeeded, and nobody says that something is left to do.
  const isLeft = ended.some(({ stderr }) => stderr.includes('--resume'));
  if (winners.length > 0 && !isLeft && Object.keys(content).some(isLeftover)) yield `leftovers; ${told}`;
}
