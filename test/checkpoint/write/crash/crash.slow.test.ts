/** All of the matrix, with its report: scripts/crash-matrix. */
import { writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { expect, test } from 'vitest';
import { textTable } from '../../../../lib/core/table.js';
import { isPossible, Laboratory } from './laboratory.js';
import { endings, endingsOf, prepare, tryEndings } from './matrix.js';
import { drawRound, race } from './race.js';
import { errors, errorsOf, scenarios, tryAll, wrongOf } from './scenarios.js';

/** Every n-th point is ended in earnest, besides what the copies show. */
const killStep = 10;

/** Every n-th error is tried. */
const step = Number(process.env.NNINIT_CRASH_STEP ?? 1);
const rounds = Number(process.env.NNINIT_CRASH_ROUNDS ?? 200);

const sum = (counts: Map<string, number>, key: string, more: number) => counts.set(key, (counts.get(key) ?? 0) + more);

// The script is there for this: where it cannot be done it fails.
test.skipIf(!isPossible && process.env.NNINIT_CRASH_REPORT === undefined)(
  'wherever a run ends, one whole checkpoint is there, or none',
  async () => {
    const start = performance.now();
    const lab = new Laboratory();
    const wrong: string[] = [];
    const ended: string[][] = [];
    const failed = new Map<string, number>();
    let at = 0;
    const some = <T>(list: readonly T[]): T[] => list.filter(() => at++ % step === 0);
    for (const scenario of scenarios) {
      const prepared = await prepare(lab, scenario);
      const left = await tryEndings(lab, prepared);
      const counts = endings.map((how) => left.filter(({ fault }) => fault.how === how).length);
      const killed = await tryAll(
        lab,
        prepared,
        endingsOf(prepared.calls).filter((_, i) => i % killStep === 0),
      );
      const reached = killed.filter((each) => each.reached).length;
      ended.push([scenario.name, ...[prepared.calls.length, ...counts, reached].map(String)]);
      wrong.push(...wrongOf(left), ...wrongOf(killed));
      for (const row of errors) {
        const ofRow = await tryAll(lab, prepared, some(await errorsOf(lab, prepared, row)));
        sum(failed, row.name, ofRow.length);
        wrong.push(...wrongOf(ofRow));
      }
    }
    const codes = new Map<string, number>();
    let left = rounds;
    const next = async (): Promise<void> => {
      while (left-- > 0) {
        const round = drawRound(Math.random);
        const outcome = await race(lab, round);
        sum(codes, [...outcome.codes].sort().join(' and '), 1);
        wrong.push(...outcome.wrong.map((what) => `${JSON.stringify(round)}: ${what}`));
      }
    };
    await Promise.all([next(), next(), next()]);
    lab.remove(lab.root);
    const minutes = ((performance.now() - start) / 60_000).toFixed(0);
    if (process.env.NNINIT_CRASH_REPORT !== undefined) {
      writeFileSync(process.env.NNINIT_CRASH_REPORT, report({ ended, failed, codes, wrong, minutes }));
    }
    expect(wrong).toEqual([]);
    // What was never ended or failed says nothing.
    expect(ended.filter(([, calls, , , , reached]) => !(Number(calls) > 0 && Number(reached) > 0))).toEqual([]);
    expect([...failed.values()].reduce((all, n) => all + n, 0)).toBeGreaterThan(0);
  },
  3 * 3_600_000,
);

function report({
  ended,
  failed,
  codes,
  wrong,
  minutes,
}: {
  readonly ended: string[][];
  readonly failed: ReadonlyMap<string, number>;
  readonly codes: ReadonlyMap<string, number>;
  readonly wrong: readonly string[];
  readonly minutes: string;
}): string {
  const tried = step === 1 ? 'every error' : `every ${step}th error`;
  const block = (text: string) => `\`\`\`text\n${text.trimEnd()}\n\`\`\``;
  const tables = [
    textTable({
      head: ['scenario', 'calls', ...endings, 'ended'],
      align: ['left', 'right', 'right', 'right', 'right', 'right'],
      rows: ended,
    }),
    textTable({
      head: ['error', 'runs'],
      align: ['left', 'right'],
      rows: [...failed].map(([name, n]) => [name, String(n)]),
    }),
    textTable({
      head: ['exit codes', 'rounds'],
      align: ['left', 'right'],
      rows: [...codes].map(([name, n]) => [name, String(n)]),
    }),
  ].map(block);
  return `# Crash matrix

\`\`\`sh
scripts/crash-matrix    # all of it, half an hour on two cores; "scripts/crash-matrix 5" tries every 5th error
\`\`\`

A small checkpoint is written by a process of its own, with a library before the C library (\`test/checkpoint/write/crash/faults.c\`) that counts the
calls that change files: opens that create, writes, renames, unlinks, syncs, links, mkdir, rmdir, truncations. At each of them it copies what a process that ends
there would leave, while all other calls wait: so one run shows every end of a scenario. At every ${killStep}th the process is ended in earnest too (column "ended"), and at one after the
other the call fails. This file is written by the script. Here: all ends, ${tried}, Node ${process.versions.node}, Linux ${release()}, ${minutes} minutes.

**After each end** the following must hold, or the point is a failure:

- What can be seen is the old checkpoint whole, or the new one whole, or nothing that tells it is complete (no index, manifest or only file, and \`nninit verify\`
  does not open it). No file that can be seen is half one thing. A file of someone else's stays.
- A plain run is refused and changes nothing, where anything is.
- \`--resume\` and, from the same state, \`--force\` end with exactly the bytes of an undisturbed run, and no hidden file.
- \`--resume\` makes nothing anew that is complete, or that the journal calls synced.

\`kill\` is SIGKILL before the call. \`torn\` is SIGKILL after half of a write. \`power\` also loses what a power failure may take: all bytes since a file's last sync
become zeros, and all names since the folder's last sync are as they were before.

${tables[0]}

**An error** must end the run with exit code 1 and one line that names the path, unless the call may simply be made again (EINTR, a short write). What is left is as
above, and if the line does not say that \`--resume\` goes on, as it was before.

${tables[1]}

**Two runs at once** on one folder, 0 to 50 ms apart, slowed down at random; of the same or another seed or format, over an old checkpoint or none; half of the
second ones with another host name and process space; the first stopped and continued at random. A run counts as gone after 60 ms in place of 10 s without a sign
of life, so that live ones are taken over. No file may be spoiled, no parts of two may look like one, and whoever ends with 0 has its checkpoint there.

${tables[2]}

${wrong.length === 0 ? 'No failure.' : `Failures:\n\n${wrong.map((line) => `- ${line}`).join('\n')}`}
`;
}
