import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = new URL('../../native/', import.meta.url).pathname;

test("what only some compilers know is in three headers, which have other compilers' words beside it", () => {
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => /\.(h|cc)$/.test(name));
  const found = files.filter((name) => {
    return (
      !name.startsWith('test/') &&
      /__builtin_|__int128|__attribute__|\basm\b/.test(readFileSync(join(root, name), 'utf8'))
    );
  });
  expect(found.sort()).toEqual(['kernels/bfloat16-inl.h', 'system/float_environment.h', 'types/compiler.h']);
});
