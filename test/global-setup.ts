// Before any test: what workers and processes run is compiled from the sources as they are, and types are checked, those that tests claim too.
// The compiler looks at what changed since its last run only.
import { type ChildProcess, spawnSync } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';

const root = fileURLToPath(new URL('../', import.meta.url));

function run(...args: string[]): void {
  const { LD_PRELOAD: _, ...env } = process.env; // the sanitizers' is for the addon
  const { status, error, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${args.join(' ')} failed:\n${stdout}${stderr}`, { cause: error });
}

function compile(): void {
  run('scripts/compile.js');
  run('node_modules/typescript/bin/tsc', '--noEmit', '--incremental', '--tsBuildInfoFile', 'build/types.tsbuildinfo');
}

/** vitest does not say how a process of its own ended that it did not end itself. */
function tellCrashes(): void {
  subscribe('child_process', (message) => {
    const { process: child } = message as { readonly process: ChildProcess };
    child.once('exit', (code, signal) => {
      if (child.killed || (code === 0 && signal === null)) return;
      console.error(`a process of the tests ended: ${signal ?? `exit code ${code}`}`);
    });
  });
}

export function setup(project: TestProject): void {
  compile();
  tellCrashes();
  project.onTestsRerun(async () => compile());
}
