import { counted, duration, printable, size } from '../core/text.js';
import type { Output } from './program.js';

/** Tells how far the work is. */
export interface Progress {
  /** @param done bytes that this run has written or read, or steps */
  update(done: number): void;
  stop(): void;
}

/** Bytes to write or to look at: `doneBytes` of `bytes` are there already, from a run before. */
export interface Task {
  readonly path: string;
  readonly tensors: number;
  readonly files: number;
  readonly bytes: number;
  readonly doneBytes: number;
  /** Where they are many, each of so many tensors. */
  readonly checkpoints?: number | undefined;
  /** 'writing … to' if left out. */
  readonly verb?: 'writing … to' | 'checking … of' | undefined;
}

/** Plain lines come at most this often. */
const secondsBetweenLines = 5;

const [hideCursor, showCursor, clear] = ['\x1b[?25l', '\x1b[?25h', '\r\x1b[K'];

/** A bar on a terminal, without colours and as wide as there is room; a few plain lines elsewhere. */
export async function showProgress(output: Output, task: Task): Promise<Progress> {
  const { path, tensors, files, bytes, doneBytes, checkpoints, verb = 'writing … to' } = task;
  const of = checkpoints === undefined ? '' : `${counted(checkpoints, 'checkpoint')} of `;
  const inFiles = files > 1 ? ` in ${counted(files, 'file')}` : '';
  const there = doneBytes > 0 ? `, of which ${size(doneBytes)} are there,` : ',';
  const what = `${of}${counted(tensors, 'tensor')}${inFiles}, ${size(bytes)}${there}`;
  const begin = `${verb.replace('…', what)} ${printable(path)}`;
  return show(output, {
    begin,
    total: bytes,
    before: doneBytes,
    amounts: (done, rate) => ({ done: `${size(done)} of ${size(bytes)}`, rate: `${size(rate)}/s` }),
  });
}

/** The same of work in steps that need no names: its share, and the time left. */
export function showSteps(output: Output, begin: string, steps: number): Progress {
  return show(output, { begin, total: steps, before: 0 });
}

/** Work of any unit. */
interface Work {
  /** What is done, for a plain line. */
  readonly begin: string;
  readonly total: number;
  readonly before: number;
  /** In words; undefined where the unit means nothing to people. */
  readonly amounts?: (done: number, rate: number) => { readonly done: string; readonly rate: string };
}

/** A dumb terminal can neither go back in a line nor clear it. */
const hasBar = (output: Output): boolean => output.isTTY === true && process.env.TERM !== 'dumb';

/** What takes a bar away that may be there. */
export const cleared = (output: Output): string => (hasBar(output) ? clear + showCursor : '');

function show(output: Output, work: Work): Progress {
  return hasBar(output) ? bar(output, work) : lines(output, work);
}

/** A shorter bar says nothing. */
const leastCells = 4;

/** The bar is drawn at most this often. */
const secondsBetweenDraws = 0.1;

function bar(output: Output, { total, before, amounts }: Work): Progress {
  const stream = output as NodeJS.WriteStream;
  const clock = watch(total - before);
  let last = Number.NEGATIVE_INFINITY;
  const draw = (written: number) => {
    const now = performance.now();
    if (now - last < secondsBetweenDraws * 1000) return;
    last = now;
    const { rate, left } = clock(written);
    const part = total === 0 ? 1 : Math.min(1, (before + written) / total);
    const room = (stream.columns || 80) - 1;
    const told = amounts?.(before + written, rate);
    const words = [`${Math.floor(100 * part)}%`, `${duration(left)} left`, ...(told ? [told.rate, told.done] : [])];
    // The last to stay is the share: a line that is too long for the terminal would not be cleared.
    while (words.length > 1 && words.join(' | ').length > room) words.pop();
    const said = words.join(' | ').slice(0, Math.max(0, room));
    const cells = Math.max(0, Math.min(40, room - said.length - 1));
    const full = Math.round(part * cells);
    const drawn = cells < leastCells ? '' : `${'█'.repeat(full)}${'░'.repeat(cells - full)} `;
    stream.write(`${clear}${drawn}${said}`);
  };
  stream.write(hideCursor);
  draw(0);
  return { update: draw, stop: () => void stream.write(clear + showCursor) };
}

function lines(output: Output, { begin, total, before, amounts }: Work): Progress {
  const clock = watch(total - before);
  let last = performance.now();
  output.write(`nninit: ${begin}\n`);
  return {
    update(written) {
      const now = performance.now();
      if (now - last < secondsBetweenLines * 1000 || before + written === total) return;
      last = now;
      const { rate, left } = clock(written);
      const percent = Math.floor((100 * (before + written)) / total);
      const told = amounts?.(before + written, rate);
      output.write(`nninit: ${percent} %, ${told ? `${told.done}, ${told.rate}, ` : ''}${duration(left)} left\n`);
    },
    stop() {},
  };
}

/** How much a second, and the seconds that the rest takes, by the rate of the last few seconds. At first, while hardly more than headers is there, nobody can tell. */
function watch(total: number): (written: number) => { rate: number; left: number } {
  const window = 10_000;
  const begin = performance.now();
  const seen = [{ at: begin, written: 0 }];
  return (written) => {
    const at = performance.now();
    seen.push({ at, written });
    while (seen.length > 2 && at - (seen[1]?.at ?? at) > window) seen.shift();
    const first = seen[0] ?? { at, written };
    const rate = (written - first.written) / Math.max(1e-3, (at - first.at) / 1000);
    const isTellable = rate > 0 && (written >= total / 1000 || at - begin > window);
    return { rate, left: isTellable ? (total - written) / rate : Number.POSITIVE_INFINITY };
  };
}
