import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { InputError } from '../../../lib/core/errors.js';
import { elementsOf } from '../../../lib/core/shape.js';
import { type StoredDtype, storedBytes, storedDtypes, storedNames } from '../../../lib/core/stored-dtype.js';
import { readHeaders } from '../../../lib/formats/reader.js';
import { layout } from '../../../lib/formats/safetensors/header.js';
import { readHeader } from '../../../lib/formats/safetensors/read-header.js';
import { expectOften, fuzzed } from '../../fuzz/fuzzed.js';
import { mutated } from '../../fuzz/mutated.js';
import { processorTime } from '../../support.js';
import { entry, fileOf } from './header-file.js';

let root = '';
let path = '';
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'nninit-reader-'));
  path = join(root, 'x.safetensors');
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

async function read(bytes: Uint8Array) {
  writeFileSync(path, bytes);
  return await readHeader(path);
}

async function refusal(bytes: Uint8Array): Promise<string> {
  const error: unknown = await read(bytes).then(
    () => new Error('it was accepted'),
    (cause: unknown) => cause,
  );
  expect(error).toBeInstanceOf(InputError);
  const { code, message, path: named } = error as InputError;
  expect(code).toBe('ERR_NNINIT_HEADER');
  expect(named).toBe(path);
  expect(message.startsWith(`${path}: `)).toBe(true);
  return message.slice(path.length + 2);
}

// Names of all sorts, but those with half a surrogate pair, which no file can hold.
const name = fc.string({ unit: 'grapheme' }).filter((text) => text !== '__metadata__');
const tensor = fc
  .record({
    name,
    dtype: fc.constantFrom(...storedNames),
    shape: fc.array(fc.nat(4), { maxLength: 4 }),
  })
  .map((made) => {
    const { pack } = storedDtypes[made.dtype];
    const shape = pack === 1 ? made.shape : [...made.shape, pack];
    const elements = elementsOf(shape);
    return { ...made, shape, bytes: storedBytes(made.dtype, elements) };
  });
const tensors = fc.uniqueArray(tensor, { selector: (made) => made.name, maxLength: 8 });

test('what the writer lays out is read back', async () => {
  await fc.assert(
    fc.asyncProperty(tensors, fc.dictionary(name, name), async (made, metadata) => {
      const placed = layout(made, metadata);
      const header = await read(Buffer.concat([placed.head, Buffer.alloc(placed.dataBytes)]));
      expect(header.fileBytes).toBe(placed.fileBytes);
      expect(header.dataOffset).toBe(placed.head.length);
      expect([...header.metadata]).toEqual(Object.entries(metadata));
      const place = ({ name, offset }: { name: string; offset: number }) => `${offset} ${name}`;
      const expected = placed.tensors.toSorted((a, b) => (place(a) < place(b) ? -1 : 1));
      const found = header.tensors.map((each) => ({ ...each, offset: each.offsets[0] }));
      expect(found.toSorted((a, b) => (place(a) < place(b) ? -1 : 1))).toEqual(
        expected.map(({ name, dtype, shape, offset, bytes }) => ({
          name,
          dtype,
          tag: storedDtypes[dtype as StoredDtype].tag,
          shape,
          elements: elementsOf(shape),
          offset,
          offsets: [offset, offset + bytes],
        })),
      );
    }),
    fuzzed(200),
  );
});

const valid = fileOf(
  `{"__metadata__":{"format":"pt","x":"\\u00e9"},"a.weight":${entry('F32', '[2,3]', '[0,24]')},` +
    `"b":${entry('BF16', '[4]', '[24,32]')},"c":${entry('I64', '[]', '[32,40]')},"d":${entry('U8', '[0,7]', '[40,40]')}}`,
  40,
);

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

