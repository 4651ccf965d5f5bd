import { createHash, type Hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Dtype, TensorData } from '../../lib/core/dtype.js';
import { packageFile } from '../../lib/core/package-files.js';
import { idOf, type SubjectName, type Trial } from './catalog.js';

/** The seed of every trial; all draw stream 0. */
export const seed = 67280421310721n;

interface Recorded {
  readonly checksums: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

let recorded: Recorded | undefined;

/** Feeds bytes to a hash, in pieces that it takes. */
export function update(hash: Hash, data: TensorData): void {
  const piece = 2 ** 28;
  for (let at = 0; at < data.byteLength; at += piece) {
    hash.update(new Uint8Array(data.buffer, data.byteOffset + at, Math.min(piece, data.byteLength - at)));
  }
}

/** The checksum that a hash amounts to: the first 64 bits. */
export function checksumOfHash(hash: Hash): string {
  return hash.digest('hex').slice(0, 16);
}

/** The checksum of a tensor's bytes: the first 64 bits of their SHA-256. */
export function checksumOf(data: TensorData): string {
  const hash = createHash('sha256');
  update(hash, data);
  return checksumOfHash(hash);
}

/** The key under which the checksums of a fill and dtype are recorded, by log2 of the elements. */
export function recordKey(fill: SubjectName, dtype: Dtype): string {
  return `${fill} ${dtype}`;
}

/**
 * What a trial's bytes must be: recorded from the stream on the simplest path there is (one thread, the least SIMD target, in
 * chunks). Undefined for sizes that were not recorded.
 */
export function recordedChecksum({ fill, dtype, log2 }: Pick<Trial, 'fill' | 'dtype' | 'log2'>): string | undefined {
  recorded ??= JSON.parse(readFileSync(packageFile('bench/checksums.json'), 'utf8')) as Recorded;
  return recorded.checksums[recordKey(fill, dtype)]?.[log2];
}

/** Refuses a result with other bytes than the recorded ones. */
export function verify(trial: Trial, checksum: string): void {
  const expected = recordedChecksum(trial);
  if (checksum === expected) return;
  throw new Error(
    `bench: ${idOf(trial)} wrote the wrong bytes: expected checksum ${expected}, but received ${checksum}. ` +
      'Its times mean nothing; please report it with the output of `nninit bench`',
  );
}
