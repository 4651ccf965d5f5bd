import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Output, run } from '../../lib/cli/program.js';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'nninit-plan-'));
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

async function plan(...args: readonly string[]) {
  const text = { stdout: '', stderr: '' };
  const output = (name: 'stdout' | 'stderr'): Output => ({
    write: (piece: string) => {
      text[name] += piece;
    },
  });
  const code = await run(['plan', ...args], { stdout: output('stdout'), stderr: output('stderr') });
  return { code, ...text };
}

function file(name: string, content: unknown): string {
  const path = join(root, name);
  writeFileSync(path, JSON.stringify(content));
  return path;
}

const recipe = {
  tensors: {
    'fc.weight': { shape: [4, 4], init: 'xavier_uniform' },
    'fc.bias': [4],
    step: { shape: [], dtype: 'int64' },
  },
  initializers: { '*.bias': { init: 'trunc_normal', std: 0.02 }, 'x.*': 'ones' },
};

test('plan prints a table, totals and warnings, and writes nothing', async () => {
  const { code, stdout, stderr } = await plan(file('r.json', recipe));
  expect(code).toBe(0);
  // How long the header is depends on where the recipe lies.
  expect(stdout.replace(/(?<=1 file, ).*(?=: )/, '….')).toBe(
    [
      'tensor     shape   dtype    initializer             values              bytes',
      '─────────  ──────  ───────  ──────────────────────  ──────────────────  ─────',
      'fc.weight  [4, 4]  float32  xavier_uniform          bound 0.866025         64',
      'fc.bias    [4]     float32  trunc_normal(std=0.02)  std 0.02 within ±2     16',
      'step       []      int64    zeros                   value 0                 8',
      '',
      '3 tensors, 21 parameters, 88 bytes (88 B)',
      '  float32: 2 tensors, 20 parameters, 80 bytes (80 B)',
      '  int64: 1 tensor, 1 parameter, 8 bytes (8 B)',
      '1 file, ….: model.safetensors',
      '',
    ].join('\n'),
  );
  expect(stderr).toBe(`nninit: warning: ${root}/r.json: initializers["x.*"] matches no tensor\n`);
  expect(readdirSync(root)).toEqual(['r.json']);
});

test('--json has every tensor, whatever addresses and signs are in names', async () => {
  const init = 'zeros';
  const tensors = {
    'http://a': { shape: [2], init },
    'b@c': { shape: [3], init },
    'http://me:pw@d': { shape: [4], init },
  };
  const { stdout } = await plan(file('r.json', { tensors }), '--json');
  const made = JSON.parse(stdout) as { tensors: { name: string; shape: number[] }[] };
  expect(made.tensors.map(({ name, shape }) => [name, shape])).toEqual([
    ['http://a', [2]],
    ['b@c', [3]],
    ['http://d', [4]],
  ]);
});

test('--json is all of it for machines, warnings too', async () => {
  const { code, stdout, stderr } = await plan(file('r.json', recipe), '--json', '--dtype', 'bfloat16');
  expect([code, stderr]).toEqual([0, '']);
  const { tensors, totals, warnings } = JSON.parse(stdout);
  expect(tensors[0]).toEqual({
    ...{ name: 'fc.weight', shape: [4, 4], dtype: 'bfloat16', initializer: { init: 'xavier_uniform' } },
    fill: { kind: 'uniform', a: -Math.sqrt(0.75), b: Math.sqrt(0.75) },
    ...{ std: expect.closeTo(0.5, 12), bound: Math.sqrt(0.75), elements: 16, bytes: 32 },
    stream: expect.stringMatching(/^\d{19,20}$/),
  });
  expect(totals).toEqual({
    ...{ tensors: 3, parameters: 21, bytes: 48 },
    dtypes: { bfloat16: { tensors: 2, parameters: 20, bytes: 40 }, int64: { tensors: 1, parameters: 1, bytes: 8 } },
  });
  expect(warnings).toHaveLength(1);
});

test('files: their names and sizes, in short, apart, and as JSON', async () => {
  const input = file('r.json', {
    tensors: { a: [500, 1000], b: [500, 1000], c: [500, 1000] },
    initializers: { '*': 'ones' },
  });
  const options = ['--max-shard-size', '2.1MB'];
  const { stdout } = await plan(input, ...options);
  const names = [1, 2, 3].map((i) => `model-0000${i}-of-00003.safetensors`);
  expect(stdout).toMatch(`\n4 files, 6 MB: ${names.join(', ')}, model.safetensors.index.json\n`);
  const { files } = JSON.parse((await plan(input, ...options, '--json')).stdout) as {
    files: { name: string; size: number }[];
  };
  expect(files.map(({ name }) => name)).toEqual([...names, 'model.safetensors.index.json']);
  await run(['generate', input, '-o', join(root, 'out'), ...options, '-q'], {
    stdout: { write: () => {} },
    stderr: { write: () => {} },
  });
  for (const { name, size } of files) expect(statSync(join(root, 'out', name)).size).toBe(size);
  const wide = await plan(input, ...options, '--wide');
  for (const { name, size } of files)
    expect(wide.stdout).toMatch(new RegExp(`^${name} +${size.toLocaleString('en-US')}$`, 'm'));
  expect((await plan(input, '--format', 'npy', '--name', 'x')).stderr).toMatch(
    /^nninit: plan: expected nothing for --name/,
  );
});