test('a damaged file is refused, or its header means what JSON.parse takes it for', async () => {
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(mutated([valid]), fc.boolean(), async (bytes, withLength) => {
      // The header as long as it says, so that what is in it is looked at.
      if (withLength && bytes.length >= 48) bytes.writeBigUInt64LE(BigInt(bytes.length - 48));
      try {
        const header = await read(bytes);
        accepted += 1;
        const text = bytes.subarray(8, header.dataOffset).toString();
        const { __metadata__: metadata, ...entries } = JSON.parse(text) as Record<string, Entry>;
        expect(Object.fromEntries(header.metadata)).toEqual(metadata ?? {});
        let end = 0;
        for (const { name, tag, shape, offsets } of header.tensors) {
          expect(entries[name]).toMatchObject({ dtype: tag, shape, data_offsets: offsets });
          expect(offsets[0]).toBe(end);
          end = offsets[1];
        }
        expect(header.tensors).toHaveLength(Object.keys(entries).length);
        expect(header.dataOffset + end).toBe(bytes.length);
      } catch (error) {
        expect(error).toBeInstanceOf(InputError);
        expect(error).toMatchObject({ code: 'ERR_NNINIT_HEADER', path });
      }
    }),
    fuzzed(3000),
  );
  expectOften(accepted, 20);
});

test('bytes at random are refused', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      await refusal(bytes);
    }),
    fuzzed(300),
  );
});

