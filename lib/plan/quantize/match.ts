import { RE2JS } from 're2js';
import { InputError } from '../../core/errors.js';
import type { Candidate } from './weight.js';

/** Whether a module's name is meant. */
export type Matches = (module: string) => boolean;

/** Whether one of a module's two names is meant: lists are written with those of the file and with those of the code. */
export function isMeant({ module, inCode }: Pick<Candidate, 'module' | 'inCode'>, matches: Matches): boolean {
  return matches(module) || (inCode !== undefined && matches(inCode));
}

/** Configs are foreign, and JavaScript's own expressions may take exponential time; these take linear time. */
export function expressionOf(pattern: string, place: string): RE2JS {
  try {
    return RE2JS.compile(pattern);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new InputError(`${place}: expected a regular expression, but received ${JSON.stringify(pattern)}: ${why}`, {
      cause,
    });
  }
}

const any =
  (all: readonly Matches[]): Matches =>
  (module) =>
    all.some((matches) => matches(module));

/** transformers' `should_convert_module`, reversed: an expression that the name begins with, or its end. */
export function skipList(patterns: readonly string[], place: string): Matches {
  return any(
    patterns.map((pattern): Matches => {
      const expression = expressionOf(pattern, place);
      return (module) => module.endsWith(pattern) || expression.matcher(module).lookingAt();
    }),
  );
}

/** compressed-tensors' targets: `re:` and an expression that the name begins with, a module's whole name, or a class's. */
export function targetList(patterns: readonly string[], place: string): (module: string, kind: string) => boolean {
  const all = patterns.map((pattern) => {
    if (!pattern.startsWith('re:')) return (module: string, kind: string) => pattern === module || pattern === kind;
    const expression = expressionOf(pattern.slice(3), place);
    return (module: string) => expression.matcher(module).lookingAt();
  });
  return (module, kind) => all.some((matches) => matches(module, kind));
}

/** Globs over whole names, as Python's fnmatch has them: `*` and `?` match dots too. */
export function globList(globs: readonly string[], place: string): Matches {
  return any(
    globs.map((glob): Matches => {
      const parts = [...glob].map((c) => (c === '*' ? '.*' : c === '?' ? '.' : RE2JS.quote(c)));
      const expression = expressionOf(parts.join(''), place);
      return (module) => expression.matcher(module).matches();
    }),
  );
}
