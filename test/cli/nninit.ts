import { type Output, run } from '../../lib/cli/program.js';

/** What a command said, and its exit code. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command in this process, with a terminal's output or a file's. */
export async function nninit(args: readonly string[], { isTTY = false } = {}): Promise<Ran> {
  const text = { stdout: '', stderr: '' };
  const output = (name: 'stdout' | 'stderr'): Output => ({
    isTTY,
    write: (piece: string) => {
      text[name] += piece;
    },
  });
  const code = await run(args, { stdout: output('stdout'), stderr: output('stderr') });
  return { code, ...text };
}
