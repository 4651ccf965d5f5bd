import { counted, size } from './format.js';
import type { Output } from './program.js';

/** Tells how far the work is. */
export interface Progress {
  update(written: number, total: number): void;
  stop(): void;
}

/** Plain lines come at most this often. */
const seconds_between_lines = 5;

/** A bar on a terminal, a few plain lines elsewhere. */
export async function show_progress(output: Output, total: number, tensors: number, path: string): Promise<Progress> {
  return output.isTTY === true ? bar(output, total) : lines(output, total, tensors, path);
}

async function bar(output: Output, total: number): Promise<Progress> {
  const { default: cli_progress } = await import('cli-progress');
  const bar = new cli_progress.SingleBar({
    stream: output as NodeJS.WriteStream,
    format: '{bar} {percentage}% | {done} of {all} | {rate}/s | {eta_formatted} left',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
    clearOnComplete: true,
    etaBuffer: 20,
    gracefulExit: false, // signals are dealt with by the command
  });
  const start = performance.now();
  const state = (written: number) => ({
    done: size(written),
    all: size(total),
    rate: size(written / Math.max(1e-3, (performance.now() - start) / 1000)),
  });
  bar.start(total, 0, state(0));
  return {
    update: (written) => bar.update(written, state(written)),
    stop: () => bar.stop(),
  };
}

function lines(output: Output, total: number, tensors: number, path: string): Progress {
  const start = performance.now();
  let last = start;
  output.write(`nninit: writing ${counted(tensors, 'tensor')}, ${size(total)}, to ${path}\n`);
  return {
    update(written) {
      const now = performance.now();
      if (now - last < seconds_between_lines * 1000 || written === total) return;
      last = now;
      const rate = written / ((now - start) / 1000);
      output.write(`nninit: ${Math.floor((100 * written) / total)} %, ${size(written)}, ${size(rate)}/s\n`);
    },
    stop() {},
  };
}
