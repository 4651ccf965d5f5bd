/** What a safetensors file is where another is expected. */
export const safetensorsKind = 'a safetensors file, which { like: path } takes';

/** What files of other kinds begin with, as Latin-1, and what they are. */
const kinds: readonly (readonly [begin: string | RegExp, what: string])[] = [
  [
    'version https://git-lfs.github.com/spec',
    'a Git LFS pointer, which stands for a file that is still at the server: `git lfs pull` fetches it',
  ],
  [/^\s*<(?:!doctype\s+html|html)/i, 'a web page: give the address of the file itself'],
  ['\xff\xfe', 'text in UTF-16: save it as UTF-8'],
  ['\xfe\xff', 'text in UTF-16: save it as UTF-8'],
  ['PK\x03\x04', "a ZIP archive, as PyTorch's .bin and .pt files are: save it as safetensors first"],
  ['\x80', 'a Python pickle: save it as safetensors first'],
  ['GGUF', 'a GGUF file: give the safetensors that it was made from'],
  ['\x89HDF', 'an HDF5 file: save it as safetensors first'],
  ['\x1f\x8b', 'compressed by gzip: unpack it first'],
  ['\x28\xb5\x2f\xfd', 'compressed by zstd: unpack it first'],
  ['\x93NUMPY', 'a NumPy array'],
  [/^(?:\xef\xbb\xbf)?\s*[{[]/, 'JSON text'],
  [/^.{8}\{"/s, safetensorsKind],
];

/** So many bytes of a file's beginning tell its kind. */
export const kindBytes = 128;

/**
 * What a file is that was given for one of another kind, in words, from its first bytes; undefined where they do not tell.
 *
 * @param begin the file's beginning; all of it where it is shorter than kindBytes
 */
export function kindOfFile(begin: Uint8Array): string | undefined {
  if (begin.length === 0) return 'empty';
  const text = Buffer.from(begin.subarray(0, kindBytes)).toString('latin1');
  return kinds.find(([begin]) => (typeof begin === 'string' ? text.startsWith(begin) : begin.test(text)))?.[1];
}
