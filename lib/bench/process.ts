import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { z } from 'zod';

/** The compiled entry of a trial's process, from lib/ and from dist/. */
const child_file = fileURLToPath(new URL('../../dist/bench/child.js', import.meta.url));

/** Longer than any trial should take: what hangs is ended. */
const time_limit_ms = 15 * 60_000;

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** The command of a process for one trial of nninit, or of the plain loop. */
export function child_command(what: 'trial' | 'loop', job: unknown): Command {
  return { program: process.execPath, args: ['--expose-gc', child_file, what, JSON.stringify(job)] };
}

/** The same command on certain cores, by Linux's taskset. */
export function pinned(command: Command, cores: readonly number[] | undefined): Command {
  if (cores === undefined) return command;
  return { ...command, program: 'taskset', args: ['-c', cores.join(','), command.program, ...command.args] };
}

/**
 * Runs a command to its end and reads the JSON that it writes.
 *
 * @param name for messages
 * @throws Error with the end of what it wrote to stderr, if it fails, hangs, or writes something else
 */
export async function ask<S extends z.ZodType>(name: string, command: Command, schema: S): Promise<z.output<S>> {
  const { program, args, env } = command;
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    timeout: time_limit_ms,
  });
  const out = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      out[stream] += text;
    });
  }
  const end = await new Promise<string | number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(signal ?? code));
  });
  if (end !== 0) {
    const lines = out.stderr.trim().split('\n').slice(-4).join('\n');
    throw new Error(`bench: ${name} ended with ${end}: ${lines === '' ? 'it wrote nothing to stderr' : lines}`);
  }
  return parse(name, out.stdout, schema);
}

function parse<S extends z.ZodType>(name: string, text: string, schema: S): z.output<S> {
  let value: unknown;
  try {
    // Libraries may print lines of their own before.
    value = JSON.parse(text.trim().split('\n').at(-1) ?? '');
  } catch (cause) {
    throw new Error(`bench: ${name} did not answer with JSON: ${text.slice(0, 200)}`, { cause });
  }
  return schema.parse(value);
}
