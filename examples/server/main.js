// node examples/server/main.js [port]; MAX_BYTES, MAX_DOWNLOADS and THREADS in the environment.

import { createWeightsServer } from './server.js';

function number(name) {
  const text = process.env[name];
  if (text === undefined || (/^\d+$/.test(text) && Number(text) >= 1))
    return text === undefined ? undefined : Number(text);
  console.error(`${name}: expected a whole number ≥ 1, but received '${text}'`);
  process.exit(2);
}

const most = { bytes: number('MAX_BYTES'), downloads: number('MAX_DOWNLOADS') };
const { server, pool } = createWeightsServer({ threads: number('THREADS'), most });
server.once('error', (error) => {
  console.error(`could not listen: ${error.message}`);
  process.exit(1);
});
server.listen({ port: Number(process.argv[2] ?? 8080), host: '127.0.0.1' }, () => {
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
