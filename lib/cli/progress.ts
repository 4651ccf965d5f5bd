import { counted, duration, size } from '../core/text.js';
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

/** A bar on a terminal, a few plain lines elsewhere. */
export async function showProgress(output: Output, task: Task): Promise<Progress> {
  return output.isTTY === true ? bar(output, task) : lines(output, task);
}

async function bar(output: Output, { bytes, doneBytes }: Task): Promise<Progress> {
  const { default: cliProgress } = await import('cli-progress');
  const bar = new cliProgress.SingleBar({
    stream: output as NodeJS.WriteStream,
    format: '{bar} {percentage}% | {done} of {all} | {rate}/s | {left} left',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
    clearOnComplete: true,
    gracefulExit: false, // signals are dealt with by the command
  });
  const clock = watch(bytes - doneBytes);
  const state = (written: number) => {
    const { rate, left } = clock(written);
    return { done: size(doneBytes + written), all: size(bytes), rate: size(rate), left: duration(left) };
  };
  bar.start(bytes, doneBytes, state(0));
  return {
    update: (written) => bar.update(doneBytes + written, state(written)),
    stop: () => bar.stop(),
  };
}

function lines(output: Output, { path, tensors, files, bytes, doneBytes, verb = 'writing … to' }: Task): Progress {
  const clock = watch(bytes - doneBytes);
  let last = performance.now();
  const inFiles = files > 1 ? ` in ${counted(files, 'file')}` : '';
  const there = doneBytes > 0 ? `, of which ${size(doneBytes)} are there,` : ',';
  const what = `${counted(tensors, 'tensor')}${inFiles}, ${size(bytes)}${there}`;
  output.write(`nninit: ${verb.replace('…', what)} ${path}\n`);
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
