// Removes from dist/ what was compiled from sources that are gone: npm would pack it. A step of `npm run build`.
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const dist = fileURLToPath(new URL('../dist/', import.meta.url));
const root = fileURLToPath(new URL('../', import.meta.url));

for (const file of existsSync(dist) ? readdirSync(dist, { recursive: true }) : []) {
  const source = file.replace(/\.(d\.ts|js|js\.map)$/, '.ts');
  if (source !== file && !existsSync(root + source)) rmSync(dist + file);
}
