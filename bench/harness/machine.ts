import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, type as osType, release, totalmem } from 'node:os';
import { grantedCores } from '../../lib/core/cgroup.js';
import { packageFile } from '../../lib/core/package-files.js';
import { simdTarget } from '../../lib/native/addon.js';
import type { Machine } from './schema.js';

/** A small text file's content, trimmed; undefined where it cannot be read, as on other systems than Linux. */
function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch {
    return undefined;
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** '0-3,8' as [0, 1, 2, 3, 8]. */
export function parseCpuList(text: string): number[] {
  return text.split(',').flatMap((range) => {
    // A memory node without cores has an empty list.
    if (!/^\d+(-\d+)?$/.test(range.trim())) return [];
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

function sizeOf(text: string | undefined): number {
  const [, digits, unit] = /^(\d+)([KMG]?)/.exec(text ?? '') ?? [];
  return Number(digits ?? 0) * { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 }[(unit ?? '') as '' | 'K' | 'M' | 'G'];
}

/** The numbers of the cores that this process may run on; taskset, containers and cores that are offline leave some out. */
function allowedCpus(): number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(read('/proc/self/status') ?? '')?.[1];
  return parseCpuList(list ?? '');
}

/** How many threads can work at once: of the cores that this process may run on, no more than its container is granted. */
export function usableCores(granted = grantedCores()): number {
  return Math.min(availableParallelism(), granted ?? Number.POSITIVE_INFINITY);
}

const cpuFolder = (cpu = allowedCpus()[0] ?? 0) => `/sys/devices/system/cpu/cpu${cpu}`;

/** The first core's caches for data. */
function caches(): Machine['caches'] {
  const root = `${cpuFolder()}/cache`;
  return list(root)
    .filter((name) => name.startsWith('index'))
    .sort()
    .flatMap((name) => {
      const of = (file: string) => read(`${root}/${name}/${file}`);
      const kind = of('type');
      const bytes = sizeOf(of('size'));
      if (kind === 'Instruction' || bytes === 0) return [];
      const shared_by = Math.max(1, parseCpuList(of('shared_cpu_list') ?? '0').length);
      return [{ level: `L${of('level')}${kind === 'Data' ? 'd' : ''}`, bytes, shared_by }];
    });
}

/** The compiler's own signature in the addon. */
function compiler(): string {
  const addon = process.env.NNINIT_ADDON ?? packageFile('build/Release/nninit.node');
  const [found] = /GCC: \([^)\0]*\) [\d.]+|clang version [\d.]+/.exec(read(addon) ?? '') ?? [];
  return found ?? 'unknown';
}

function isVirtual(): boolean | null {
  const info = read('/proc/cpuinfo');
  return info === undefined ? null : /^flags\s*:.*\bhypervisor\b/m.test(info);
}

const nodes = '/sys/devices/system/node';
const nodeNames = () => list(nodes).filter((name) => /^node\d+$/.test(name));

/** What the run is on. */
export function describeMachine(): Machine {
  const huge_pages = /\[(\w+)\]/.exec(read('/sys/kernel/mm/transparent_hugepage/enabled') ?? '')?.[1];
  return {
    cpu: cpus()[0]?.model.trim() || 'unknown',
    cores: usableCores(),
    real_cores: cores().filter(({ sibling }) => sibling === 0).length || null,
    numa_nodes: Math.max(1, nodeNames().length),
    caches: caches(),
    virtual: isVirtual(),
    memory_bytes: totalmem(),
    huge_pages: huge_pages ?? 'unknown',
    governor: read(`${cpuFolder()}/cpufreq/scaling_governor`) ?? 'unknown',
    granted: grantedCores() ?? null,
    load: loadavg()[0] ?? 0,
    os: `${osType()} ${release()}`,
    node: process.version,
    compiler: compiler(),
    simd_target: simdTarget(),
  };
}

/** Which cores threads are put on: wherever the system likes, on one memory node after another, or on all nodes alike. */
export const affinities = ['none', 'compact', 'spread'] as const;
export type Affinity = (typeof affinities)[number];

interface Core {
  readonly cpu: number;
  readonly node: number;
  /** 0 for the first hardware thread of a core, 1 for its sibling. */
  readonly sibling: number;
}

/** The cores that this process may run on; none where the system does not tell. */
function cores(): Core[] {
  const allowed = allowedCpus();
  const nodeOf = new Map(
    nodeNames().flatMap((name) =>
      parseCpuList(read(`${nodes}/${name}/cpulist`) ?? '').map((cpu) => [cpu, Number(name.slice(4))] as const),
    ),
  );
  return allowed.map((cpu) => {
    const siblings = read(`${cpuFolder(cpu)}/topology/thread_siblings_list`) ?? String(cpu);
    return { cpu, node: nodeOf.get(cpu) ?? 0, sibling: siblingOf(cpu, siblings, allowed) };
  });
}

/** Which of a core's hardware threads one is, of those that are allowed: the only one allowed is a whole core. */
export function siblingOf(cpu: number, siblings: string, allowed: readonly number[]): number {
  const mine = parseCpuList(siblings).filter((sibling) => allowed.includes(sibling));
  return Math.max(0, mine.indexOf(cpu));
}

/**
 * The order in which cores are taken: real cores before hardware threads; 'compact' fills a memory node before the next,
 * 'spread' takes from all in turn.
 */
export function orderCores(all: readonly Core[], affinity: Exclude<Affinity, 'none'>): number[] {
  const rank = new Map<Core, number>();
  const seen = new Map<string, number>();
  for (const core of all) {
    const key = `${core.node} ${core.sibling}`;
    const position = seen.get(key) ?? 0;
    seen.set(key, position + 1);
    rank.set(core, position);
  }
  const keys = (core: Core) => {
    const position = rank.get(core) ?? 0;
    return affinity === 'compact' ? [core.sibling, core.node, position] : [core.sibling, position, core.node];
  };
  const compare = (a: Core, b: Core) => {
    const [x, y] = [keys(a), keys(b)];
    for (const [i, value] of x.entries()) if (value !== y[i]) return value - (y[i] ?? 0);
    return 0;
  };
  return [...all].sort(compare).map(({ cpu }) => cpu);
}

/** The cores for a trial on some threads; undefined for wherever the system likes. */
export function coresFor(threads: number, affinity: Affinity): number[] | undefined {
  if (affinity === 'none') return undefined;
  return orderCores(cores(), affinity).slice(0, threads);
}

/**
 * The cores that a peer is held to, since not every library can be told how many threads to use: as good ones as nninit had.
 * None on other systems than Linux, which cannot hold it.
 */
export function coresForPeer(threads: number, affinity: Affinity): number[] {
  if (process.platform !== 'linux') return [];
  return orderCores(cores(), affinity === 'none' ? 'spread' : affinity).slice(0, threads);
}
