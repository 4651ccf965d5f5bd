import { readFileSync } from 'node:fs';
import { package_file } from './package-files.js';

const manifest = JSON.parse(readFileSync(package_file('package.json'), 'utf8')) as { readonly version: string };

/** nninit's version, from its package.json. */
export const version: string = manifest.version;
