import { isRefusal } from '../core/check.js';
import { InputError, InterruptedError, stdoutName, WriteError } from '../core/errors.js';
import { printable } from '../core/text.js';

/** What the process ends with. */
export const exitCodes = {
  ok: 0,
  /** The work failed: the disk is full, the folder is read-only, the addon is missing, … */
  failure: 1,
  /** Bad usage or bad input: nothing was begun. */
  usage: 2,
  /** 128 + the number of the signal, as shells count. */
  SIGHUP: 129,
  SIGINT: 130,
  SIGTERM: 143,
} as const;

export type Signal = 'SIGHUP' | 'SIGINT' | 'SIGTERM';

/** The exit code that an error stands for. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof InputError || isRefusal(error)) return exitCodes.usage;
  if (error instanceof InterruptedError) return exitCodes[error.cause as Signal] ?? exitCodes.failure;
  return exitCodes.failure;
}

/** What the library calls an option, and what the command line calls it. */
const flags = [
  ["existing: 'replace'", '--force'],
  ["existing: 'resume' without a part", '--resume without --part'],
  ["existing: 'resume'", '--resume'],
  ['statistics: true', '--statistics'],
  ['give the plan that it should be', 'give an input, or --like with rules'],
  ['{ like: path }', '--like'],
  ['the option dtype', '--dtype'],
  ['give it as an option', 'give it with --seed'],
  [' for name, but', ' for --name, but'],
  [' for quantize, but', ' for --quantize, but'],
  ['input: lora.', '--lora '],
] as const;

/**
 * An error for people: one line, or all of it where NNINIT_DEBUG is set.
 *
 * @param again what goes on with what is left
 */
export function describeError(error: unknown, debug: boolean, again = '--resume'): string {
  if (!(error instanceof Error)) return `nninit: ${String(error)}`;
  if (debug && error.stack !== undefined)
    return error.stack + (error.cause instanceof Error ? `\ncaused by ${error.cause.stack}` : '');
  const text = isRefusal(error) ? error.message.replace(/^\w+: /, '') : ofSystem(error); // which function it was, users did not ask
  const line = printable(inFlags(text).replace(/\s*\n\s*/g, ' ')) + whatIsLeft(error, again);
  return line.startsWith('nninit: ') ? line : `nninit: ${line}`;
}

/** The working directory is asked for at many places; each version of Node.js has other words for one that is gone. */
const ofSystem = (error: NodeJS.ErrnoException): string =>
  error.syscall === 'uv_cwd' && error.code === 'ENOENT'
    ? 'the working directory was removed: change to one that is there'
    : error.message;

/** A word that may be a part of a path too. */
const shardSize = /(?<![\w./\\-])maxShardSize(?![\w./\\-])/g;

function inFlags(text: string): string {
  return flags
    .reduce((said, [option, flag]) => said.replaceAll(option, flag), text)
    .replace(shardSize, '--max-shard-size');
}

function whatIsLeft(error: Error, again: string): string {
  if (!(error instanceof InterruptedError || error instanceof WriteError)) return '';
  if (error.resumable) return `; what is complete stays, and ${again} goes on`;
  return error instanceof InterruptedError && error.path !== stdoutName ? '; what was begun is removed' : '';
}
