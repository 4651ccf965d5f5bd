import { isPlainObject } from '../core/check.js';
import { escaped, withoutPassword } from '../core/text.js';

/** One JSON value on a line of its own, for other programs. Keys are snake_case there, as in the files of this field. */
export function writeJson(stream: { write(text: string): unknown }, value: unknown): void {
  stream.write(`${escaped(JSON.stringify(told(value)))}\n`);
}

/** The same data with its keys in snake_case; keys that hold no capital letters stay, whatever they are. And without passwords, which end with their text. */
function told(value: unknown): unknown {
  if (typeof value === 'string') return withoutPassword(value);
  if (Array.isArray(value)) return value.map(told);
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [snake(key), told(each)]));
}

const snake = (key: string): string => key.replace(/(?<=[a-z0-9])[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Whether a command line asks for JSON: then errors are told as JSON too. */
export const asksForJson = (args: readonly string[]): boolean =>
  args.includes('--json') || /^report .*--format[ =]json( |$)/s.test(args.join(' '));
