import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { coresForPeer } from '../../bench/harness/machine.js';
import { askPeer, findPeer } from '../../bench/harness/peers/index.js';

const hasPython = spawnSync('python3', ['--version']).status === 0;

/** What libraries.py wants of NumPy for a constant, in which it tells what it sees. */
const numpy = `
import json, os
__version__ = 'of a test'
class Array:
    def __init__(self, n): self.n, self.value = n, 0
    def fill(self, value):
        self.value = value + float(os.environ.get('TEST_ERROR', 0))
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else None
        seen = [os.environ[f'{name}_NUM_THREADS'] for name in ('OMP', 'OPENBLAS', 'MKL')]
        open(os.environ['TEST_SEEN'], 'w').write(json.dumps({'threads': seen, 'cores': cores}))
    def reshape(self, _): return self
    def __getitem__(self, _): return self
    def astype(self, _): return self
    def __len__(self): return self.n
    def mean(self): return self.value
    def std(self): return 0.0
def zeros(shape, dtype): return Array(shape[0])
class random:
    @staticmethod
    def default_rng(seed): return None
`;

describe.runIf(hasPython)('a Python library', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'nninit-peers-'));
    writeFileSync(join(folder, 'numpy.py'), numpy);
    vi.stubEnv('PYTHONPATH', folder);
    vi.stubEnv('PYTHONDONTWRITEBYTECODE', '1');
    vi.stubEnv('TEST_SEEN', join(folder, 'seen.json'));
    vi.stubEnv('OMP_NUM_THREADS', '1');
  });
  afterAll(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true, force: true });
  });

  const cores = coresForPeer(1, 'none');
  const job = { peer: 'numpy', fill: 'constant', dtype: 'float32', log2: 14 } as const;
  const measure = () =>
    askPeer('numpy', 'python3', { ...job, shape: [2 ** 14], threads: 2, cores, rounds: 3, seconds: 0 }).catch(String);

  test('has the threads and the cores of the trial, whatever the shell says', async () => {
    expect(await findPeer('numpy', 'python3')).toMatchObject({ version: 'of a test' });
    expect(await measure()).toMatchObject({ samples: expect.any(Array) });
    const seen: unknown = JSON.parse(readFileSync(join(folder, 'seen.json'), 'utf8'));
    expect(seen).toEqual({ threads: ['2', '2', '2'], cores: process.platform === 'linux' ? cores : null });
  });

  test('that writes something else has no time', async () => {
    vi.stubEnv('TEST_ERROR', '0.1');
    expect(await measure()).toMatch(/numpy's constant has mean 0\.6 and standard deviation 0/);
  });
});

test('an answer that is none names the peer', async () => {
  expect(await findPeer('torch', '/bin/echo')).toMatch(/^PyTorch did not answer as expected: .*libraries\.py torch/);
});
