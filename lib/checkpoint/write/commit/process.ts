import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';

/** A process, so that a later one can tell whether it still runs. */
export interface ProcessId {
  readonly pid: number;
  readonly host: string;
  /** On Linux, the boot of the system and the tick in it at which the process started: numbers of processes are used again. */
  readonly started?: string;
  /** On Linux, the space in which the number counts: each container has one. */
  readonly space?: string;
}

export async function thisProcess(): Promise<ProcessId> {
  const { pid } = process;
  const [started, space] = await Promise.all([startOf(pid), spaceOfNumbers()]);
  return {
    ...{ pid, host: hostname() },
    ...(started !== undefined && { started }),
    ...(space !== undefined && { space }),
  };
}

/**
 * Whether a process runs; 'unknown' where it cannot be seen from here: on another machine, or in another container. 'own' is this one:
 * it runs, but the thread of it that wrote may have been ended.
 */
export async function stateOf(of: ProcessId): Promise<'own' | 'running' | 'gone' | 'unknown'> {
  const state = await stateOfAny(of);
  return state === 'running' && of.pid === process.pid ? 'own' : state;
}

async function stateOfAny({ pid, host, started, space }: ProcessId): Promise<'running' | 'gone' | 'unknown'> {
  if (started !== undefined) {
    const own = await startOf(process.pid);
    // Another machine, or this one before it was started again, which only its name could tell apart.
    if (own === undefined || bootOf(own) !== bootOf(started)) return host === hostname() ? 'gone' : 'unknown';
    if (space !== (await spaceOfNumbers())) return 'unknown';
    return (await startOf(pid)) === started ? 'running' : 'gone';
  }
  if (host !== hostname()) return 'unknown';
  try {
    process.kill(pid, 0);
    return 'running';
  } catch (cause) {
    return cause instanceof Error && 'code' in cause && cause.code === 'EPERM' ? 'running' : 'gone';
  }
}

const bootOf = (started: string): string => started.slice(0, started.lastIndexOf(':'));

async function spaceOfNumbers(): Promise<string | undefined> {
  if (process.platform !== 'linux') return undefined;
  return readlink('/proc/self/ns/pid').catch(() => undefined);
}

async function startOf(pid: number): Promise<string | undefined> {
  if (process.platform !== 'linux') return undefined;
  try {
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
    const text = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The second field, the program's name, is in parentheses and may hold anything; the 22nd is the start.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const ended = fields[0] === 'Z' || fields[0] === 'X';
    return ended ? undefined : `${boot}:${fields[19]}`;
  } catch {
    return undefined;
  }
}
