import { counted, duration, printable, size } from '../core/text.js';
import type { Output } from './program.js';

/** Tells how far the work is. */
export interface Progress {
  /** @param written bytes that this run has written, or read */
  update(written: number): void;
  stop(): void;
}

/** What is to be done: `doneBytes` of `bytes` are there already, from a run before. */
export interface Task {
  readonly path: string;
  readonly tensors: number;
  readonly files: number;
  readonly bytes: number;
  readonly doneBytes: number;
  /** 'writing … to' if left out. */
  readonly verb?: 'writing … to' | 'checking … of' | undefined;
}

/** Plain lines come at most this often. */
const secondsBetweenLines = 5;

const [hideCursor, showCursor, clear] = ['\x1b[?25l', '\x1b[?25h', '\r\x1b[K'];

/** A bar on a terminal, without colours and as wide as there is room; a few plain lines elsewhere. */
export async function showProgress(output: Output, task: Task): Promise<Progress> {
  // A dumb terminal can neither go back in a line nor clear it.
  return output.isTTY === true && process.env.TERM !== 'dumb' ? bar(output, task) : lines(output, task);
}

/** A shorter bar says nothing. */
const leastCells = 4;

/** The bar is drawn at most this often. */
const secondsBetweenDraws = 0.1;

function bar(output: Output, { bytes, doneBytes }: Task): Progress {
  const stream = output as NodeJS.WriteStream;
  const clock = watch(bytes - doneBytes);
  let last = Number.NEGATIVE_INFINITY;
  const draw = (written: number) => {
    const now = performance.now();
    if (now - last < secondsBetweenDraws * 1000) return;
    last = now;
    const { rate, left } = clock(written);
    const part = bytes === 0 ? 1 : Math.min(1, (doneBytes + written) / bytes);
    const room = (stream.columns || 80) - 1;
    const words = [
      ...[`${Math.floor(100 * part)}%`, `${duration(left)} left`, `${size(rate)}/s`],
      `${size(doneBytes + written)} of ${size(bytes)}`,
    ];
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

function lines(output: Output, { path, tensors, files, bytes, doneBytes, verb = 'writing … to' }: Task): Progress {
  const clock = watch(bytes - doneBytes);
  let last = performance.now();
  const inFiles = files > 1 ? ` in ${counted(files, 'file')}` : '';
  const there = doneBytes > 0 ? `, of which ${size(doneBytes)} are there,` : ',';
  const what = `${counted(tensors, 'tensor')}${inFiles}, ${size(bytes)}${there}`;
  output.write(`nninit: ${verb.replace('…', what)} ${printable(path)}\n`);
  return {
    update(written) {
      const now = performance.now();
      if (now - last < secondsBetweenLines * 1000 || doneBytes + written === bytes) return;
      last = now;
      const { rate, left } = clock(written);
      const percent = Math.floor((100 * (doneBytes + written)) / bytes);
      const done = `${size(doneBytes + written)} of ${size(bytes)}`;
      output.write(`nninit: ${percent} %, ${done}, ${size(rate)}/s, ${duration(left)} left\n`);
    },
    stop() {},
  };
}

/** Bytes a second, and the seconds that the rest takes, by the rate of the last few seconds. */
function watch(total: number): (written: number) => { rate: number; left: number } {
  const window = 10_000;
  const seen = [{ at: performance.now(), written: 0 }];
  return (written) => {
    const at = performance.now();
    seen.push({ at, written });
    while (seen.length > 2 && at - (seen[1]?.at ?? at) > window) seen.shift();
    const first = seen[0] ?? { at, written };
    const rate = (written - first.written) / Math.max(1e-3, (at - first.at) / 1000);
    return { rate, left: rate > 0 ? (total - written) / rate : Number.POSITIVE_INFINITY };
  };
}
