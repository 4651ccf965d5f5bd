import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Whether this code runs as it was compiled; if not, as TypeScript (tests do that). */
const isCompiled = import.meta.url.endsWith('.js');
const root = new URL(isCompiled ? '../../../' : '../../', import.meta.url);

/** Where a file of this package is: the same from the sources and from what is compiled of them. */
export function packageFile(path: string): string {
  return fileURLToPath(new URL(path, root));
}

/**
 * The compiled file of a source that runs in a thread or a process of its own, which Node.js starts from JavaScript only.
 *
 * @param source its path in the package without an ending, such as 'lib/pool/worker'
 * @throws Error that says what to do if it is not there
 */
export function compiledFile(source: string): string {
  const file = packageFile(`dist/${source}.js`);
  if (existsSync(file)) return file;
  const fix = isCompiled
    ? 'a bundler must leave nninit out of its bundle: mark it as external'
    : 'compile it with `npm run build`';
  throw new Error(`nninit: the file ${file}, which runs in a thread of its own, is missing (${fix})`);
}
