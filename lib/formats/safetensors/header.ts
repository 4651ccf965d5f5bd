import { InputError } from '../../core/errors.js';
import { type StoredDtype, storedDtypes, storedOrder } from '../../core/stored-dtype.js';

/** What a safetensors header says of a tensor. */
export interface HeaderEntry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: StoredDtype;
  /** elements × bytes an element. */
  readonly bytes: number;
}

/** Where everything is in a safetensors file. */
export interface Layout<T extends HeaderEntry> {
  /** The file's beginning: the length of the JSON as a u64, little-endian, and the JSON, padded with spaces to 8 bytes. */
  readonly head: Uint8Array;
  /** The tensors in the order of the file; `offset` counts from the end of the head. */
  readonly tensors: readonly (T & { readonly offset: number })[];
  /** Bytes of all tensors. */
  readonly dataBytes: number;
  /** Bytes of the whole file. */
  readonly fileBytes: number;
}

/** Readers refuse longer headers. */
const headerLimit = 100_000_000;

/**
 * Lays out a safetensors file as the reference implementation does: larger dtypes first, then by name (in bytes of UTF-8),
 * without holes, `__metadata__` first. Deterministic to the byte: `metadata` keeps its order, which the reference does not.
 *
 * https://github.com/huggingface/safetensors#format
 */
export function layout<T extends HeaderEntry>(
  tensors: readonly T[],
  metadata: Readonly<Record<string, string>>,
  limit = headerLimit,
): Layout<T> {
  const sortable = tensors.map((tensor) => ({
    tensor,
    name: Buffer.from(tensor.name),
    rank: -(storedOrder.get(tensor.dtype) ?? 0),
  }));
  sortable.sort((a, b) => a.rank - b.rank || Buffer.compare(a.name, b.name));
  let offset = 0;
  const placed = sortable.map(({ tensor }) => {
    const at = offset;
    offset += tensor.bytes;
    return { ...tensor, offset: at };
  });
  if (!Number.isSafeInteger(offset)) {
    throw new InputError(`expected at most 2^53 - 1 bytes, but the tensors take ${offset}`);
  }
  const head = header(placed, metadata);
  if (head.length - 8 > limit) {
    const size = `${tensors.length} tensors take ${head.length - 8}`;
    throw new InputError(`expected a safetensors header of at most ${limit} bytes, but ${size}`);
  }
  return { head, tensors: placed, dataBytes: offset, fileBytes: head.length + offset };
}

function header(
  tensors: readonly (HeaderEntry & { offset: number })[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  // Joined by hand: an object would move keys such as "0" to the front and lose "__proto__".
  const entries = [`"__metadata__":${JSON.stringify(metadata)}`];
  for (const { name, dtype, shape, offset, bytes } of tensors) {
    const value = { dtype: storedDtypes[dtype].tag, shape, data_offsets: [offset, offset + bytes] };
    entries.push(`${JSON.stringify(name)}:${JSON.stringify(value)}`);
  }
  const json = Buffer.from(`{${entries.join(',')}}`);
  const length = Math.ceil(json.length / 8) * 8;
  const head = Buffer.alloc(8 + length);
  head.writeBigUInt64LE(BigInt(length), 0);
  json.copy(head, 8);
  head.fill(' ', 8 + json.length);
  return head;
}
