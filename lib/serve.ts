/**
 * nninit/serve: a server of checkpoints that are made while they are read, for clients of the Hugging Face Hub and of S3.
 *
 *     import { createServer } from 'nninit/serve';
 *
 *     const server = await createServer({ inputs: ['models'] });
 *     server.listen(8080, '127.0.0.1');
 *
 * @module nninit/serve
 */

export { createHandler, type Handler, type ServeOptions } from './serve/handler.js';
export type { Limits } from './serve/limits.js';
export { createServer } from './serve/server.js';
export type { Credentials } from './serve/signature.js';
