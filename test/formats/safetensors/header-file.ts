/** A safetensors file of a header's text, or bytes, and so many bytes of data. */
export function fileOf(header: string | Uint8Array, data: number, length?: bigint): Buffer {
  const json = Buffer.from(header as string);
  const head = Buffer.alloc(8);
  head.writeBigUInt64LE(length ?? BigInt(json.length));
  return Buffer.concat([head, json, Buffer.alloc(data)]);
}

/** A tensor's place in a header. */
export const entry = (dtype = 'F32', shape = '[2]', offsets = '[0,8]') =>
  `{"dtype":"${dtype}","shape":${shape},"data_offsets":${offsets}}`;
