// Records what every trial's bytes must be, in bench/checksums.json, and those of every path through the native code, in
// bench/paths.json: `npm run bench:record`, needed only for a new fill. With --new only fills that have none; with --paths only the paths.
//
// On purpose not as trials run: the least SIMD target, one thread, in chunks of a million elements. Stream version 1 never
// changes, so a difference in this file's history is a bug.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { dtypesOf, shapeOf, subjects } from '../build/modules/bench/harness/catalog.js';
import { checksumOf, checksumOfHash, recordKey, seed, update } from '../build/modules/bench/harness/checksums.js';
import { digestOf, paths, plainWay, recordedPaths, take } from '../build/modules/bench/harness/paths.js';
import { empty, resolve, runFill } from '../build/modules/lib/index.js';
import { forceSimdTarget, simdTargets } from '../build/modules/lib/native/addon.js';

const least = 4;
const most = 30;
/** Sizes for which an independent recording is still quick, where that is not so of all. */
const mostOf = {
  ...{ orthogonal: 24, orthogonalThin: 24, orthogonalBlock: 24, orthogonalTall: 24, orthogonalEmbedding: 24 },
  ...{ widenFloat16: 26, widenBfloat16: 26 },
  ...{ sparse: 26, eye: 28, xavier_uniform: 28, truncNormalOff: 26, truncNormalSlit: 26, uniformSlice: 26 },
};
const chunk = 2 ** 20;
const key = { seed, stream: 0n };

function ofPrefixes(fill, dtype) {
  const hash = createHash('sha256');
  const { initializer, widens } = subjects[fill];
  const drawn = widens ?? dtype;
  const resolved = resolve(initializer, [2 ** most], { dtype: drawn });
  const { data } = empty([chunk], { dtype: drawn });
  const found = {};
  let done = 0;
  for (let log2 = least; log2 <= (mostOf[fill] ?? most); log2++) {
    while (done < 2 ** log2) {
      const piece = data.subarray(0, Math.min(chunk, 2 ** log2 - done));
      runFill(piece, drawn, resolved, key, done, 1);
      update(hash, widens === undefined ? piece : widened(piece, widens));
      done += piece.length;
    }
    found[log2] = checksumOfHash(hash.copy());
  }
  return found;
}

/** By the definition of IEEE 754, a number at a time. */
function widened(codes, dtype) {
  if (dtype === 'bfloat16') return new Float32Array(Uint32Array.from(codes, (code) => code * 2 ** 16).buffer);
  return Float32Array.from(codes, (code) => {
    const exponent = (code >> 10) & 31;
    const size = exponent === 0 ? (code & 1023) * 2 ** -24 : (1024 + (code & 1023)) * 2 ** (exponent - 25);
    return code >> 15 ? -size : size;
  });
}

function columnsOf(data, [rows, columns], from, count) {
  const part = new data.constructor(rows * count);
  for (let row = 0; row < rows; row++) part.set(data.subarray(row * columns + from).subarray(0, count), row * count);
  return part;
}

function ofMatrices(fill, dtype) {
  const found = {};
  const { initializer, slice } = subjects[fill];
  for (let log2 = least; log2 <= mostOf[fill]; log2 += 2) {
    const [rows, columns] = shapeOf({ fill, log2 });
    const whole = [rows, slice?.columns ?? columns];
    const { data } = empty(whole, { dtype });
    runFill(data, dtype, resolve(initializer, whole, { dtype }), key, 0, 1);
    found[log2] = checksumOf(slice === undefined ? data : columnsOf(data, whole, slice.from, columns));
  }
  return found;
}

/** Never what is recorded already: a path whose bytes changed is a bug. */
function recordPaths() {
  const before = recordedPaths();
  const found = Object.fromEntries(paths().map((path) => [path.name, digestOf(take(path, plainWay))]));
  const changed = Object.keys(found).filter((name) => before[name] !== undefined && before[name] !== found[name]);
  if (changed.length > 0) throw new Error(`other bytes than were recorded: ${changed.join('; ')}`);
  writeFileSync(new URL('paths.json', import.meta.url), `${JSON.stringify(found, null, 2)}\n`);
}

forceSimdTarget(simdTargets().at(-1));
recordPaths();
if (process.argv.includes('--paths')) process.exit();
const path = new URL('checksums.json', import.meta.url);
const checksums = process.argv.includes('--new') ? JSON.parse(readFileSync(path, 'utf8')).checksums : {};
for (const [fill, { matrix }] of Object.entries(subjects)) {
  for (const dtype of dtypesOf(fill)) {
    const key = recordKey(fill, dtype);
    if (checksums[key] !== undefined) continue;
    console.log(fill, dtype);
    checksums[key] = matrix ? ofMatrices(fill, dtype) : ofPrefixes(fill, dtype);
  }
}
const file = { stream_version: 1, seed: String(seed), stream: 0, checksums };
writeFileSync(path, `${JSON.stringify(file, null, 2)}\n`);
