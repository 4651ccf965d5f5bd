import type { Argument, Command, Option } from 'commander';
import { knownModels } from '../plan/known-models.js';
import type { shells } from './completion.js';
import { type KnownCommand, knownCommands } from './known-commands.js';
import type { MakeProgram, Streams } from './program.js';

/** Prints a shell's script. */
export async function runCompletion(
  shell: (typeof shells)[number],
  { stdout }: Streams,
  make: MakeProgram,
): Promise<void> {
  stdout.write(await completionFor(shell, make));
}

/** The script for a shell: what is completed is written in it, so that no Node.js starts at each key. */
export async function completionFor(shell: (typeof shells)[number], make: MakeProgram): Promise<string> {
  const commands = (await knownCommands(make)).map(completed);
  const head = `# Completions of nninit, as \`nninit completion ${shell}\` prints them.\n`;
  switch (shell) {
    case 'bash':
      return head + bash(commands);
    case 'zsh':
      return `#compdef nninit\n${head}${zsh(commands)}`;
    case 'fish':
      return head + fish(commands);
  }
}

/** What may stand in a place: some words, files, or what nobody can guess. */
interface Values {
  readonly words: readonly string[];
  readonly files: boolean;
}

interface Completed {
  /** `generate`, `bench scaling`; empty for nninit itself. */
  readonly path: string;
  readonly summary: string;
  readonly options: readonly {
    readonly flags: readonly string[];
    readonly description: string;
    /** Undefined for those that take none. */
    readonly values: Values | undefined;
    /** Whether the value may be left out. */
    readonly optional: boolean;
  }[];
  /** What may stand where no option does. */
  readonly values: Values;
}

const models = knownModels.map(({ name }) => name);

function completed({ path, command }: KnownCommand): Completed {
  const names = command.commands.map((each) => each.name());
  const args = command.registeredArguments;
  const commandsToo = path === '' ? ['help', ...names] : names;
  return {
    path,
    summary: path === '' ? '' : command.summary(),
    options: command
      .createHelp()
      .visibleOptions(command)
      .map((option) => ({
        flags: [option.long, option.short].filter((flag) => flag !== undefined && flag !== null),
        description: option.description,
        values: option.required || option.optional ? valuesOfOption(option) : undefined,
        optional: option.optional,
      })),
    values: {
      words: [...commandsToo, ...args.flatMap(wordsOf), ...(path === 'man' ? manNames(command) : [])],
      files: args.some((argument) => argument.argChoices === undefined) && path !== 'man',
    },
  };
}

const valuesOfOption = ({ flags, argChoices }: Option): Values => ({
  words: argChoices ?? [],
  files: argChoices === undefined && /[<[](dir|file|path)[>\]]/.test(flags),
});

/** Models where an input may be one. */
const wordsOf = (argument: Argument): readonly string[] =>
  argument.argChoices ?? (/^(input|other|inputs)$/.test(argument.name()) ? models : []);

const manNames = (command: Command) => (command.parent?.commands ?? []).map((each) => each.name());

/** In single quotes, as sh and zsh take them. */
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
const last = (path: string) => path.split(' ').at(-1) ?? '';

/** The part that both shells with `case` share: which command it is, of what was found before and a word. */
function commandCases(commands: readonly Completed[], word: string): string {
  const paths = commands.filter(({ path }) => path !== '').map(({ path }) => path);
  const first = paths.filter((path) => !path.includes(' ')).map((path) => quoted(`:${path}`));
  const second = paths.filter((path) => path.includes(' '));
  return [
    `      ${first.join('|')}) command=${word} ;;\n`,
    ...second.map((path) => `      ${quoted(path.replace(' ', ':'))}) command=${quoted(path)} ;;\n`),
  ].join('');
}

function bash(commands: readonly Completed[]): string {
  const words = ({ words: list, files }: Values) =>
    `${list.length > 0 ? `mapfile -t COMPREPLY < <(compgen -W ${quoted(list.join(' '))} -- "$cur")` : ':'}${files ? '; _nninit_files' : ''}`;
  const each = commands.map(({ path, options, values: one }) => {
    const flags = options.flatMap((option) => option.flags).join(' ');
    return `    ${quoted(path)})\n      if [[ $cur == -* ]]; then mapfile -t COMPREPLY < <(compgen -W ${quoted(flags)} -- "$cur")\n      else ${words(one)}; fi ;;\n`;
  });
  return `_nninit_files() {
  local found
  mapfile -t found < <(compgen -f -- "$cur")
  COMPREPLY+=("\${found[@]}")
  compopt -o filenames
}
_nninit() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command= word
  COMPREPLY=()
  # --option=value is three words here
  if [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev=\${COMP_WORDS[COMP_CWORD-2]}; fi
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD<3?COMP_CWORD-1:2}"; do
    case "$command:$word" in
${commandCases(commands, '$word')}    esac
  done
  case "$command:$prev" in
${valueCases(commands, words)}  esac
  case "$command" in
${each.join('')}  esac
}
complete -F _nninit nninit
`;
}

