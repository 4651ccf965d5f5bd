import { InputError } from '../../core/errors.js';
import { kindBytes, kindOfFile, safetensorsKind } from '../../core/file-kinds.js';
import { type StoredDtype, storedDtypes, storedNames, storedOfTag } from '../../core/stored-dtype.js';
import { shapeText } from '../../core/text.js';
import { openSource, type Source } from '../source/source.js';
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
  /** Of the file that was read. */
  readonly version: string;
}

/** What readHeader passes. */
export interface HeaderOptions {
  /** Stops, at a server. */
  readonly signal?: AbortSignal | undefined;
  /** Whether a file may be a header alone, of which names, shapes and dtypes are wanted. */
  readonly withoutData?: boolean | undefined;
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
export async function readHeader(
  path: string,
  { withoutData = false, signal }: HeaderOptions = {},
): Promise<FileHeader> {
  const source = await openSource(path, signal);
  try {
    const header = checkHeader(path, source.size, await headerText(source, signal), withoutData);
    return { ...header, version: source.version };
  } catch (cause) {
    throw cause instanceof HeaderError ? refusal(path, cause.message) : cause;
  } finally {
    await source.close();
  }
}

function refusal(path: string, what: string): InputError {
  return new InputError(`${path}: ${what}`, { path, code: 'ERR_NNINIT_HEADER' });
}

/** The refusal of a file that does not begin as a safetensors file does: it says what the file is, where its beginning tells. */
async function otherKind(source: Source, what: string): Promise<InputError> {
  const kind = kindOfFile(await readExactly(source, 0, Math.min(source.size, kindBytes)));
  const isOther = kind !== undefined && kind !== safetensorsKind;
  return refusal(source.path, isOther ? `expected a safetensors file, but it is ${kind}` : what);
}

interface HeaderText {
  readonly text: string;
  readonly dataOffset: number;
}

async function headerText(source: Source, signal?: AbortSignal): Promise<HeaderText> {
  const { path, size: fileBytes } = source;
  if (fileBytes < 8)
    throw await otherKind(source, `expected at least the 8 bytes of a header's length, but there are ${fileBytes}`);
  const length = (await readExactly(source, 0, 8, signal)).readBigUInt64LE(0);
  if (length > headerLimit) {
    const what = `expected a header of at most ${headerLimit} bytes, but its length is given as ${length}`;
    throw await otherKind(source, what);
  }
  const bytes = Number(length);
  if (8 + bytes > fileBytes) {
    const what = `expected a header of ${bytes} bytes, but only ${fileBytes - 8} follow: the file is cut off`;
    throw await otherKind(source, what);
  }
  const header = await readExactly(source, 8, bytes, signal);
  try {
    // ignoreBOM keeps a byte order mark in the text, where it is refused as what does not begin with '{'.
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(header), dataOffset: 8 + bytes };
  } catch {
    throw refusal(path, 'expected a header in UTF-8, but it is no valid UTF-8');
  }
}

async function readExactly(source: Source, position: number, length: number, signal?: AbortSignal): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  await source.read(bytes, position, signal);
  return bytes;
}

function checkHeader(
  path: string,
  fileBytes: number,
  { text, dataOffset }: HeaderText,
  withoutData: boolean,
): Omit<FileHeader, 'version'> {
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
  const isHeaderAlone = withoutData && fileBytes === dataOffset;
  if (dataOffset + expected !== fileBytes && !isHeaderAlone) {
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
    if (product >= wordLimit)
      throw new HeaderError(`expected less than 2^64 elements, but ${place} has ${shapeText(shape, ',')}`);
  }
  const needed = product * BigInt(bits);
  if (needed % 8n !== 0n) {
    throw new HeaderError(`expected whole bytes, but ${place} has ${product} elements of ${bits} bits`);
  }
  if (needed / 8n !== BigInt(end - begin)) {
    throw new HeaderError(
      `expected ${needed / 8n} bytes for ${place} (${tag} ${shapeText(shape, ',')}), but its data_offsets hold ${end - begin}`,
    );
  }
  return { name, tag, dtype, shape, elements: Number(product), offsets: [begin, end] };
}
