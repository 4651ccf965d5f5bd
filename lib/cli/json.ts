import { isPlainObject } from '../core/check.js';
import { printable } from '../core/text.js';

/** One JSON value on a line of its own, for other programs. Keys are snake_case there, as in the files of this field. */
export function writeJson(stream: { write(text: string): unknown }, value: unknown): void {
  stream.write(`${printable(JSON.stringify(snakeKeys(value)))}\n`);
}

/** The same data with its keys in snake_case; keys that hold no capital letters stay, whatever they are. */
function snakeKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeKeys);
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [snake(key), snakeKeys(each)]));
}

const snake = (key: string): string => key.replace(/(?<=[a-z0-9])[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Whether a command line asks for JSON: then errors are told as JSON too. */
export const asksForJson = (args: readonly string[]): boolean =>
  args.includes('--json') || /^report .*--format[ =]json( |$)/s.test(args.join(' '));