/** What may follow each option that takes a value, in bash and zsh. */
function valueCases(commands: readonly Completed[], words: (values: Values) => string): string {
  const cases = commands.flatMap(({ path, options }) =>
    options.flatMap(({ flags, values, optional }) => {
      if (values === undefined) return [];
      const pattern = flags.map((flag) => quoted(`${path}:${flag}`)).join('|');
      return [`    ${pattern}) ${words(values)}; ${optional ? '[[ $cur == -* ]] || return' : 'return'} ;;\n`];
    }),
  );
  return cases.join('');
}

function zsh(commands: readonly Completed[]): string {
  const words = ({ words: list, files }: Values) =>
    [list.length > 0 ? `compadd -- ${list.map(quoted).join(' ')}` : '', files ? '_files' : '']
      .filter(Boolean)
      .join('; ') || ':';
  const described = (flag: string, text: string) => quoted(`${flag.replaceAll(':', '\\:')}:${text}`);
  const summaries = new Map(commands.map(({ path, summary }) => [path, summary]));
  const each = commands.map(({ path, options, values: one }) => {
    const list = options.flatMap(({ flags, description }) => flags.map((flag) => described(flag, description)));
    const names = one.words.map((word) => [word, summaries.get(path === '' ? word : `${path} ${word}`)] as const);
    const ofCommands = names.filter(([, summary]) => summary !== undefined);
    const rest = { ...one, words: names.filter(([, summary]) => summary === undefined).map(([word]) => word) };
    const describe =
      ofCommands.length > 0
        ? `found=(${ofCommands.map(([word, summary]) => described(word, summary ?? '')).join(' ')}); _describe command found; `
        : '';
    return `    ${quoted(path)})\n      if [[ $cur == -* ]]; then found=(${list.join(' ')}); _describe -o option found\n      else ${describe}${words(rest)}; fi ;;\n`;
  });
  return `_nninit() {
  local cur=$words[CURRENT] prev=$words[CURRENT-1] command= i
  local -a found
  # --option=value
  if [[ $cur == --*=* ]]; then prev=\${cur%%=*}; cur=\${cur#*=}; compset -P '*='; fi
  for ((i = 2; i < CURRENT && i < 4; i++)); do
    case "$command:$words[i]" in
${commandCases(commands, '$words[i]')}    esac
  done
  case "$command:$prev" in
${valueCases(commands, words)}  esac
  case "$command" in
${each.join('')}  esac
}
if [[ $funcstack[1] == _nninit ]]; then _nninit "$@"; else compdef _nninit nninit; fi
`;
}

/** In single quotes, as fish takes them. */
const fishQuoted = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

function fish(commands: readonly Completed[]): string {
  const names = commands.flatMap(({ path }) => (path === '' || path.includes(' ') ? [] : [path]));
  const ofHelp = `complete -c nninit -n '__fish_seen_subcommand_from help' -a ${fishQuoted(names.join(' '))}`;
  const lines = ['complete -c nninit -f', ofHelp];
  const nested = (path: string) =>
    commands.filter((each) => each.path.startsWith(`${path} `)).map((each) => last(each.path));
  for (const { path, options, values } of commands) {
    const seen = path.split(' ').map((word) => `__fish_seen_subcommand_from ${word}`);
    // `bench report` is not `report`.
    const over = commands.filter((each) => each.path.endsWith(` ${path}`)).map((each) => each.path.split(' ')[0]);
    const others = path === '' ? [] : [...nested(path), ...over, 'help'];
    const without = others.map((word) => `not __fish_seen_subcommand_from ${word}`);
    const condition = fishQuoted(path === '' ? '__fish_use_subcommand' : [...seen, ...without].join('; and '));
    for (const { flags, description, values: one } of options) {
      const names = flags
        .map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`))
        .join(' ');
      const takes =
        one === undefined
          ? ''
          : one.files
            ? ' -r -F'
            : one.words.length > 0
              ? ` -x -a ${fishQuoted(one.words.join(' '))}`
              : ' -x';
      lines.push(`complete -c nninit -n ${condition} ${names}${takes} -d ${fishQuoted(description)}`);
    }
    for (const word of values.words) {
      const summary = commands.find((each) => each.path === (path === '' ? word : `${path} ${word}`))?.summary;
      const about = summary === undefined ? '' : ` -d ${fishQuoted(summary)}`;
      lines.push(`complete -c nninit -n ${condition} -a ${fishQuoted(word)}${about}`);
    }
    if (values.files) lines.push(`complete -c nninit -n ${condition} -F`);
  }
  return `${lines.join('\n')}\n`;
}
