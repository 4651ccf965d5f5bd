import { InputError } from '../../core/errors.js';
import type { Keys } from '../../plan/keys.js';
import type { ResolvedTensor } from '../../plan/plan.js';
import { npy_head } from '../npy/header.js';
import {
  config_name,
  type Document,
  digest_of,
  type FileSet,
  type Format,
  metadata_of,
  type OutputFile,
} from '../output-file.js';
import { file_names, manifest_name } from './names.js';

const extensions = { npy: '.npy', raw: '.bin' } as const;

/**
 * The files of a model with a file for each tensor, `.npy` or bare little-endian elements in C order (`.bin`), and a manifest that
 * says which file holds which tensor.
 *
 * @throws InputError for names that cannot be files', and for `.npy` of elements of less than a byte
 */
export function tensor_files(
  tensors: readonly ResolvedTensor[],
  format: Exclude<Format, 'safetensors'>,
  { keys, config }: { readonly keys: Keys; readonly config?: string | undefined },
): FileSet {
  const names = file_names(
    tensors.map(({ name }) => name),
    extensions[format],
  );
  const files = tensors.map((tensor, i): OutputFile => {
    const head = format === 'npy' ? npy_head_of(tensor) : new Uint8Array(0);
    const { bytes } = tensor;
    const name = names[i] ?? '';
    return { name, head, tensors: [{ ...tensor, offset: 0 }], data_bytes: bytes, file_bytes: head.length + bytes };
  });
  const metadata = metadata_of(tensors, keys);
  const set = {
    format,
    files,
    config: config === undefined ? undefined : { name: config_name, text: config },
    index: manifest_of(files, format, metadata),
    self_describing: false,
  };
  return { ...set, digest: digest_of(set, metadata) };
}

function npy_head_of({ name, dtype, shape }: ResolvedTensor): Uint8Array {
  try {
    return npy_head(dtype, shape);
  } catch (cause) {
    if (!(cause instanceof InputError)) throw cause;
    throw new InputError(`tensor ${JSON.stringify(name)}: ${cause.message}`, { cause });
  }
}

function manifest_of(
  files: readonly OutputFile[],
  format: Format,
  { format: _, ...metadata }: Record<string, string>,
): Document {
  const lines = files.flatMap(({ name: file, tensors }) =>
    tensors.map(
      ({ name, dtype, shape, bytes }) =>
        `    ${JSON.stringify(name)}: ${JSON.stringify({ file, dtype, shape, bytes })}`,
    ),
  );
  const head = `  "format": ${JSON.stringify(format)},\n  "metadata": ${JSON.stringify(metadata)},\n`;
  // Joined by hand: an object would move keys such as "0" to the front.
  return { name: manifest_name, text: `{\n${head}  "tensors": {\n${lines.join(',\n')}\n  }\n}\n` };
}
