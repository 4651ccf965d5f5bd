import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cgroupLimits, grantedCores } from '../../lib/core/cgroup.js';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'nninit-cgroup-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function system(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), `${text}\n`);
  }
}

test('version 2: the narrowest of the groups, and the cache of files is free', () => {
  system({
    'proc/self/cgroup': '0::/pods/one',
    'sys/fs/cgroup/pods/memory.max': '4000',
    'sys/fs/cgroup/pods/memory.current': '1000',
    'sys/fs/cgroup/pods/cpu.max': '250000 100000',
    'sys/fs/cgroup/pods/one/memory.max': '2000',
    'sys/fs/cgroup/pods/one/memory.current': '900',
    'sys/fs/cgroup/pods/one/memory.stat': 'anon 100\ninactive_file 500\nactive_file 300',
    'sys/fs/cgroup/pods/one/cpu.max': 'max 100000',
  });
  expect(cgroupLimits(root)).toEqual({ memory: 1600, cores: 2.5 });
  expect(grantedCores(root)).toBe(2);
});

test("version 2 in a container, where the path is the host's", () => {
  system({
    'proc/self/cgroup': '0::/docker/0123',
    'sys/fs/cgroup/memory.max': '3000',
    'sys/fs/cgroup/memory.current': '3100',
    'sys/fs/cgroup/cpu.max': '50000 100000',
  });
  expect(cgroupLimits(root)).toEqual({ memory: 0, cores: 0.5 });
  expect(grantedCores(root)).toBe(1);
});

test('version 1', () => {
  system({
    'proc/self/cgroup': '4:memory:/jobs\n1:cpu,cpuacct:/jobs\n0::/',
    'sys/fs/cgroup/memory/jobs/memory.limit_in_bytes': '5000',
    'sys/fs/cgroup/memory/jobs/memory.usage_in_bytes': '2000',
    'sys/fs/cgroup/cpu,cpuacct/jobs/cpu.cfs_quota_us': '400000',
    'sys/fs/cgroup/cpu,cpuacct/jobs/cpu.cfs_period_us': '100000',
    'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': '-1',
    'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us': '100000',
  });
  expect(cgroupLimits(root)).toEqual({ memory: 3000, cores: 4 });
});

test('none: on other systems, and where nothing is limited', () => {
  expect(cgroupLimits(root)).toEqual({ memory: undefined, cores: undefined });
  system({ 'proc/self/cgroup': '0::/', 'sys/fs/cgroup/memory.max': 'max', 'sys/fs/cgroup/memory.current': '7' });
  expect(cgroupLimits(root)).toEqual({ memory: undefined, cores: undefined });
  expect(grantedCores(root)).toBeUndefined();
});
