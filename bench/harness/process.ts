import { spawn } from 'node:child_process';
import type { z } from 'zod';
import { compiledFile } from '../../lib/core/package-files.js';
import { strerror } from '../../lib/core/strerror.js';

/** Longer than any trial should take: what hangs is ended. */
const timeLimitMs = 15 * 60_000;

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** The command of a process for one trial of nninit, or of the plain loop. */
export function childCommand(what: 'trial' | 'loop', job: unknown): Command {
  return {
    program: process.execPath,
    args: ['--expose-gc', compiledFile('bench/harness/child'), what, JSON.stringify(job)],
  };
}

/** The same command on certain cores, by Linux's taskset. */
export function pinned(command: Command, cores: readonly number[] | undefined): Command {
  if (cores === undefined) return command;
  return { ...command, program: 'taskset', args: ['-c', cores.join(','), command.program, ...command.args] };
}

/** What a process came to: its output, and its exit code or the signal that ended it. */
interface Ended {
  readonly stdout: string;
  readonly stderr: string;
  readonly end: string | number | null;
}

async function runToEnd({ program, args, env }: Command, signal: AbortSignal | undefined): Promise<Ended> {
  signal?.throwIfAborted();
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  const out = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      out[stream] += text;
    });
  }
  const kill = () => child.kill('SIGKILL');
  let leave = (): void => undefined;
  // Not spawn's own `timeout`: where the program cannot be started, its timer keeps this process alive to the end.
  const timer = setTimeout(kill, timeLimitMs);
  try {
    const end = await new Promise<string | number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signalName) => resolve(signalName ?? code));
      // A trial holds nothing that is to be put in order, and a process with much memory takes long to end: there is less time to hand over
      // what was measured.
      leave = () => {
        kill();
        resolve('SIGKILL');
      };
      signal?.addEventListener('abort', leave);
    });
    return { ...out, end };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', leave);
  }
}

/**
 * Runs a command to its end and reads the JSON that it writes.
 *
 * @param name for messages
 * @param signal ends it
 * @throws Error with the end of what it wrote to stderr, if it cannot be started, fails, hangs, or writes something else
 */
export async function ask<S extends z.ZodType>(
  name: string,
  command: Command,
  schema: S,
  signal?: AbortSignal,
): Promise<z.output<S>> {
  let ended: Ended;
  try {
    ended = await runToEnd(command, signal);
  } catch (cause) {
    signal?.throwIfAborted();
    throw new Error(`bench: ${name}: could not start ${command.program}: ${strerror(cause)}`, { cause });
  }
  signal?.throwIfAborted();
  const { end, stdout, stderr } = ended;
  if (end !== 0) {
    const lines = stderr.trim().split('\n').slice(-4).join('\n');
    throw new Error(`bench: ${name} ended with ${end}: ${lines === '' ? 'it wrote nothing to stderr' : lines}`);
  }
  return parse(name, stdout, schema);
}

function parse<S extends z.ZodType>(name: string, text: string, schema: S): z.output<S> {
  const refuse = (cause: unknown) =>
    new Error(`bench: ${name} did not answer as expected: ${text.trim().slice(0, 200) || 'nothing'}`, { cause });
  let value: unknown;
  try {
    // Libraries may print lines of their own before.
    value = JSON.parse(text.trim().split('\n').at(-1) ?? '');
  } catch (cause) {
    throw refuse(cause);
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw refuse(parsed.error);
  return parsed.data;
}
