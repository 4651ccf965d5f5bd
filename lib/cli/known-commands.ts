import type { Command } from 'commander';
import type { MakeProgram } from './program.js';

/** A command as its help tells of it. */
export interface KnownCommand {
  /** `generate`, `bench scaling`; empty for nninit itself. */
  readonly path: string;
  readonly command: Command;
  /** What `--help` prints behind the options. */
  readonly after: string;
}

/** Help is written as wide as it likes; a manual page has its own lines. */
const wide = 10_000;

/** nninit itself and all its commands with their options, each command's own commands behind it. */
export async function knownCommands(make: MakeProgram): Promise<KnownCommand[]> {
  const nowhere = { write: () => true, columns: wide };
  const nninit = await make({ stdout: nowhere, stderr: nowhere }, undefined);
  const all = [known('', nninit)];
  for (const name of nninit.commands.map((each) => each.name())) {
    const one = (await make({ stdout: nowhere, stderr: nowhere }, name)).commands.find((each) => each.name() === name);
    if (one === undefined) continue;
    all.push(known(name, one), ...one.commands.map((each) => known(`${name} ${each.name()}`, each)));
  }
  return all;
}

function known(path: string, command: Command): KnownCommand {
  let text = '';
  command.configureOutput({
    writeOut: (piece) => {
      text += piece;
    },
  });
  command.outputHelp();
  const before = command.helpInformation();
  return { path, command, after: text.startsWith(before) ? text.slice(before.length).trim() : '' };
}
