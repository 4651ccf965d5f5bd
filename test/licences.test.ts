// SECURITY.md promises permissive licences: what comes with nninit must not put other terms on its users.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

interface Locked {
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

test('nothing is installed with the package', () => {
  expect(Object.keys(packages).length).toBeGreaterThan(100);
  const installed = Object.entries(packages).filter(([path, { dev, peer }]) => path !== '' && !dev && !peer);
  expect(installed.map(([path]) => path)).toEqual([]);
});

test('what others wrote and is in it has a permissive licence, and their terms are there', () => {
  const terms = readFileSync(new URL('../dist/third-party-licenses.txt', import.meta.url), 'utf8');
  const parts = terms
    .split(/^-{80}$/m)
    .map((part) =>
      /^(\S+) \S+: (.+)\n\n[\s\S]*(?:Permission is hereby granted|TERMS AND CONDITIONS FOR USE)/m.exec(part),
    );
  expect(parts.map((part) => part?.[1])).toEqual(['commander', 'detect-libc', 'piscina', 're2js', 'zod']);
  for (const part of parts) expect(isPermissive(part?.[2] ?? '')).toBe(true);
});
