import { readFileSync } from 'node:fs';
import { packageFile } from './package-files.js';

const manifest = JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as { readonly version: string };

/** nninit's version, from its package.json. */
export const version: string = manifest.version;