test('on a terminal: as wide as that, experts and layers folded, and how long it takes; --wide is all of it', async () => {
  const output: string[] = [];
  const terminal = { isTTY: true, columns: 80, write: (piece: string) => output.push(piece) };
  await run(['plan', 'mixtral-8x7b'], { stdout: terminal, stderr: terminal });
  const lines = output.join('').trimEnd().split('\n');
  const rows = lines.slice(0, lines.indexOf(''));
  expect(rows).toHaveLength(15);
  for (const line of rows) expect(line.length).toBeLessThanOrEqual(80);
  expect(rows.filter((line) => line.endsWith('32 × 8 × 117,440,512'))).toHaveLength(3);
  // Names lose what is between, never which layers and experts they are of.
  expect(rows.filter((line) => line.includes('{0..31}'))).toHaveLength(10);
  expect(rows.filter((line) => /\{0\.\.31\}.*\{0\.\.7\}\.w[123]\.weight /.test(line))).toHaveLength(3);
  expect(rows[0]).toMatch(/^tensor +shape +values +bytes$/); // the rest had no room
  expect(lines.at(-1)).toMatch(/^Made in (some .*|less than a second) on \d+ threads? of this machine/);
  const wide: string[] = [];
  const out = { isTTY: true, columns: 80, write: (piece: string) => wide.push(piece) };
  await run(['plan', 'mixtral-8x7b', '--wide'], { stdout: out, stderr: out });
  expect(wide.join('')).toMatch(
    /^model\.layers\.31\.block_sparse_moe\.experts\.7\.w3\.weight +\[14336, 4096\] +bfloat16 +normal/m,
  );
});

test('--totals leaves out the tensors', async () => {
  const { stdout } = await plan('resnet18', '--totals');
  expect(stdout).toBe(
    '122 tensors, 11,699,132 parameters, 46,796,608 bytes (46.8 MB)\n' +
      '  float32: 102 tensors, 11,699,112 parameters, 46,796,448 bytes (46.8 MB)\n' +
      '  int64: 20 tensors, 20 parameters, 160 bytes (160 B)\n',
  );
  expect(Object.keys(JSON.parse((await plan('resnet18', '--totals', '--json')).stdout))).toEqual([
    'totals',
    'warnings',
  ]);
});

const llama = {
  model_type: 'llama',
  ...{
    hidden_size: 16,
    intermediate_size: 32,
    num_hidden_layers: 1,
    num_attention_heads: 4,
    vocab_size: 8,
    pad_token_id: 0,
  },
};

test('what stays zero and what a rank writes of a tensor is shown', async () => {
  const { stdout } = await plan(file('config.json', llama), '--tp', '2', '--rank', '1');
  expect(stdout).toMatch(/^model\.embed_tokens\.weight +\[4, 16\] .* std 0\.02, row 0 zero, dim 0 from 4 to 7 +256$/m);
  expect(stdout).toMatch(/^model\.norm\.weight +\[16\] .* value 1 +64$/m);
});

test('one rank has the whole of any model', async () => {
  for (const input of ['resnet18', file('r.json', recipe)]) {
    // The header tells of the rank.
    const [one, all] = [await plan(input, '--tp', '1', '--rank', '0'), await plan(input)];
    const withoutFiles = (text: string) => text.replace(/^1 file, .*\n/m, '');
    expect(withoutFiles(one.stdout)).toBe(withoutFiles(all.stdout));
    expect([one.code, one.stderr]).toEqual([all.code, all.stderr]);
  }
  const { code, stderr } = await plan('resnet18', '--tp', '1', '--rank', '1');
  expect([code, stderr]).toEqual([2, 'nninit: expected a --rank from 0 to 0, but received 1\n']);
});

test('rules from a file and the command line apply', async () => {
  const rules = file('rules.json', { '*': 'ones' });
  const { stdout } = await plan(
    file('r.json', recipe),
    '--rules',
    rules,
    '--init',
    '*.weight=eye',
    '--init',
    '*.bias={"init":"zeros"}',
  );
  expect(stdout).toMatch(/^fc\.weight .* eye +diagonal 1 /m);
  expect(stdout).toMatch(/^fc\.bias .* zeros +value 0 /m);
});

test('rules of the command line may be the only ones that a tensor of a recipe has', async () => {
  const bare = file('r.json', { tensors: { 'a.weight': [2, 3], 'a.bias': [2] } });
  const missing = /tensors\["a\.bias"\]: expected an initializer: its own "init", or a rule/;
  expect((await plan(bare, '--init', '*.weight=ones')).stderr).toMatch(missing);
  expect((await plan(bare, '--init', '*.weight=ones', '--init', '*.bias={"dtype":"float16"}')).stderr).toMatch(missing);
  const { code, stdout } = await plan(bare, '--init', '*=ones', '--rules', file('rules.json', { '*.bias': 'zeros' }));
  expect(code).toBe(0);
  expect(stdout).toMatch(/^a\.bias .* ones +value 1 /m);
});

