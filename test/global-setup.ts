// Before any test: what workers and processes run is compiled from the sources as they are, and types are checked, those that tests claim too.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));

function run(...args: string[]): void {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${args.join(' ')} failed:\n${stdout}${stderr}`);
}

export function setup(): void {
  const tsc = 'node_modules/typescript/bin/tsc';
  run('scripts/clean-dist.js');
  run(tsc, '-p', 'tsconfig.build.json');
  run(tsc, '--noEmit');
}
