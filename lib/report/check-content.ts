import { checkOptions, isPlainObject, typeError } from '../core/check.js';
import type { ReportContent } from './page.js';

/** Of each list: which function made its members, and which field tells that. */
const lists = [
  ['signals', 'what signalReport gave', (each) => Array.isArray(each.series)],
  ['tensors', 'what tensorReport gave', (each) => Array.isArray(each.tensors) && Array.isArray(each.differences)],
  ['differences', 'what tensorDifferences gave', (each) => typeof each.tensor === 'string'],
] as const satisfies readonly (readonly [string, string, (each: Readonly<Record<string, unknown>>) => boolean])[];

/** What a page or pictures are made of, checked as far as nothing of another kind gets in. */
export function checkContent(fn: string, content: unknown): ReportContent {
  if (!isPlainObject(content)) throw typeError(fn, 'content', '{ title, signals, tensors, differences }', content);
  const given = checkOptions(fn, content, ['title', 'signals', 'tensors', 'differences']);
  const { title } = given;
  if (title !== undefined && typeof title !== 'string') throw typeError(fn, 'title', 'a string', title);
  for (const [name, what, isOne] of lists) {
    const list = given[name];
    if (list === undefined) continue;
    if (!Array.isArray(list)) throw typeError(fn, name, `an array of ${what}`, list);
    for (const [i, each] of list.entries()) {
      if (!isPlainObject(each) || !isOne(each)) throw typeError(fn, `${name}[${i}]`, what, each);
    }
  }
  return given as ReportContent;
}
