/** A safetensors reader of the tests' own, written from the format's description alone. */
import { readFileSync } from 'node:fs';

export interface ReadTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Buffer;
}

export interface ReadFile {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, ReadTensor>;
}

export function readSafetensors(path: string): ReadFile {
  const file = readFileSync(path);
  const length = Number(file.readBigUInt64LE(0));
  const text = file.toString('utf8', 8, 8 + length);
  if (text[0] !== '{') throw new Error('a header begins with {');
  if (length % 8 !== 0) throw new Error('a header is padded to 8 bytes');
  const header = JSON.parse(text) as Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
  const { __metadata__: metadata = {}, ...entries } = header;
  const tensors = new Map<string, ReadTensor>();
  let end = 0;
  const ordered = Object.entries(entries).sort(
    ([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0] || a.data_offsets[1] - b.data_offsets[1],
  );
  for (const [name, { dtype, shape, data_offsets }] of ordered) {
    if (data_offsets[0] !== end) throw new Error(`a hole or an overlap before ${name}`);
    end = data_offsets[1];
    tensors.set(name, { dtype, shape, bytes: file.subarray(8 + length + data_offsets[0], 8 + length + end) });
  }
  if (8 + length + end !== file.length) throw new Error('the file has another length than its header says');
  return { metadata: metadata as unknown as Record<string, string>, tensors };
}
