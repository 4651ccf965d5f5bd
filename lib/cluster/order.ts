import type { LayoutOptions } from '../checkpoint/virtual/virtual-checkpoint.js';
import type { WriteEnsembleOptions } from '../checkpoint/write/ensemble.js';
import type { Written } from '../checkpoint/write/write.js';
import { copyOfPlain } from '../core/check.js';
import type { Plan } from '../plan/plan.js';

export interface OrderOptions extends LayoutOptions {
  /** Where the order goes: `redis://host:6379/0`, or `rediss://…` for TLS, with name and password where there are such. */
  readonly redis: string;
  /** In how many parts, 1 to 100,000; by default 64 or fewer, each worth 64 MiB or more, and one for each 256 MiB of more work, 4096 at most. A file is worth 1 MiB besides its bytes. */
  readonly parts?: number | undefined;
  /** 1 to 1000, 10 by default: of two orders, the parts of the one with the lower number are done first. */
  readonly priority?: number | undefined;
  /** 'resume' (default) leaves alone what is complete and goes on with what is not; 'replace' replaces another checkpoint once the parts are finished. */
  readonly existing?: 'resume' | 'replace' | undefined;
}

export interface OrderEnsembleOptions extends Omit<OrderOptions, 'seed'> {
  /** Integers in [-2^63, 2^64), each once. */
  readonly seeds: WriteEnsembleOptions['seeds'];
}

/** How far an order has come. */
export interface OrderProgress {
  /** Bytes of files that are done, by all workers. */
  readonly bytes: number;
  readonly totalBytes: number;
  /** Parts that are done, and workers that are at one. */
  readonly parts: number;
  readonly totalParts: number;
  readonly workers: number;
}

export interface WaitOptions {
  /** Stops the waiting; the order goes on. */
  readonly signal?: AbortSignal | undefined;
  /** Called about twice a second. */
  readonly onProgress?: ((progress: OrderProgress) => void) | undefined;
  /** Told in a line of what was tried again, of workers that refuse the order, and of a connection that breaks. What it throws, `wait` throws. */
  readonly onMessage?: ((text: string) => void) | undefined;
}

/** What was ordered. It is done whether somebody waits for it or not. */
export interface Order {
  /** The same for whoever orders the same to the same folder. */
  readonly id: string;
  readonly path: string;
  readonly parts: number;
  /** Of all files. */
  readonly bytes: number;
  /**
   * Waits until the checkpoint is complete.
   *
   * @throws WriteError if it has failed, with the reason; InterruptedError if it was cancelled, or the signal came
   */
  wait(options?: WaitOptions): Promise<Written>;
  /** Has workers stop, and forgets the order; what is written stays, and ordering the same again goes on with it. */
  cancel(): Promise<void>;
  /** Closes the connection; the order goes on. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Orders a checkpoint: it is written in parts by the workers that are at the same Redis, into a folder that they share, and finished by one of them.
 *
 *     await using order = await orderCheckpoint(await loadPlan('resnet18'), '/shared/out', { redis: 'redis://localhost', seed: 42 });
 *     await order.wait();
 *
 * Who orders the same again, at the same time or later, joins the order.
 *
 * @param plan what loadPlan gave
 * @param folder where to, as the workers call it; a relative path is below each worker's root
 * @param options.redis where the order goes
 * @param options.seed and all other options of virtualCheckpoint: what decides the bytes
 * @param options.parts in how many parts
 * @param options.priority 1 to 1000, lower is sooner
 * @param options.existing 'resume' (default) or 'replace'
 * @throws InputError where Redis cannot be reached or refuses, or the packages are not installed; TypeError and RangeError for options
 */
export async function orderCheckpoint(plan: Plan, folder: string, options: OrderOptions): Promise<Order> {
  return order('orderCheckpoint', plan, folder, options, false);
}

/**
 * Orders a checkpoint for each of many seeds, as writeEnsemble writes them: `folder/seed-0`, `folder/seed-1`, …
 *
 *     await using order = await orderEnsemble(plan, '/shared/out', { redis: 'redis://localhost', seeds: [0, 1, 2] });
 *
 * @param plan what loadPlan gave
 * @param folder where to, as the workers call it; a relative path is below each worker's root
 * @param options those of orderCheckpoint, and `seeds` in place of `seed`
 * @throws as orderCheckpoint
 */
export async function orderEnsemble(plan: Plan, folder: string, options: OrderEnsembleOptions): Promise<Order> {
  return order('orderEnsemble', plan, folder, options, true);
}

async function order(
  fn: string,
  plan: Plan,
  folder: string,
  options: OrderOptions | OrderEnsembleOptions,
  isEnsemble: boolean,
) {
  // As they are now: the caller may change them for the next order while this one is begun.
  const [own, given] = [Object.isFrozen(plan) ? plan : copyOfPlain(plan), copyOfPlain(options)];
  const { begunOrder } = await import('./queued-order.js');
  return begunOrder(fn, own, folder, given, isEnsemble);
}