test.each([
  ['nothing', Buffer.alloc(0), 'a safetensors file, but it is empty'],
  ['half a length', Buffer.alloc(5), 'at least the 8 bytes'],
  ['no header', Buffer.alloc(8), "begins with '{', but it begins with nothing"],
  ['a length beyond the file', fileOf('{}', 0, 3n), 'only 2 follow: the file is cut off'],
  [
    'a length beyond 100 MB',
    fileOf('{}', 0, 100_000_001n),
    'at most 100000000 bytes, but its length is given as 100000001',
  ],
  ['a length beyond all', fileOf('{}', 0, 2n ** 64n - 1n), 'given as 18446744073709551615'],
  ['a list', fileOf('[]', 0), 'begins with "["'],
  ['a space first', fileOf(' {}', 0), 'begins with " "'],
  ['a byte order mark', fileOf('\ufeff{}', 0), "begins with '{'"],
  ['bad UTF-8', fileOf(Buffer.from('{"\xff":{}}', 'latin1'), 0), 'no valid UTF-8'],
  ['overlong UTF-8', fileOf(Buffer.from('{"\xc0\x80":{}}', 'latin1'), 0), 'no valid UTF-8'],
  ['half a surrogate pair', fileOf(`{"\\ud800":${entry()}}`, 8), 'well-formed Unicode'],
  ['a raw line break', fileOf(`{"a\n":${entry()}}`, 8), "a string in JSON's rules"],
  ['a comment', fileOf(`{/**/"a":${entry()}}`, 8), 'a key in the header'],
  ['a trailing comma', fileOf(`{"a":${entry()},}`, 8), 'a key in the header'],
  ['text after the end', fileOf(`{"a":${entry()}}x`, 8), 'nothing but spaces after the header'],
  ['zeros after the end', fileOf(`{"a":${entry()}}\0`, 8), 'nothing but spaces after the header'],
  ['an open string', fileOf(`{"a`, 8), "a string's end"],
  [
    'a tensor twice',
    fileOf(`{"a":${entry()},"a":${entry()}}`, 8),
    'each key of the header once, but "a" stands there again',
  ],
  ['a tensor twice, spelt otherwise', fileOf(`{"a":${entry()},"\\u0061":${entry()}}`, 8), 'but "a" stands there again'],
  ['a key twice', fileOf(`{"a":{"dtype":"F32","dtype":"F32"}}`, 8), 'each key of tensor "a" once'],
  ['metadata twice', fileOf(`{"__metadata__":{},"__metadata__":{}}`, 0), 'each key of the header once'],
  ['a key of metadata twice', fileOf(`{"__metadata__":{"a":"","a":""}}`, 0), 'each key of __metadata__ once'],
  ['metadata that is no string', fileOf(`{"__metadata__":{"a":1}}`, 0), 'a string for __metadata__["a"]'],
  ['metadata that is no object', fileOf(`{"__metadata__":[]}`, 0), 'an object for __metadata__'],
  ['a tensor that is no object', fileOf(`{"a":["F32",[2],[0,8]]}`, 8), 'an object for tensor "a"'],
  ['no dtype', fileOf(`{"a":{"shape":[2],"data_offsets":[0,8]}}`, 8), 'tensor "a" to have a dtype'],
  ['no shape', fileOf(`{"a":{"dtype":"F32","data_offsets":[0,8]}}`, 8), 'tensor "a" to have a shape'],
  ['no offsets', fileOf(`{"a":{"dtype":"F32","shape":[2]}}`, 8), 'tensor "a" to have two data_offsets'],
  ['three offsets', fileOf(`{"a":${entry('F32', '[2]', '[0,8,8]')}}`, 8), 'two data_offsets'],
  ['an unknown dtype', fileOf(`{"a":${entry('float32')}}`, 8), 'but it is "float32"'],
  ['a dtype that objects have', fileOf(`{"a":${entry('constructor')}}`, 8), 'but it is "constructor"'],
  [
    'a fraction',
    fileOf(`{"a":${entry('F32', '[2.0]')}}`, 8),
    'whole numbers from 0 to 2^53 - 1 in the shape of tensor "a"',
  ],
  ['an exponent', fileOf(`{"a":${entry('F32', '[2e0]')}}`, 8), 'whole numbers'],
  ['a leading zero', fileOf(`{"a":${entry('F32', '[02]')}}`, 8), "',' or ']' in the shape"],
  ['a negative size', fileOf(`{"a":${entry('F32', '[-2]')}}`, 8), 'whole numbers'],
  ['minus zero', fileOf(`{"a":${entry('F32', '[2]', '[-0,8]')}}`, 8), 'whole numbers'],
  ['a size beyond 2^53', fileOf(`{"a":${entry('F32', '[9007199254740992]')}}`, 8), 'whole numbers'],
  ['2^64 elements', fileOf(`{"a":${entry('U8', '[4294967296,4294967296,0]', '[0,0]')}}`, 0), 'less than 2^64 elements'],
  ['too few bytes', fileOf(`{"a":${entry('F32', '[3]')}}`, 8), 'expected 12 bytes for tensor "a" (F32 [3])'],
  ['too many bytes', fileOf(`{"a":${entry('F32', '[1]')}}`, 8), 'expected 4 bytes for tensor "a" (F32 [1])'],
  [
    'half a byte',
    fileOf(`{"a":${entry('F4', '[3]', '[0,2]')}}`, 2),
    'whole bytes, but tensor "a" has 3 elements of 4 bits',
  ],
  ['an end before the beginning', fileOf(`{"a":${entry('F32', '[2]', '[8,0]')}}`, 8), '[8, 0) ends before it begins'],
  [
    'a hole',
    fileOf(`{"a":${entry()},"b":${entry('U8', '[1]', '[9,10]')}}`, 10),
    'leaves a hole before it, for that ends at 8',
  ],
  ['a hole at the beginning', fileOf(`{"a":${entry('U8', '[1]', '[1,2]')}}`, 2), 'leaves a hole'],
  ['an overlap', fileOf(`{"a":${entry()},"b":${entry('U8', '[1]', '[7,8]')}}`, 8), 'overlaps the one before'],
  ['the same bytes twice', fileOf(`{"a":${entry()},"b":${entry()}}`, 8), 'overlaps the one before'],
  ['a file that is cut off', fileOf(`{"a":${entry()}}`, 7), 'but there are 7: the file is cut off'],
  ['a byte too many', fileOf(`{"a":${entry()}}`, 9), 'but there are 9: something follows'],
])('refused: %s', async (_what, bytes, why) => {
  expect(await refusal(bytes)).toContain(why);
});

