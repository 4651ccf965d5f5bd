import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** What Linux's control groups, by which containers are held, leave a process. */
export interface Limits {
  /** Bytes that may still be taken; undefined without a limit. */
  readonly memory: number | undefined;
  /** How many cores' time may be used; undefined without a limit. */
  readonly cores: number | undefined;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch {
    return undefined;
  }
}

const numberIn = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;

/** What version 2 and version 1 call their files. In version 2 one hierarchy has all controllers, and no name. */
const versions = [
  {
    holds: (controllers: string) => controllers === '',
    limit: 'memory.max',
    usage: 'memory.current',
    inactive: /^inactive_file (\d+)$/m,
  },
  {
    holds: (controllers: string, wanted: string) => controllers.split(',').includes(wanted),
    limit: 'memory.limit_in_bytes',
    usage: 'memory.usage_in_bytes',
    inactive: /^total_inactive_file (\d+)$/m,
  },
] as const;

type Version = (typeof versions)[number];

/** A path and those above it, up to '/'. */
function upwards(path: string): string[] {
  const above = dirname(path);
  return above === path ? [path] : [path, ...upwards(above)];
}

/**
 * The folders of this process' groups for a controller, from its own up to the root: all of them hold it. In a container the path
 * may be the host's, which is not there; the root is then its own group.
 */
function folders(root: string, wanted: 'memory' | 'cpu'): { readonly folder: string; readonly version: Version }[] {
  const lines = (read(join(root, 'proc/self/cgroup')) ?? '').split('\n');
  return lines.flatMap((line) => {
    const [, controllers = '', path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (path === undefined) return [];
    return versions
      .filter((version) => version.holds(controllers, wanted))
      .flatMap((version) =>
        upwards(path).map((at) => ({ folder: join(root, 'sys/fs/cgroup', controllers, at), version })),
      );
  });
}

function memoryOf(folder: string, { limit, usage, inactive }: Version): number | undefined {
  const most = numberIn(read(join(folder, limit)));
  const used = numberIn(read(join(folder, usage)));
  if (most === undefined || used === undefined) return undefined;
  // The cache of files counts as used, and is given up when memory is wanted.
  const cache = Number(inactive.exec(read(join(folder, 'memory.stat')) ?? '')?.[1] ?? 0);
  return Math.max(0, most - (used - cache));
}

function coresOf(folder: string): number | undefined {
  const [, quota, period] =
    /^(\d+) (\d+)$/.exec(
      read(join(folder, 'cpu.max')) ??
        `${read(join(folder, 'cpu.cfs_quota_us'))} ${read(join(folder, 'cpu.cfs_period_us'))}`,
    ) ?? [];
  return quota === undefined || Number(period) === 0 ? undefined : Number(quota) / Number(period);
}

function least(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

/**
 * What this process' control groups leave it.
 *
 * @param root where /proc and /sys are
 */
export function cgroupLimits(root = '/'): Limits {
  return {
    memory: least(folders(root, 'memory').map(({ folder, version }) => memoryOf(folder, version))),
    cores: least(folders(root, 'cpu').map(({ folder }) => coresOf(folder))),
  };
}

/** How many whole cores' time this process' control groups leave it, at least one; undefined without a limit. */
export function grantedCores(root = '/'): number | undefined {
  const { cores } = cgroupLimits(root);
  return cores === undefined ? undefined : Math.max(1, Math.floor(cores));
}
