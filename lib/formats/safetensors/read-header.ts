import { type FileHandle, open, stat } from 'node:fs/promises';
import { errorCode, InputError } from '../../core/errors.js';
import { linkToNowhere } from '../../core/links.js';
import { type StoredDtype, storedDtypes, storedNames, storedOfTag } from '../../core/stored-dtype.js';
import { strerror } from '../../core/strerror.js';
import { HeaderError, parseHeader, type RawTensor } from './header-json.js';

/** A tensor in a safetensors file. */
export interface FileTensor {
  readonly name: string;
  /** The dtype as the file names it: F32, BF16, I64, F8_E4M3, … */
  readonly tag: string;
  /** The same by PyTorch's name. */
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  readonly elements: number;
  /** Its first byte and the one after its last, counted from dataOffset. */
  readonly offsets: readonly [begin: number, end: number];
}

/** All that the header of a safetensors file says, checked against the file's length. */
export interface FileHeader {
  readonly path: string;
  /** In the order of their data. */
  readonly tensors: readonly FileTensor[];
  readonly metadata: ReadonlyMap<string, string>;
  /** Where the data begins in the file. */
  readonly dataOffset: number;
  readonly fileBytes: number;
}

/** The longest header, without its own length: the reference's limit. */
const headerLimit = 100_000_000;

/** A product of sizes that the reference computes must stay below. */
const wordLimit = 2n ** 64n;

/**
 * Reads the header of a safetensors file, and nothing else of it, as strictly as the reference reader and in some points more so:
 *
 * - the length of the header is at most 100 MB and within the file, which is looked at before any memory is taken
 * - the header is UTF-8 and JSON that begins with `{`, no key twice, `__metadata__` from strings to strings
 * - each tensor has a known dtype, a shape of whole numbers, and as many bytes as they say
 * - the tensors' bytes follow one another without holes or overlaps, up to the very end of the file
 *
 * Empty tensors and tensors without dimensions are allowed, and so are unknown keys of tensors.
 *
 * https://github.com/huggingface/safetensors#format
 *
 * @throws InputError with the path: code ERR_NNINIT_READ if the system refuses, ERR_NNINIT_HEADER for a file that is not so
 */
export async function readHeader(path: string): Promise<FileHeader> {
  let file: FileHandle;
  try {
    // Before it is opened: to open a named pipe is to wait for a writer.
    const info = await stat(path);
    if (!info.isFile()) throw refusal(path, `expected a file, but it is ${info.isDirectory() ? 'a folder' : 'none'}`);
    file = await open(path, 'r');
  } catch (cause) {
    throw cause instanceof InputError ? cause : await notThere(path, cause);
  }
  try {
    const { size } = await file.stat();
    return checkHeader(path, size, await headerText(file, path, size));
  } catch (cause) {
    if (cause instanceof HeaderError) throw refusal(path, cause.message);
    throw cause instanceof InputError ? cause : unreadable(path, cause);
  } finally {
    await file.close();
  }
}

/** The error for a file that the system does not let us read. */
export function unreadable(path: string, cause: unknown): InputError {
  return new InputError(`could not read ${path}: ${strerror(cause)}`, { path, cause, code: 'ERR_NNINIT_READ' });
}

/** The same for one that may be a link to nowhere, as in a cache from which the files are gone. */
export async function notThere(path: string, cause: unknown): Promise<InputError> {
  const nowhere = errorCode(cause) === 'ENOENT' ? await linkToNowhere(path) : undefined;
  if (nowhere === undefined) return unreadable(path, cause);
  return new InputError(`could not read ${path}: it is ${nowhere}`, { path, cause, code: 'ERR_NNINIT_READ' });
}

function refusal(path: string, what: string): InputError {
  return new InputError(`${path}: ${what}`, { path, code: 'ERR_NNINIT_HEADER' });
}

interface HeaderText {
  readonly text: string;
  readonly dataOffset: number;
}

async function headerText(file: FileHandle, path: string, fileBytes: number): Promise<HeaderText> {
  if (fileBytes < 8)
    throw refusal(path, `expected at least the 8 bytes of a header's length, but there are ${fileBytes}`);
  const length = (await readExactly(file, path, 0, 8)).readBigUInt64LE(0);
  if (length > headerLimit) {
    throw refusal(path, `expected a header of at most ${headerLimit} bytes, but its length is given as ${length}`);
  }
  const bytes = Number(length);
  if (8 + bytes > fileBytes) {
    throw refusal(path, `expected a header of ${bytes} bytes, but only ${fileBytes - 8} follow: the file is cut off`);
  }
  const header = await readExactly(file, path, 8, bytes);
  try {
    // ignoreBOM keeps a byte order mark in the text, where it is refused as what does not begin with '{'.
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(header), dataOffset: 8 + bytes };
  } catch {
    throw refusal(path, 'expected a header in UTF-8, but it is no valid UTF-8');
  }
}

/** Reads bytes that were there when the file was opened. */
async function readExactly(file: FileHandle, path: string, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(bytes, done, length - done, position + done);
    if (bytesRead === 0) throw refusal(path, 'the file became shorter while it was being read');
    done += bytesRead;
  }
  return bytes;
}

function checkHeader(path: string, fileBytes: number, { text, dataOffset }: HeaderText): FileHeader {
  const { metadata, tensors: raw } = parseHeader(text);
  // Stable: empty tensors at one place stay in the header's order.
  const ordered = raw.toSorted((a, b) => a.begin - b.begin || a.end - b.end);
  let expected = 0;
  const tensors = ordered.map((tensor) => {
    const { name, begin, end } = tensor;
    if (begin !== expected || end < begin) {
      const which = begin < expected ? 'overlaps the one before it' : 'leaves a hole before it';
      const why = end < begin ? 'ends before it begins' : `${which}, for that ends at ${expected}`;
      const where = `${JSON.stringify(name)} [${begin}, ${end})`;
      throw new HeaderError(`expected tensors one after the other, but ${where} ${why}`);
    }
    expected = end;
    return checkTensor(tensor);
  });
  if (dataOffset + expected !== fileBytes) {
    const found = fileBytes - dataOffset;
    const why = found < expected ? 'the file is cut off' : 'something follows';
    throw new HeaderError(`expected ${expected} bytes of data, but there are ${found}: ${why}`);
  }
  return { path, tensors, metadata, dataOffset, fileBytes };
}

function checkTensor({ name, dtype: tag, shape, begin, end }: RawTensor): FileTensor {
  const place = `tensor ${JSON.stringify(name)}`;
  const dtype = storedOfTag(tag);
  if (dtype === undefined) {
    const known = storedNames.map((each) => storedDtypes[each].tag).join(', ');
    throw new HeaderError(`expected a dtype for ${place}, one of ${known}, but it is ${JSON.stringify(tag)}`);
  }
  const { pack, bytes } = storedDtypes[dtype];
  const bits = (8 * bytes) / pack;
  let product = 1n;
  for (const size of shape) {
    product *= BigInt(size);
    if (product >= wordLimit) throw new HeaderError(`expected less than 2^64 elements, but ${place} has [${shape}]`);
  }
  const needed = product * BigInt(bits);
  if (needed % 8n !== 0n) {
    throw new HeaderError(`expected whole bytes, but ${place} has ${product} elements of ${bits} bits`);
  }
  if (needed / 8n !== BigInt(end - begin)) {
    throw new HeaderError(
      `expected ${needed / 8n} bytes for ${place} (${tag} [${shape}]), but its data_offsets hold ${end - begin}`,
    );
  }
  return { name, tag, dtype, shape, elements: Number(product), offsets: [begin, end] };
}
