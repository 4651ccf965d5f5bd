// node bench/serve/under-load.js [seconds]: how long /healthz takes during 8 downloads, beside a plain server of node:http with the same downloads,
// and what memory nninit serve takes while clients ask for whatever costs most, 56 of them reading a byte a second: ever new seeds, of a llama and of tensors that
// are made whole.
//
// `delay` is that of the server's event loop, which with /healthz includes all waiting for a processor; `own` is the processor time of one turn of it.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { get } from 'node:http';
import { connect } from 'node:net';
import { setTimeout } from 'node:timers/promises';

const seconds = Number(process.argv[2] ?? 10);
const child = (file, ...args) => fork(new URL(file, import.meta.url), args);
const ask = async (process, message) => {
  const answer = once(process, 'message');
  if (message !== undefined) process.send(message);
  return (await answer)[0];
};
const path = (revision, model = 'llama') => `/bench/${model}/resolve/${revision}/model.safetensors`;

function healthz(port) {
  const start = performance.now();
  return new Promise((resolve, reject) => {
    const headers = { range: 'bytes=0-0' }; // which the plain server asks for
    const request = get({ port, path: '/healthz', headers, agent: false }, (response) => {
      response.resume().once('end', () => resolve(performance.now() - start));
    });
    request.once('error', reject);
  });
}

async function latency(name, clients) {
  const [server, client] = [child('servers.js', name, 'watch'), child('client.js')];
  const { port } = await ask(server);
  await healthz(port);
  let ended = clients === 0;
  const bytes = 2 ** 32;
  if (clients > 0) {
    ask(client, { port, path: path('seed-1'), bytes, clients }).then(() => (ended = true));
    client.once('exit', () => (ended = true)); // where one of them failed
  }
  await setTimeout(1000);
  await ask(server, 'usage');
  const times = [];
  for (const end = performance.now() + 1000 * seconds; performance.now() < end; await setTimeout(5)) {
    times.push(await healthz(port));
  }
  times.sort((a, b) => a - b);
  const at = (q) => `${times[Math.floor(q * (times.length - 1))].toFixed(1)} ms`;
  const { delay, own, ownMost } = (await ask(server, 'usage')).held;
  const loop = [delay, own, ownMost].map((each) => `${each.toFixed(1)} ms`).join(' | ');
  const ending = ended && clients > 0 ? ', downloads ended early' : '';
  console.log(`| ${name} | ${clients} | ${at(0.5)} | ${at(0.99)} | ${at(1)} | ${loop} | ${times.length}${ending} |`);
  for (const each of [server, client]) each.disconnect();
}

console.log('| server | downloads | /healthz p50 | p99 | max | delay p99 | own p99 | own max | times |');
console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |');
for (const [name, clients] of [
  ['plain', 0],
  ['nninit', 0],
  ['plain', 8],
  ['nninit', 8],
])
  await latency(name, clients);

for (const model of ['llama', 'whole']) await memory(model);
process.exit();

async function memory(model) {
  const server = child('servers.js', 'nninit');
  const { port } = await ask(server);
  const start = (await ask(server, 'usage')).rss;
  const sockets = [];
  let most = 0;
  const end = performance.now() + 1000 * seconds;
  for (let i = 0; performance.now() < end; i++) {
    const revision = `seed-${i}${['', '-float64', '-bfloat16-torch', '-float64-torch'][i % 4]}`;
    const socket = connect(port, '127.0.0.1', () =>
      socket.write(`GET ${path(revision, model)} HTTP/1.1\r\nHost: x\r\n\r\n`),
    );
    socket.on('error', () => {});
    if (i < 56) {
      socket.pause();
      setInterval(() => socket.read(1), 1000).unref();
    } else {
      socket.resume(); // and goes away later
      sockets.push(socket);
      if (sockets.length > 8) sockets.shift().destroy();
    }
    await setTimeout(20);
    most = Math.max(most, (await ask(server, 'usage')).rss);
  }
  console.log(
    `\nmemory, ${model}: ${Math.round(start / 2 ** 20)} MiB at the start, ${Math.round(most / 2 ** 20)} MiB at the most`,
  );
  for (const socket of sockets) socket.destroy();
  server.disconnect();
}
