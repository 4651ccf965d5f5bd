import { z } from 'zod';
import { isPlainObject } from '../../core/check.js';
import { InputError } from '../../core/errors.js';
import { readJson } from '../../core/json.js';
import { parseWith } from '../../core/json-problems.js';
import { shapeSchema, storedDtype } from '../../core/schemas.js';
import { elementsOf } from '../../core/shape.js';
import { type StoredDtype, storedBytes, storedDtypes } from '../../core/stored-dtype.js';
import { shapeText } from '../../core/text.js';
import { npyHead } from '../npy/header.js';
import type { FileHeader } from '../safetensors/read-header.js';
import { indexLimit, isFileName } from '../safetensors/read-index.js';
import { beside, openSource, readWhole } from '../source/source.js';

const objects = { error: 'an object' };
const manifestSchema = z.object(
  {
    format: z.enum(['npy', 'raw'], { error: "'npy' or 'raw'" }),
    metadata: z.record(z.string(), z.string({ error: 'a string' }), objects),
    // Not a record: zod leaves out the key __proto__, which is a name like others.
    tensors: z.custom<Readonly<Record<string, unknown>>>(isPlainObject, objects),
  },
  objects,
);
const entrySchema = z.object(
  {
    file: z.string({ error: "a file's name" }).refine(isFileName, { error: 'the name of a file in this folder' }),
    dtype: storedDtype,
    shape: shapeSchema,
    bytes: z.number({ error: 'a number' }).optional(),
  },
  objects,
);

/**
 * Reads what nninit writes beside `.npy` and raw files, and looks at each file's length and head: as if each were a safetensors file of
 * one tensor.
 *
 * @throws InputError with the path: ERR_NNINIT_READ if the system refuses, ERR_NNINIT_MANIFEST for a manifest that is not so, ERR_NNINIT_HEADER
 *   for a file that is not as it says
 */
export async function readManifest(path: string, signal?: AbortSignal): Promise<FileHeader[]> {
  const refuse = (what: string, cause?: unknown) => new InputError(what, { path, code: 'ERR_NNINIT_MANIFEST', cause });
  const bytes = await readWhole(path, indexLimit, refuse, signal);
  const files: FileHeader[] = [];
  try {
    const document = readJson(bytes, path);
    const { format, metadata, tensors } = parseWith(manifestSchema, document.value, path);
    const about = new Map(Object.entries(metadata));
    for (const name of document.keysOf('tensors')) {
      const { file, dtype, shape, bytes: told } = parseWith(entrySchema, tensors[name], path, ['tensors', name]);
      const { tag } = storedDtypes[dtype];
      const elements = elementsOf(shape);
      const length = storedBytes(dtype, elements);
      if (!Number.isSafeInteger(length)) {
        const what = Number.isInteger(length) ? 'is too large' : 'takes no whole number of bytes';
        throw refuse(`${path}: tensor ${JSON.stringify(name)}: ${shapeText(shape, ',')} ${what}`);
      }
      const head =
        format === 'npy' ? headOf(`${path}: tensor ${JSON.stringify(name)}`, dtype, shape) : new Uint8Array(0);
      if (told !== undefined && told !== length) {
        const what = `expected "bytes" of ${length}, as dtype and shape make, but received ${told}`;
        throw refuse(`${path}: tensor ${JSON.stringify(name)}: ${what}`);
      }
      const tensor = { name, tag, dtype, shape, elements, offsets: [0, length] as const };
      const [dataOffset, fileBytes] = [head.length, head.length + length];
      const where = beside(path, file);
      const version = await checkFile(where, head, fileBytes, signal);
      files.push({ path: where, tensors: [tensor], metadata: about, dataOffset, fileBytes, version });
    }
  } catch (cause) {
    if (cause instanceof InputError && cause.code === 'ERR_NNINIT_INPUT') throw refuse(cause.message, cause);
    throw cause;
  }
  return files;
}

function headOf(place: string, dtype: StoredDtype, shape: readonly number[]): Uint8Array {
  try {
    return npyHead(dtype, shape);
  } catch (cause) {
    throw cause instanceof InputError ? new InputError(`${place}: ${cause.message}`, { cause }) : cause;
  }
}

/** @returns its version */
async function checkFile(path: string, head: Uint8Array, fileBytes: number, signal?: AbortSignal): Promise<string> {
  const refuse = (what: string) => new InputError(`${path}: ${what}`, { path, code: 'ERR_NNINIT_HEADER' });
  const source = await openSource(path, signal);
  try {
    if (source.size !== fileBytes) throw refuse(`expected ${fileBytes} bytes, but there are ${source.size}`);
    const found = Buffer.alloc(head.length);
    await source.read(found, 0, signal);
    if (!found.equals(head))
      throw refuse("expected the head that numpy.save writes for the manifest's dtype and shape");
    return source.version;
  } finally {
    await source.close();
  }
}
