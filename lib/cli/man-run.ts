import type { Command } from 'commander';
import { didYouMean } from '../core/check.js';
import { InputError } from '../core/errors.js';
import { version } from '../core/version.js';
import { type KnownCommand, knownCommands } from './known-commands.js';
import type { MakeProgram, Streams } from './program.js';

/** Prints a page. */
export async function runMan(name: string | undefined, { stdout }: Streams, make: MakeProgram): Promise<void> {
  const pages = await manPages(make);
  const page = pages.get(name === undefined || name === 'nninit' ? 'nninit' : `nninit-${name}`);
  if (page === undefined) {
    const hint = didYouMean(
      name ?? '',
      Array.from(pages.keys(), (each) => each.replace('nninit-', '')),
    );
    throw new InputError(`man: expected a command, but received '${name}'${hint === undefined ? '' : ` (${hint})`}`);
  }
  stdout.write(page);
}

/** Pages by their names, `nninit` and `nninit-generate`, in the language of man. */
export async function manPages(make: MakeProgram): Promise<ReadonlyMap<string, string>> {
  const all = await knownCommands(make);
  const [nninit, ...commands] = all.filter(({ path }) => !path.includes(' '));
  const names = commands.map(({ path }) => `nninit-${path}`);
  const pages = new Map<string, string>();
  for (const each of [nninit, ...commands]) {
    if (each === undefined) continue;
    const own = all.filter(({ path }) => each.path !== '' && path.startsWith(`${each.path} `));
    const title = each.path === '' ? 'nninit' : `nninit-${each.path}`;
    const others = each.path === '' ? names : ['nninit'];
    pages.set(title, pageOf(title, each, own, others));
  }
  return pages;
}

/** Text in which nothing is a command of man. */
const plain = (text: string) =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/gm, '\\&$1');

const bold = (text: string) => `\\fB${plain(text)}\\fR`;

/** An item of a list: a term and what it means. */
const item = (term: string, text: string) => `.TP\n${bold(term)}\n${plain(text)}\n`;

function pageOf(
  title: string,
  { path, command, after }: KnownCommand,
  own: readonly KnownCommand[],
  others: readonly string[],
): string {
  const help = command.createHelp();
  const usage = help
    .commandUsage(command)
    .replace(/^nninit\s*/, '')
    .replace(path === '' ? '' : `${path} `, '');
  const summary =
    path === ''
      ? "initial weights of neural networks, PyTorch's torch.nn.init and whole checkpoints"
      : command.summary();
  const args = help.visibleArguments(command);
  const commands = path === '' ? help.visibleCommands(command).filter((each) => each.name() !== 'help') : [];
  return [
    `.TH ${title.toUpperCase()} 1 "" "nninit ${version}" "nninit"\n`,
    `.SH NAME\n${plain(title)} \\- ${plain(summary)}\n`,
    `.SH SYNOPSIS\n${bold(path === '' ? 'nninit' : `nninit ${path}`)} ${plain(usage)}\n`,
    `.SH DESCRIPTION\n${plain(command.description())}\n`,
    args.length > 0
      ? `.SH ARGUMENTS\n${args.map((each) => item(help.argumentTerm(each), help.argumentDescription(each))).join('')}`
      : '',
    commands.length > 0 ? `.SH COMMANDS\n${commands.map((each) => item(each.name(), each.summary())).join('')}` : '',
    `.SH OPTIONS\n${optionsOf(command)}`,
    ...own.map(
      (each) =>
        `.SH COMMAND ${plain(each.command.name().toUpperCase())}\n${plain(each.command.description())}\n${optionsOf(each.command)}`,
    ),
    sectionsOf(after),
    `.SH SEE ALSO\n${others.map((name) => `${bold(name)}(1)`).join(', ')}\n`,
  ].join('');
}

function optionsOf(command: Command): string {
  const help = command.createHelp();
  return help
    .visibleOptions(command)
    .map((option) => item(help.optionTerm(option), help.optionDescription(option)))
    .join('');
}

/** What stands behind the options: `Examples:` and the like have sections of their own, lines that begin with spaces stay as they are. */
function sectionsOf(text: string): string {
  let page = '';
  let isBegun = false;
  for (const part of text.split(/\n\s*\n/).filter((each) => each.trim() !== '')) {
    const [, head, rest = part] = /^([A-Z][A-Za-z ]*):\n?(.*)$/s.exec(part) ?? [];
    if (head !== undefined) page += `.SH ${head.toUpperCase()}\n`;
    else page += isBegun ? '.PP\n' : '.SH NOTES\n';
    isBegun = true;
    page +=
      /^ /.test(rest) && rest.includes('  ') && head !== undefined
        ? `.nf\n${plain(rest.replace(/^ {2}/gm, ''))}\n.fi\n`
        : `${plain(rest.trim())}\n`;
  }
  return page;
}
