import { createServer as createHttpServer, type Server } from 'node:http';
import { createHandler, type ServeOptions } from './handler.js';

const headersTimeoutMs = 10_000;
const requestTimeoutMs = 30_000;
/** A client that takes nothing for so long is gone. */
const idleTimeoutMs = 120_000;
const mostHeaderBytes = 16 << 10;
/** Those that ask for nothing count too. */
const mostConnections = 1024;
/** How often time-outs are looked at. */
const checkingMs = 2000;

/**
 * A server of `node:http` with createHandler's handler. Closing it closes the handler too, after the answers under way.
 *
 *     const server = await createServer({ inputs: ['models'] });
 *     server.listen(8080, '127.0.0.1');
 *
 * @throws as createHandler does
 */
export async function createServer(options?: ServeOptions): Promise<Server> {
  const handler = await createHandler(options);
  const limits = { maxHeaderSize: mostHeaderBytes, connectionsCheckingInterval: checkingMs };
  const server = createHttpServer(limits, (request, response) => {
    // Else whoever goes on asking by a connection that is there already would keep it from being closed.
    if (!server.listening) response.setHeader('connection', 'close');
    handler(request, response);
  });
  server.headersTimeout = headersTimeoutMs;
  server.requestTimeout = requestTimeoutMs;
  server.maxConnections = mostConnections;
  server.setTimeout(idleTimeoutMs);
  server.once('close', () => void handler.close());
  return server;
}
