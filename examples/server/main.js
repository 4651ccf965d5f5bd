// node examples/server/main.js [port]; MAX_BYTES, MAX_DOWNLOADS and THREADS in the environment.

import { createWeightsServer } from './server.js';

/** A whole number from a setting; undefined where it is not set. */
function number(name, text, min = 1, max = Number.MAX_SAFE_INTEGER) {
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text) && Number(text) >= min && Number(text) <= max) return Number(text);
  console.error(`${name}: expected a whole number from ${min} to ${max}, but received ${JSON.stringify(text)}`);
  process.exit(2);
}

const { MAX_BYTES, MAX_DOWNLOADS, THREADS } = process.env;
const port = number('port', process.argv[2] ?? '8080', 0, 65535);
const most = { bytes: number('MAX_BYTES', MAX_BYTES), downloads: number('MAX_DOWNLOADS', MAX_DOWNLOADS) };
const { server, pool } = createWeightsServer({ threads: number('THREADS', THREADS, 1, 128), most });
server.once('error', (error) => {
  console.error(`could not listen: ${error.message}`);
  process.exit(1);
});
server.listen({ port, host: '127.0.0.1' }, () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});

async function stop() {
  server.close(); // downloads under way are finished
  server.closeIdleConnections();
  await new Promise((resolve) => server.once('close', resolve));
  await pool.close();
}
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
