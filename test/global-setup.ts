// Before any test: what workers and processes run is compiled from the sources as they are, and types are checked, those that tests claim too.
// The compiler looks at what changed since its last run only.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';

const root = fileURLToPath(new URL('../', import.meta.url));

function run(...args: string[]): void {
  const { LD_PRELOAD: _, ...env } = process.env; // the sanitizers' is for the addon
  const { status, error, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${args.join(' ')} failed:\n${stdout}${stderr}`, { cause: error });
}

function compile(): void {
  const tsc = 'node_modules/typescript/bin/tsc';
  run('scripts/clean-dist.js');
  run(tsc, '-p', 'tsconfig.build.json');
  run(tsc, '--noEmit', '--incremental', '--tsBuildInfoFile', 'build/types.tsbuildinfo');
}

export function setup(project: TestProject): void {
  compile();
  project.onTestsRerun(async () => compile());
}