test('names cannot move the cursor', async () => {
  const { stdout } = await plan(file('r.json', { tensors: { 'a\u001b[2Jb': { shape: [], init: 'ones' } } }));
  expect(stdout).not.toContain('\u001b');
});

test.each<[string[], RegExp]>([
  [[], /^nninit: expected an input \(a config\.json .*\), or --like with a checkpoint\n$/],
  [['resnet18', '--like', 'x'], /expected an input or --like, but received both: resnet18 and --like x/],
  [['resnet18', '--tp', '2'], /expected --rank beside --tp/],
  [['resnet18', '--rank', '0'], /expected --tp beside --rank/],
  [['resnet18', '--tp', '2', '--rank', '2'], /expected a --rank from 0 to 1, but received 2/],
  [['resnet18', '--init', 'zeros'], /Expected GLOB=INITIALIZER/],
  [['resnet18', '--init', '*=zeroes'], /--init \*=zeroes: expected one of .* \(did you mean 'zeros'\?\)/],
  [['resnet18', '--dtype', 'int8'], /Allowed choices are float32/],
])('%j is bad usage', async (args, message) => {
  const { code, stdout, stderr } = await plan(...args);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(message);
});

test("Llama-3-405B's plan needs no addon and takes no time", () => {
  const config = {
    model_type: 'llama',
    ...{ hidden_size: 16384, intermediate_size: 53248, num_hidden_layers: 126, vocab_size: 128256 },
    ...{ num_attention_heads: 128, num_key_value_heads: 8, torch_dtype: 'bfloat16' },
  };
  const path = file('config.json', config);
  const main = fileURLToPath(new URL('../../dist/lib/cli/main.js', import.meta.url));
  const env = { ...process.env, NNINIT_ADDON: '/nowhere' };
  const planned = () => {
    const start = performance.now();
    const args = [main, 'plan', path, '--json'];
    const out = execFileSync(process.execPath, args, { encoding: 'utf8', env, maxBuffer: 2 ** 26 });
    return { out, time: performance.now() - start };
  };
  const { out, time } = planned(); // 0.3 s where nothing else runs; whatever else does may hold up one try, not three
  expect(time < 3000 || planned().time < 3000 || planned().time < 3000).toBe(true);
  expect(JSON.parse(out).totals).toMatchObject({ tensors: 1137, parameters: 405_853_388_800, bytes: 811_706_777_600 });
});

test('--mtp plans the layers that predict further tokens too, by itself or with --healthy', async () => {
  const config = {
    model_type: 'glm4_moe',
    hidden_size: 16,
    num_attention_heads: 2,
    num_key_value_heads: 2,
    vocab_size: 10,
  };
  const more = { num_hidden_layers: 1, num_nextn_predict_layers: 1, n_routed_experts: 1, moe_intermediate_size: 8 };
  const path = file('config.json', { ...config, ...more });
  for (const options of [[], ['--healthy']]) {
    const planned = await plan(path, '--mtp', ...options);
    expect(planned).toMatchObject({ code: 0, stderr: '' });
    expect(planned.stdout).toContain('model.layers.1.eh_proj.weight');
  }
  expect((await plan(path)).stdout).not.toContain('eh_proj');
  const refused = await plan(path, '--mtp', '--quantize', 'fp8');
  expect(refused).toMatchObject({ code: 2, stderr: 'nninit: expected --mtp without --quantize\n' });
});

test('--healthy and --lora plan other tensors than the model has, or other values', async () => {
  const config = { model_type: 'llama', hidden_size: 16, intermediate_size: 8, num_attention_heads: 2, vocab_size: 10 };
  const path = file('config.json', { ...config, num_hidden_layers: 1 });
  const healthy = await plan(path, '--healthy');
  expect(healthy).toMatchObject({ code: 0, stderr: '' });
  expect(healthy.stdout).toMatch(/lm_head\.weight .* std 0\.75 /);
  const lora = await plan(path, '--lora', 'targets=q_proj', '--totals');
  expect(lora).toMatchObject({ code: 0, stdout: '2 tensors, 256 parameters, 1,024 bytes (1.02 kB)\n' });
  for (const more of [
    ['--quantize', 'fp8'],
    ['--lora', 'targets=q_proj'],
  ]) {
    const refused = await plan(path, '--healthy', ...more);
    expect(refused).toMatchObject({ code: 2, stderr: `nninit: expected --healthy without ${more[0]}\n` });
  }
  const none = await plan(path, '--lora', 'targets=q_proj,r=0');
  expect(none.stderr).toBe('nninit: --lora r: expected a whole number ≥ 1, but received 0\n');
});
