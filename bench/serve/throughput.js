// node bench/serve/throughput.js [GiB a round] [rounds]: what nninit serve sends over loopback, beside a plain server of node:http that sends as
// many bytes of one buffer. Each is a process of its own; the same clients, one more process, ask them in turn.
//
// `loops` and `to memory` compare the processor time of the threads that send, which is the ratio where there are processors to spare: with one
// buffer, which stays in the caches, and with 256 MiB of memory, which does not, as bytes that another thread has just made.
//
// A plain server makes nothing. Where there are processors to spare, making is done beside sending and costs no time. Where there are none, the
// bound is what all processors together need for making, sending and receiving, and the table says it.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { loadPlan, streamCheckpoint } from '../../dist/lib/checkpoint.js';
import { set_num_threads } from '../../dist/lib/index.js';
import { config } from './servers.js';

const gib = Number(process.argv[2] ?? 2);
const rounds = Number(process.argv[3] ?? 5);
const cores = availableParallelism();

const child = (file, ...args) => fork(new URL(file, import.meta.url), args);
const ask = async (process, message) => {
  const answer = once(process, 'message');
  if (message !== undefined) process.send(message);
  return (await answer)[0];
};
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

/** Processor seconds that making a GiB takes, on one thread and without a server. */
async function making(dtype) {
  set_num_threads(1);
  const plan = await loadPlan(JSON.parse(config), { dtype });
  let bytes = 0;
  let first;
  for await (const chunk of streamCheckpoint(plan, { seed: 7 })) {
    first ??= process.cpuUsage();
    bytes += chunk.length;
    if (bytes >= 2 ** 30) break;
  }
  const { user, system } = process.cpuUsage(first);
  return ((user + system) / 1e6 / bytes) * 2 ** 30;
}

const servers = {
  plain: child('servers.js', 'plain'),
  memory: child('servers.js', 'memory'),
  nninit: child('servers.js', 'nninit'),
};
const client = child('client.js');
const ports = {};
for (const [name, server] of Object.entries(servers)) ports[name] = (await ask(server)).port;

console.log(
  `# nninit serve beside a plain server, ${cores} processors, Node ${process.version}; ${rounds} rounds of ${gib} GiB\n`,
);
console.log(
  '| dtype | clients | plain GiB/s | nninit GiB/s | ratio | bound here | loops | to memory | making s/GiB | memory |',
);
console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |');
for (const dtype of ['float32', 'bfloat16']) {
  const make = await making(dtype);
  for (const clients of [1, 8]) {
    const bytes = Math.floor((gib * 2 ** 30) / clients);
    const path = `/bench/llama/resolve/seed-7-${dtype}/model.safetensors`;
    const seen = { plain: [], memory: [], nninit: [] };
    for (let round = 0; round <= rounds; round++) {
      for (const [name, server] of Object.entries(servers)) {
        const before = await ask(server, 'usage');
        const { wall, cpu } = await ask(client, { port: ports[name], path, bytes, clients });
        const after = await ask(server, 'usage');
        // The first round is for warming up.
        if (round > 0) seen[name].push({ wall, all: after.all - before.all + cpu, loop: after.loop - before.loop });
      }
    }
    const of = (name, what) => median(seen[name].map((each) => each[what]));
    const ratio = (what, to = 'plain') => median(seen[to].map((each, i) => each[what] / seen.nninit[i][what]));
    const [plain, nninit] = [of('plain', 'wall'), of('nninit', 'wall')];
    const bound = plain / Math.max(plain, (of('plain', 'all') + make * gib) / cores);
    const speeds = [gib / plain, gib / nninit, ratio('wall'), bound, ratio('loop'), ratio('loop', 'memory'), make];
    const { rss } = await ask(servers.nninit, 'usage');
    console.log(
      `| ${[dtype, clients, ...speeds.map((each) => each.toFixed(2))].join(' | ')} | ${Math.round(rss / 2 ** 20)} MiB |`,
    );
  }
}
for (const each of [...Object.values(servers), client]) each.disconnect();
