// npm install --prefix bench && node bench/pool/server.js: the example server under load.
// While two clients download 1 GiB each, again and again, autocannon asks for /healthz.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { get } from 'node:http';
import { fileURLToPath } from 'node:url';
import autocannon from 'autocannon';
import { empty, init } from '../../dist/lib/index.js';
import { generator, header } from './common.js';

const seconds = Number(process.argv[2] ?? 10);
const client = fileURLToPath(new URL('./client.js', import.meta.url));
const main = fileURLToPath(new URL('../../examples/server/main.js', import.meta.url));

header('The example server: /healthz while two clients download 1 GiB each');
const server = spawn(process.execPath, [main, '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
const [line] = await once(server.stdout, 'data');
const url = line.toString().trim();

async function download(query, onData) {
  const [response] = await once(get(`${url}/weights?${query}`, { agent: false }), 'response');
  let bytes = 0;
  for await (const chunk of response) {
    bytes += chunk.length;
    onData?.(chunk);
  }
  if (bytes !== Number(response.headers['content-length'])) throw new Error('a download ended early');
  return bytes;
}

async function healthz(name, connections) {
  const result = await autocannon({ url: `${url}/healthz`, connections, duration: seconds });
  const { p50, p99, max } = result.latency;
  console.log(
    `${name.padEnd(34)} p50 ${p50} ms   p99 ${p99} ms   max ${max} ms   ` +
      `${Math.round(result.requests.average)} requests/s, ${result.non2xx + result.errors} failed`,
  );
}

try {
  await healthz('/healthz alone, 1 connection', 1);
  const start = performance.now();
  const clients = [1, 2].map((seed) =>
    spawn(process.execPath, [client, `${url}/weights?shape=16384x16384&init=normal&seed=${seed}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    }),
  );
  await new Promise((resolve) => setTimeout(resolve, 500));
  await healthz('/healthz with downloads, 1', 1);
  await healthz('/healthz with downloads, 10', 10);
  const outputs = clients.map(async (each) => {
    each.kill('SIGTERM');
    const [text] = await once(each.stdout, 'data');
    return Number(text.toString());
  });
  const gib = (await Promise.all(outputs)).reduce((sum, bytes) => sum + bytes, 0) / 2 ** 30;
  const rate = gib / ((performance.now() - start) / 1000);
  console.log(`${'downloads meanwhile'.padEnd(34)} ${rate.toFixed(2)} GiB/s together, ${gib.toFixed(0)} GiB`);

  // The bytes are those of init.
  const hash = createHash('sha256');
  let skip = 8 + 80; // length and header, padded: found below
  let head = Buffer.alloc(0);
  await download('shape=4096x1024&init=normal&seed=42', (chunk) => {
    if (head.length >= skip) return hash.update(chunk);
    head = Buffer.concat([head, chunk]);
    if (head.length >= 8) skip = 8 + Number(head.readBigUInt64LE(0));
    if (head.length >= skip) hash.update(head.subarray(skip));
    return undefined;
  });
  const { data } = init.normal_(empty([4096, 1024]), { generator: generator() });
  const expected = createHash('sha256').update(Buffer.from(data.buffer)).digest('hex');
  if (hash.digest('hex') !== expected) throw new Error('not the bytes of init');
  console.log('the bytes are those of init.normal_');
} finally {
  server.kill('SIGTERM');
}
