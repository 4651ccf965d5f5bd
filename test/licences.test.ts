// SECURITY.md promises permissive licences: what is installed beside nninit must not put other terms on its users.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

interface Locked {
  readonly license?: string;
  readonly dev?: boolean;
  readonly peer?: boolean;
}

const { packages } = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8')) as {
  readonly packages: Readonly<Record<string, Locked>>;
};
const permissive = ['MIT', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', 'BlueOak-1.0.0', 'Apache-2.0', '0BSD'];

function isPermissive(license: string): boolean {
  return license.split(/[()\s]+|OR/).some((name) => permissive.includes(name));
}

test('all that is installed with the package has a permissive licence', () => {
  const installed = Object.entries(packages).filter(([path, { dev, peer }]) => path !== '' && !dev && !peer);
  expect(installed.length).toBeGreaterThan(1);
  const others = installed.filter(([, { license = 'none' }]) => !isPermissive(license));
  expect(others.map(([path, { license }]) => `${path}: ${license}`)).toEqual([]);
});

test('so have those whose code is in it, and their terms are there', () => {
  const terms = readFileSync(new URL('../dist/third-party-licenses.txt', import.meta.url), 'utf8');
  const parts = terms.split(/^-{80}$/m).map((part) => /^(\S+) \S+: (.+)\n\n[\s\S]*Permission/m.exec(part));
  expect(parts.map((part) => part?.[1])).toEqual(['commander', 're2js', 'zod']);
  for (const part of parts) expect(isPermissive(part?.[2] ?? '')).toBe(true);
});