test.each([
  ['no tensors', fileOf('{}', 0), []],
  ['spaces after the end', fileOf(`{"a":${entry()}} \n\t\r`, 8), ['a']],
  ['an empty tensor among others', fileOf(`{"b":${entry('F32', '[0]', '[8,8]')},"a":${entry()}}`, 8), ['a', 'b']],
  [
    'an empty tensor where another one begins',
    fileOf(`{"a":${entry()},"b":${entry('F32', '[0]', '[0,0]')}}`, 8),
    ['b', 'a'],
  ],
  ['a tensor without dimensions', fileOf(`{"a":${entry('F64', '[]')}}`, 8), ['a']],
  ['another order', fileOf(`{"b":${entry('U8', '[1]', '[8,9]')},"a":${entry()}}`, 9), ['a', 'b']],
  ['unknown keys', fileOf(`{"a":{"x":[1e3,{"y":null}],${entry().slice(1)}}`, 8), ['a']],
  ['metadata null', fileOf(`{"__metadata__":null,"a":${entry()}}`, 8), ['a']],
  ['odd names', fileOf(`{"":${entry()},"__proto__":${entry('U8', '[1]', '[8,9]')}}`, 9), ['', '__proto__']],
  ['half bytes that make whole ones', fileOf(`{"a":${entry('F4', '[2,3]', '[0,3]')}}`, 3), ['a']],
  ['three quarters of bytes', fileOf(`{"a":${entry('F6_E2M3', '[4]', '[0,3]')}}`, 3), ['a']],
])('accepted: %s', async (_what, bytes, names) => {
  const { tensors } = await read(bytes);
  expect(tensors.map((each) => each.name)).toEqual(names);
});

test('a header alone is enough where only that is asked for, and a file that is cut off is not', async () => {
  const text = `{"a":${entry()}}`;
  for (const [data, message] of [
    [0, undefined],
    [7, 'but there are 7: the file is cut off'],
    [9, 'but there are 9: something follows'],
  ] as const) {
    writeFileSync(path, fileOf(text, data));
    const reading = readHeader(path, { withoutData: true });
    if (message !== undefined) await expect(reading).rejects.toThrow(message);
    else expect((await reading).tensors).toMatchObject([{ name: 'a', shape: [2] }]);
  }
});

test('a header beyond the limit is refused though the file is as long', async () => {
  writeFileSync(path, fileOf('{', 0, 100_000_001n));
  truncateSync(path, 200_000_000); // sparse: it takes no room
  await expect(readHeader(path)).rejects.toThrow('at most 100000000 bytes');
});

test('what is no file is refused, and the system is quoted', async () => {
  await expect(readHeader(root)).rejects.toMatchObject({
    code: 'ERR_NNINIT_READ',
    message: expect.stringMatching(/it is a folder$/),
  });
  const missing = join(root, 'missing');
  const quote = {
    code: 'ERR_NNINIT_READ',
    path: missing,
    message: expect.stringMatching(/no such file or directory \(ENOENT\)$/),
  };
  await expect(readHeader(missing)).rejects.toMatchObject(quote);
  await expect(readHeaders(missing)).rejects.toMatchObject(quote);
});

test.skipIf(process.platform === 'win32')('a named pipe is refused without waiting for who writes to it', async () => {
  const pipe = join(root, 'pipe.safetensors');
  execFileSync('mkfifo', [pipe]);
  await expect(readHeader(pipe)).rejects.toThrow(/expected a file/);
});

test('a hundred thousand tensors take no second', async () => {
  const many = Array.from({ length: 100_000 }, (_, i) => {
    return { name: `model.layers.${i}.mlp.experts.weight`, shape: [1], dtype: 'float32' as const, bytes: 4 };
  });
  const { head, dataBytes } = layout(many, {});
  const start = processorTime();
  const { tensors } = await read(Buffer.concat([head, Buffer.alloc(dataBytes)]));
  expect(tensors).toHaveLength(100_000);
  expect(processorTime() - start).toBeLessThan(3000);
});
