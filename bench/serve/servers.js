// A child process with the server that the first argument names; it tells its port, and when it is asked the processor time that it has taken and how
// long its event loop was held.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { createServer } from '../../dist/lib/serve.js';

/** Ten gigabytes of float32. */
export const config =
  '{"model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 10, "vocab_size": 32000}';

/** What is made whole, in many sizes: up to 16 MiB of float32, 32 MiB of float64. */
const sides = [1024, 2048, 1536, 3072, 512, 4096, 768];
const wholes = Object.fromEntries(
  Array.from({ length: 24 }, (_, i) => [
    `layers.${i}`,
    { shape: [sides[i % 7], 1024], ...(i % 3 === 2 ? { init: 'sparse', sparsity: 0.5 } : { init: 'orthogonal' }) },
  ]),
);

const chunkBytes = 256 << 10;

/** What is compared with: as many bytes as a Range asks for, out of a constant buffer, 256 KiB at a time. */
const plain = (memory) => (request, response) => {
  const [, begin, end] = /(\d+)-(\d+)/.exec(request.headers.range);
  let at = 0;
  let left = Number(end) - Number(begin) + 1;
  response.writeHead(206, { 'content-length': left });
  const more = () => {
    while (left > 0) {
      const part = memory.subarray(at, at + Math.min(chunkBytes, left));
      at = (at + chunkBytes) % memory.length;
      left -= part.length;
      if (!response.write(part)) break;
    }
    if (left === 0) response.end();
  };
  response.on('drain', () => left > 0 && more());
  more();
};

async function start(name) {
  if (name === 'plain') return createHttpServer(plain(Buffer.alloc(chunkBytes, 1)));
  // What another thread has just made is in no cache of the one that sends.
  if (name === 'memory') return createHttpServer(plain(Buffer.alloc(256 << 20, 1)));
  const folder = mkdtempSync(join(tmpdir(), 'nninit-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'bench/llama'), { recursive: true });
  writeFileSync(join(folder, 'bench/llama/config.json'), config);
  mkdirSync(join(folder, 'bench/whole'), { recursive: true });
  writeFileSync(join(folder, 'bench/whole/recipe.json'), JSON.stringify({ tensors: wholes }));
  return createServer({ inputs: [folder], maxShardSize: '50GB' });
}

/** Processor time of this thread, which sends; NaN where the system does not tell. */
function loopSeconds() {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]) / 1e9;
  } catch {
    return Number.NaN;
  }
}

/**
 * What held the event loop since it was asked last, in milliseconds: its delay, and the part of it that this thread ran and did not wait for a processor.
 * The first includes whatever else the machine does.
 */
function watchLoop() {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const own = createHistogram();
  let before = loopSeconds();
  delay.enable();
  setInterval(() => {
    const now = loopSeconds();
    own.record(Math.max(1, Math.round(1e6 * (now - before))));
    before = now;
  }, 1);
  return () => {
    const seen = { delay: delay.percentile(99) / 1e6, own: own.percentile(99) / 1e3, ownMost: own.max / 1e3 };
    delay.reset();
    own.reset();
    return seen;
  };
}

if (process.send !== undefined) {
  const server = await start(process.argv[2]);
  const loopHeld = process.argv[3] === 'watch' ? watchLoop() : undefined;
  server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    const rss = process.memoryUsage.rss();
    process.send({ all: (user + system) / 1e6, loop: loopSeconds(), rss, held: loopHeld?.() });
  });
  process.once('disconnect', () => process.exit());
}
