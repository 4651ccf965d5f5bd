import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** Where this file is in the package, from its sources and from what is compiled of them. A bundle in CommonJS has no address at all. */
const place =
  /(?<root>^file:.*?\/)(?:(?:dist|build\/modules)\/)?lib\/(?:core|chunks)\/package-files[^/]*\.(?<kind>js|ts)$/.exec(
    import.meta.url ?? '',
  );
const isCompiled = place?.groups?.kind === 'js';

/**
 * Where a file of this package is: the same from the sources and from what is compiled of them.
 *
 * @throws Error that says what to do where a bundler took this code out of its package
 */
export function packageFile(path: string): string {
  const root = place?.groups?.root;
  if (root === undefined) {
    throw new Error(
      `nninit: ${path} is not there, because a bundler took nninit's code out of its package and left the rest behind. ` +
        "Leave nninit out of the bundle and install it beside: external: ['nninit'], see docs/installing.md",
    );
  }
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
  const fix = isCompiled ? 'install nninit again' : 'compile it with `npm run build`';
  throw new Error(`nninit: the file ${file}, which runs in a thread of its own, is missing (${fix})`);
}

/** A package that travels in this one's dist/vendor/, loaded when it is asked for. */
export function vendored(name: 'piscina' | 'detect-libc'): unknown {
  return createRequire(import.meta.url)(compiledFile(`vendor/${name}`));
}
