// Command lines of words that are known and others: what was asked for, or exit code 1 or 2 and the reason.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '../../lib/cli/program.js';
import { expectOften, fuzzed } from './fuzzed.js';

let root = '';
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'nninit-fuzz-'));
  writeFileSync(join(root, 'recipe.json'), JSON.stringify({ tensors: { 'h.0.w': { shape: [4, 6], init: 'normal' } } }));
  writeFileSync(
    join(root, 'config.json'),
    JSON.stringify({ model_type: 'gpt2', n_layer: 1, n_embd: 8, n_head: 2, vocab_size: 9, n_positions: 5 }),
  );
  writeFileSync(join(root, 'rules.json'), JSON.stringify([{ match: '*.w', init: 'zeros' }]));
  writeFileSync(join(root, 'broken.json'), '{"tensors": ');
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

const file = fc.constantFrom('recipe.json', 'config.json', 'rules.json', 'broken.json', 'missing.json', '.', 'out');
const command = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom('generate', 'plan', 'verify', 'gains', 'help') },
  fc.constantFrom('genrate', '--version', '--help', 'serve --bogus', ''),
);
const flag = fc.constantFrom(
  '--json',
  '-q',
  '--quiet',
  '--totals',
  '--statistics',
  '-f',
  '--force',
  '--resume',
  '--bogus',
  '--',
  '-h',
);
const value = fc.oneof(
  fc.constantFrom(
    '0',
    '1',
    '-1',
    '0x10',
    '1e3',
    '99999999999999999999',
    'torch',
    'philox',
    'npy',
    'raw',
    'safetensors',
  ),
  fc.constantFrom(
    'float16',
    'int64',
    '5GB',
    '0B',
    '1kB',
    '*=normal',
    '*=',
    '=x',
    '[=zeros',
    '*={"init":"constant","val":2}',
  ),
  fc.string({ unit: 'binary', maxLength: 6 }),
);
const setting = fc.constantFrom(
  ...['--seed', '--engine', '--dtype', '--init', '--tp', '--rank', '--max-shard-size', '--format', '--threads'],
);

type Words = (string | { readonly file: string })[];
const word: fc.Arbitrary<Words> = fc.oneof(
  file.map((file): Words => [{ file }]),
  flag.map((flag): Words => [flag]),
  fc.tuple(setting, value).map(([name, value]): Words => [name, value]),
  fc.tuple(setting, value).map(([name, value]): Words => [`${name}=${value}`]),
  fc.tuple(fc.constantFrom('--like', '--rules'), file).map(([name, file]): Words => [name, { file }]),
  fc.constant<Words>(['-o', { file: 'out' }]),
);

test('a command line is done, or refused with the reason and nothing written', async () => {
  const codes = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(command, fc.array(word, { maxLength: 6 }), async (name, words) => {
      const out = join(root, 'out');
      rmSync(out, { recursive: true, force: true });
      const args = [
        ...name.split(' '),
        ...words.flat().map((each) => (typeof each === 'string' ? each : join(root, each.file))),
      ];
      const said = { stdout: '', stderr: '' };
      const stream = (name: 'stdout' | 'stderr') => ({
        write: (text: string) => {
          said[name] += text;
        },
      });
      const start = performance.now();
      const code = await run(args, { stdout: stream('stdout'), stderr: stream('stderr') });
      expect(performance.now() - start).toBeLessThan(15_000);
      codes.set(code, (codes.get(code) ?? 0) + 1);
      expect([0, 1, 2]).toContain(code);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: none may be printed
      expect(said.stderr).toMatch(/^[^\u0000-\u0009\u000b-\u001f\u007f-\u009f]*$/);
      if (code === 0) return;
      if (code === 2) expect(existsSync(out)).toBe(false);
      if (args.includes('--json') && said.stderr.startsWith('{'))
        expect(JSON.parse(said.stderr)).toHaveProperty('error');
      else if (code === 2) expect(said.stderr === '' ? said.stdout : said.stderr).toMatch(/^(nninit: |Usage: )/m);
    }),
    fuzzed(300),
  );
  expectOften(codes.get(0), 5);
  expectOften(codes.get(2), 50);
});
