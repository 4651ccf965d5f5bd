import { type FileHandle, open, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { is_plain_object } from '../../core/check.js';
import { InputError } from '../../core/errors.js';
import { read_json } from '../../core/json.js';
import { parse_with } from '../../core/json-problems.js';
import { elements_of } from '../../core/shape.js';
import { stored_bytes, stored_dtypes } from '../../core/stored-dtype.js';
import { shape_schema } from '../../plan/recipe/schema.js';
import { stored_dtype } from '../../plan/rules/initializer-schema.js';
import { npy_head } from '../npy/header.js';
import { type FileHeader, unreadable } from '../safetensors/read-header.js';
import { is_file_name, read_limited } from '../safetensors/read-index.js';

const objects = { error: 'an object' };
const manifest_schema = z.object(
  {
    format: z.enum(['npy', 'raw'], { error: "'npy' or 'raw'" }),
    metadata: z.record(z.string(), z.string({ error: 'a string' }), objects),
    // Not a record: zod leaves out the key __proto__, which is a name like others.
    tensors: z.custom<Readonly<Record<string, unknown>>>(is_plain_object, objects),
  },
  objects,
);
const entry_schema = z.object(
  {
    file: z.string({ error: "a file's name" }).refine(is_file_name, { error: 'the name of a file in this folder' }),
    dtype: stored_dtype,
    shape: shape_schema,
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
export async function read_manifest(path: string): Promise<FileHeader[]> {
  const refuse = (what: string, cause?: unknown) => new InputError(what, { path, code: 'ERR_NNINIT_MANIFEST', cause });
  const bytes = await read_limited(path, refuse);
  const files: FileHeader[] = [];
  try {
    const document = read_json(bytes, path);
    const { format, metadata, tensors } = parse_with(manifest_schema, document.value, path);
    const told = new Map(Object.entries(metadata));
    for (const name of document.keys_of('tensors')) {
      const { file, dtype, shape } = parse_with(entry_schema, tensors[name], path, ['tensors', name]);
      const { tag } = stored_dtypes[dtype];
      const elements = elements_of(shape);
      const length = stored_bytes(dtype, elements);
      if (!Number.isSafeInteger(length)) {
        const what = Number.isInteger(length) ? 'is too large' : 'takes no whole number of bytes';
        throw refuse(`${path}: tensor ${JSON.stringify(name)}: [${shape}] ${what}`);
      }
      const head = format === 'npy' ? npy_head(dtype, shape) : new Uint8Array(0);
      const tensor = { name, tag, dtype, shape, elements, offsets: [0, length] as const };
      const [data_offset, file_bytes] = [head.length, head.length + length];
      files.push({ path: join(dirname(path), file), tensors: [tensor], metadata: told, data_offset, file_bytes });
      await check_file(join(dirname(path), file), head, file_bytes);
    }
  } catch (cause) {
    if (cause instanceof InputError && cause.code === 'ERR_NNINIT_INPUT') throw refuse(cause.message, cause);
    throw cause;
  }
  return files;
}

async function check_file(path: string, head: Uint8Array, file_bytes: number): Promise<void> {
  const refuse = (what: string) => new InputError(`${path}: ${what}`, { path, code: 'ERR_NNINIT_HEADER' });
  try {
    const info = await stat(path);
    if (!info.isFile()) throw refuse('expected a file, but it is none');
    if (info.size !== file_bytes) throw refuse(`expected ${file_bytes} bytes, but there are ${info.size}`);
    if (head.length === 0) return;
    const found = Buffer.alloc(head.length);
    const file: FileHandle = await open(path, 'r');
    try {
      await file.read(found, 0, head.length, 0);
    } finally {
      await file.close();
    }
    if (!found.equals(head))
      throw refuse("expected the head that numpy.save writes for the manifest's dtype and shape");
  } catch (cause) {
    throw cause instanceof InputError ? cause : unreadable(path, cause);
  }
}
