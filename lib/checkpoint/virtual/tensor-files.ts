import { InputError } from '../../core/errors.js';
import type { Format } from '../../formats/names.js';
import { npyHead } from '../../formats/npy/header.js';
import { fileNames, manifestName } from '../../formats/raw/names.js';
import type { ResolvedTensor } from '../../plan/plan.js';
import {
  adapterNames,
  carriedText,
  configDocument,
  type Document,
  digestOf,
  type FileSet,
  metadataOf,
  type OutputFile,
} from './layout.js';
import { type SafetensorsOptions, safetensorsFiles, usualBase } from './shards.js';

/** The files of a model in a format, safetensors by default. */
export function fileSetOf(
  tensors: readonly ResolvedTensor[],
  { format = 'safetensors', ...options }: SafetensorsOptions & { readonly format?: Format | undefined },
): FileSet {
  return format === 'safetensors' ? safetensorsFiles(tensors, options) : tensorFiles(tensors, format, options);
}

const extensions = { npy: '.npy', raw: '.bin' } as const;

/**
 * The files of a model with a file for each tensor, `.npy` or bare little-endian elements in C order (`.bin`), and a manifest that
 * says which file holds which tensor.
 *
 * @throws InputError for names that cannot be files', and for `.npy` of elements of less than a byte
 */
export function tensorFiles(
  tensors: readonly ResolvedTensor[],
  format: Exclude<Format, 'safetensors'>,
  { keys, config, source, adapter }: Pick<SafetensorsOptions, 'keys' | 'config' | 'source' | 'adapter'>,
): FileSet {
  const names = fileNames(
    tensors.map(({ name }) => name),
    extensions[format],
  );
  const files = tensors.map((tensor, i): OutputFile => {
    const head = format === 'npy' ? npyHeadOf(tensor) : new Uint8Array(0);
    const { bytes } = tensor;
    const name = names[i] ?? '';
    return { name, head, tensors: [{ ...tensor, offset: 0 }], dataBytes: bytes, fileBytes: head.length + bytes };
  });
  const metadata = metadataOf(tensors, keys, carriedText(source, 1));
  const set = {
    format,
    base: adapter ? adapterNames.base : usualBase, // of safetensors files that these replace
    files,
    config: configDocument(config, adapter),
    index: manifestOf(files, format, metadata),
    metadata,
    selfDescribing: false,
  };
  return { ...set, digest: digestOf(set) };
}

function npyHeadOf({ name, dtype, shape }: ResolvedTensor): Uint8Array {
  try {
    return npyHead(dtype, shape);
  } catch (cause) {
    if (!(cause instanceof InputError)) throw cause;
    throw new InputError(`tensor ${JSON.stringify(name)}: ${cause.message}`, { cause });
  }
}

function manifestOf(
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
  return { name: manifestName, text: `{\n${head}  "tensors": {\n${lines.join(',\n')}\n  }\n}\n` };
}
