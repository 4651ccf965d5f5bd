import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { ProcessId } from './journal-schema.js';

export async function thisProcess(): Promise<ProcessId> {
  const { pid } = process;
  const started = await startOf(pid);
  return { pid, host: hostname(), ...(started === undefined ? {} : { started }) };
}

/** False where the process is known to be gone, or is on another machine. */
export async function isRunning({ pid, host, started }: ProcessId): Promise<boolean> {
  if (host !== hostname()) return false;
  if (started !== undefined) return (await startOf(pid)) === started;
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return cause instanceof Error && 'code' in cause && cause.code === 'EPERM';
  }
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
