// node examples/server/main.js [port]; MAX_BYTES, MAX_WHOLE_BYTES, MAX_DOWNLOADS and THREADS in the environment.

import { createWeightsServer, defaultLimits } from './server.js';

function number(name, otherwise) {
  const text = process.env[name];
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (text.trim() !== '' && Number.isSafeInteger(value) && value >= 1) return value;
  console.error(`${name}: expected a whole number ≥ 1, but received '${text}'`);
  process.exit(2);
}

const { server, pool } = createWeightsServer({
  threads: number('THREADS', undefined),
  limits: {
    bytes: number('MAX_BYTES', defaultLimits.bytes),
    wholeBytes: number('MAX_WHOLE_BYTES', defaultLimits.wholeBytes),
    requests: number('MAX_DOWNLOADS', defaultLimits.requests),
  },
});

server.listen(Number(process.argv[2] ?? 8080), '127.0.0.1', () => {
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
