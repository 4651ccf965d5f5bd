import { InputError } from '../../core/errors.js';

/** Beside `.npy` and raw files: which holds which tensor. */
export const manifestName = 'manifest.json';

/** Device names of Windows, with or without an extension. */
const reserved = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

/** Room for the extension and for what a temporary name adds, out of the 255 bytes of a name. */
const longest = 200;

/**
 * The name of a tensor's file without its extension: letters, digits, `.`, `_` and `-` stay, all else becomes %XX of its UTF-8, as
 * in addresses, and so do a leading dot and the first letter of a device name of Windows. decodeURIComponent gives the name back.
 */
export function encodeName(name: string): string {
  const escaped = (byte: number) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  let text = '';
  for (const byte of Buffer.from(name)) {
    const letter = String.fromCharCode(byte);
    text += /[A-Za-z0-9._-]/.test(letter) && !(text === '' && letter === '.') ? letter : escaped(byte);
  }
  return reserved.test(text) ? escaped(text.charCodeAt(0)) + text.slice(1) : text;
}

/**
 * The file names of tensors, in their order.
 *
 * @throws InputError for a name that is empty or too long for a file, and for two that file systems without upper and lower case
 *   would take for one
 */
export function fileNames(names: readonly string[], extension: string): string[] {
  const seen = new Map<string, string>();
  return names.map((name) => {
    const encoded = encodeName(name);
    const shown = JSON.stringify(name);
    if (encoded === '') throw new InputError(`tensor ${shown}: expected a name that can be a file's`);
    if (encoded.length > longest) {
      const given = `${encoded.length} as ${encoded.slice(0, 40)}…`;
      throw new InputError(
        `tensor ${shown}: expected a name of at most ${longest} bytes for a file, but it takes ${given}`,
      );
    }
    const folded = encoded.toLowerCase();
    const other = seen.get(folded);
    if (other !== undefined) {
      throw new InputError(
        `tensors ${JSON.stringify(other)} and ${shown} differ only in upper and lower case, which some file systems do ` +
          'not tell apart: write safetensors instead',
      );
    }
    seen.set(folded, name);
    return encoded + extension;
  });
}
