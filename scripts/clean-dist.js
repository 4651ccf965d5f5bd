// Readies dist/ for the compiler, which writes only what changed since its last run: what was compiled from sources that are gone
// is removed (npm would pack it), and where something is missing all is compiled anew. A step of `npm run build`.
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const dist = fileURLToPath(new URL('../dist/', import.meta.url));
const root = fileURLToPath(new URL('../', import.meta.url));

for (const file of existsSync(dist) ? readdirSync(dist, { recursive: true }) : []) {
  const source = file.replace(/\.(d\.ts|js|js\.map)$/, '.ts');
  if (source !== file && !existsSync(root + source)) rmSync(dist + file);
}

const sources = ['lib', 'bench'].flatMap((folder) =>
  readdirSync(root + folder, { recursive: true })
    .filter((file) => file.endsWith('.ts') && !file.includes('node_modules'))
    .map((file) => `${folder}/${file.slice(0, -'.ts'.length)}`),
);
const isThere = (source) => ['.js', '.js.map', '.d.ts'].every((end) => existsSync(`${dist}${source}${end}`));
if (!sources.every(isThere)) rmSync(`${dist}.tsbuildinfo`, { force: true });
