// A folder of repositories, and servers for it that end with the tests.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { createServer, type ServeOptions } from '../../lib/serve.js';

export const root = mkdtempSync(join(tmpdir(), 'nninit-serve-'));
export const models = join(root, 'models');
const servers: Server[] = [];

export const llama = {
  model_type: 'llama',
  ...{ vocab_size: 300, hidden_size: 32, intermediate_size: 48, num_hidden_layers: 3, num_attention_heads: 4 },
};

/** Starts a server, and returns its address. */
export async function serve(options: ServeOptions): Promise<string> {
  const server = await createServer(options);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Writes a repository below `models`. */
export function repository(id: string, config: unknown, files: Readonly<Record<string, string>> = {}): void {
  mkdirSync(join(models, id), { recursive: true });
  writeFileSync(join(models, id, 'config.json'), typeof config === 'string' ? config : JSON.stringify(config));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(models, id, name), text);
}

/** What most tests ask for: a llama, a GPT-2, and a recipe of which a tensor is made whole. */
export function writeRepositories(): void {
  repository('tiny/llama', llama, { 'tokenizer.json': '{"a": 1}', 'model.safetensors': 'not this one' });
  repository('tiny/gpt2', { model_type: 'gpt2', n_layer: 1, n_embd: 8, n_head: 2, vocab_size: 20, n_positions: 4 });
  repository('tiny/broken', '{"model_type": "llama", "hidden_size": "x"}');
  mkdirSync(join(models, 'tiny/whole'));
  const tensors = { q: { shape: [200, 100], init: 'orthogonal' }, n: { shape: [50], init: 'normal' } };
  writeFileSync(join(models, 'tiny/whole/recipe.json'), JSON.stringify({ tensors }));
}

export const bytesOf = async (response: Response) => new Uint8Array(await response.arrayBuffer());

afterAll(async () => {
  for (const server of servers) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  rmSync(root, { recursive: true, force: true });
});
