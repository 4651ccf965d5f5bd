// Endless bytes for batteries of statistical tests, one kind of what nninit draws after the other:
//
//   npm run build && node bench/statistics/stream.js KIND [seed] | dieharder -a -g 200
//
// Each is made by `runFill` from uniforms or normals of float64, so it is what users get, and not a generator beside it.
import { writeSync } from 'node:fs';
import { normalCdf } from '../../build/modules/lib/core/normal.js';
import { resolve, runFill } from '../../build/modules/lib/index.js';
import { streamOfName } from '../../build/modules/lib/plan/plan.js';

const count = 2 ** 16;
const seed = BigInt(process.argv[3] ?? 42);
const values = new Float64Array(count);
const words = new Uint32Array(count);
const uniform = resolve('uniform', [2 ** 20], { dtype: 'float64' });
const normal = resolve('normal', [2 ** 20], { dtype: 'float64' });
const unit = 2 ** 32;

/** Elements [begin, begin + into.length) of a fill. */
function draw(fill, key, begin, into = values) {
  runFill(into, 'float64', fill, key, begin);
  return into;
}

/** The upper 32 of a uniform's 53 bits. */
function upper(from, into, at = 0) {
  for (let i = 0; i < from.length; i++) into[at + i] = Math.floor(from[i] * unit);
  return into;
}

/** A hundred sequences side by side, three numbers of each in turn (as OpenRAND is tested): what they share would show. */
function* interleaved(keyOf) {
  const sources = Array.from({ length: 100 }, (_, i) => ({ key: keyOf(i), values: new Float64Array(3 * 1024) }));
  const out = new Uint32Array(sources.length * 3 * 1024);
  for (let begin = 0; ; begin += 3 * 1024) {
    for (const source of sources) draw(uniform, source.key, begin, source.values);
    let at = 0;
    for (let turn = 0; turn < 1024; turn++) {
      for (const source of sources) {
        for (let i = 0; i < 3; i++) out[at++] = Math.floor(source.values[3 * turn + i] * unit);
      }
    }
    yield out;
  }
}

const key = { seed, stream: 0n };

const kinds = {
  /** The upper bits of one stream. */
  *words() {
    for (let begin = 0; ; begin += count) yield upper(draw(uniform, key, begin), words);
  },
  /** The lower 16 of a uniform's 53 bits. */
  *low() {
    const low = new Uint16Array(count);
    for (let begin = 0; ; begin += count) {
      draw(uniform, key, begin);
      for (let i = 0; i < count; i++) low[i] = (values[i] * 2 ** 53) % 2 ** 16;
      yield low;
    }
  },
  /** The upper bits of one stream, each word's bits in reverse. */
  *reversed() {
    for (let begin = 0; ; begin += count) {
      upper(draw(uniform, key, begin), words);
      for (let i = 0; i < count; i++) {
        let word = words[i];
        word = ((word >>> 1) & 0x55555555) | ((word & 0x55555555) << 1);
        word = ((word >>> 2) & 0x33333333) | ((word & 0x33333333) << 2);
        word = ((word >>> 4) & 0x0f0f0f0f) | ((word & 0x0f0f0f0f) << 4);
        word = ((word >>> 8) & 0x00ff00ff) | ((word & 0x00ff00ff) << 8);
        words[i] = (word >>> 16) | (word << 16);
      }
      yield words;
    }
  },
  /** A hundred seeds that follow one another. */
  seeds: () => interleaved((i) => ({ seed: seed + BigInt(i), stream: 0n })),
  /** A hundred streams that follow one another, as a generator gives them to tensors. */
  streams: () => interleaved((i) => ({ seed, stream: BigInt(i) })),
  /** The first 64 numbers of each of an endless row of tensors, whose streams follow from their names. */
  *names() {
    const part = new Float64Array(64);
    for (let name = 0; ; ) {
      for (let at = 0; at < count; at += 64, name++) {
        const stream = streamOfName(`model.layers.${name}.mlp.down_proj.weight`);
        upper(draw(uniform, { seed, stream }, 0, part), words, at);
      }
      yield words;
    }
  },
  /** Normals through Φ. */
  *normals() {
    for (let begin = 0; ; begin += count) {
      draw(normal, key, begin);
      for (let i = 0; i < count; i++) words[i] = Math.floor(normalCdf(values[i]) * unit);
      yield words;
    }
  },
};

const kind = kinds[process.argv[2]];
if (kind === undefined) {
  console.error(`expected one of ${Object.keys(kinds).join(', ')}`);
  process.exit(2);
}
try {
  for (const chunk of kind()) {
    const bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    for (let done = 0; done < bytes.length; ) {
      try {
        done += writeSync(1, bytes, done);
      } catch (error) {
        if (error.code !== 'EAGAIN') throw error;
      }
    }
  }
} catch (error) {
  if (error.code !== 'EPIPE') throw error; // the battery has had enough
}
