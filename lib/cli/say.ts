import { errorCode } from '../core/errors.js';
import { printable } from '../core/text.js';
import { exitCodeOf } from './failure.js';
import { writeJson } from './json.js';

interface TextStream {
  write(text: string): unknown;
}

/** A warning in one line; foreign text cannot make it more. */
export function warn(stderr: TextStream, text: string): void {
  stderr.write(`nninit: warning: ${printable(text)}\n`);
}

/** Lines of text, in which foreign parts cannot move a terminal's cursor. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

/** An error for programs: `{"error": {"message", "code", "path", "exit_code"}}` on a line of its own. */
export function writeFailure(stderr: TextStream, error: unknown, message: string, exitCode = exitCodeOf(error)): void {
  const path = typeof error === 'object' && error !== null && 'path' in error ? error.path : undefined;
  writeJson(stderr, { error: { message, code: errorCode(error) ?? null, path: path ?? null, exitCode } });
}
