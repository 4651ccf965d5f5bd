// Changes of the native code, one at a time. `shapes: false` marks constants that are there for speed alone: the bytes must
// stay, and `why` says why. All others must change recorded bytes.
//
// [file, what is there, what takes its place]: the text occurs once in the file, or the first occurrence is meant.

const shaping = [
  ['random/philox.h', '0xD2511F53u', '0xD2511F55u'],
  ['random/philox.h', '0xCD9E8D57u', '0xCD9E8D59u'],
  ['random/philox.h', '0x9E3779B9u', '0x9E3779BBu'],
  ['random/philox.h', '0xBB67AE85u', '0xBB67AE87u'],
  ['random/philox.h', 'kPhiloxRounds = 10', 'kPhiloxRounds = 9'],
  ['random/philox.h', 'kTileBlocks = 32', 'kTileBlocks = 64'],
  ['random/philox.h', 'kAuxiliaryBlocks = uint64_t{1} << 63', 'kAuxiliaryBlocks = uint64_t{1} << 62'],
  ['random/philox-inl.h', '(block >> 32) ^ keys.k0[0][0]', '(block >> 33) ^ keys.k0[0][0]'],
  ['random/philox-inl.h', '(key.stream >> 32) ^ keys.k1[0][0]', '(key.stream >> 33) ^ keys.k1[0][0]'],
  ['kernels/uniform.cc', 'hn::ShiftRight<8>(', 'hn::ShiftRight<9>('],
  ['kernels/uniform.cc', 'hn::ShiftRight<11>(', 'hn::ShiftRight<12>('],
  ['kernels/uniform.cc', '(wide ? 0x1p-53 : 0x1p-24)', '(wide ? 0x1p-53 : 0x1p-23)'],
  ['kernels/uniform.cc', 'width / factor * 0x1p-53', 'width / factor * 0x1p-52'],
  ['kernels/uniform.cc', 'RoundUp(a, dtype) + 0.0', 'RoundUp(a, dtype) * 0.5'],
  ['kernels/uniform.cc', 'LargestBelow(b, dtype) + 0.0', 'RoundDown(b, dtype) + 0.0'],
  ['kernels/uniform.cc', 'return a >= static_cast<Compute>(p.low) && end', 'return end'],
  ['kernels/uniform.cc', 'wide ? 0x1p-200 : 1', 'wide ? 0x1p-2 : 1'],
  ['kernels/detour.h', 'kMostShift = 0x1p-10', 'kMostShift = 0x1p-4'],
  ['kernels/detour.h', 'kMostShift = 0x1p-10', 'kMostShift = 0x1p-26'],
  ['kernels/detour.h', 'kMostStretch = 0x1p-20', 'kMostStretch = 0x1p-2'],
  ['kernels/detour.h', 'kMostStretch = 0x1p-20', 'kMostStretch = 0x1p-30'],
  ['kernels/detour.h', 'largest > 0x1p1018 ? 16', 'largest > 0x1p1023 ? 16'],
  ['kernels/detour.h', 'values[i] * detour.factor', 'values[i]'],
  ['kernels/normal-inl.h', 'hn::ShiftRight<1>(w1)', 'hn::ShiftRight<2>(w1)'],
  ['kernels/normal-inl.h', 'hn::Set(d, 0.5f)', 'hn::Set(d, 0.25f)'],
  ['kernels/normal-inl.h', 'hn::Set(d, 0x1p-31f)', 'hn::Set(d, 0x1.00001p-31f)'],
  ['kernels/normal-inl.h', 'hn::ShiftLeft<1>(w2)', 'hn::ShiftLeft<2>(w2)'],
  ['kernels/normal-inl.h', 'hn::ShiftRight<11>(w1)', 'hn::ShiftRight<12>(w1)'],
  ['kernels/normal-inl.h', 'hn::Add(k, hn::Set(d, 0.5)))', 'hn::Add(k, hn::Set(d, 0.75)))'],
  ['kernels/normal-inl.h', 'hn::Set(d, 0x1p-52)', 'hn::Set(d, 0x1.00000001p-52)'],
  ['kernels/trunc_normal_params.cc', 'p.alpha >= -2.2', 'p.alpha >= -2.1'],
  ['kernels/trunc_normal_params.cc', 'p.beta <= 2.2', 'p.beta <= 2.3'],
  ['kernels/trunc_normal_params.cc', 'mass >= 0x1p-8', 'mass >= 0x1p-7'],
  ['kernels/trunc_normal_params.cc', 'mass >= 0.3', 'mass >= 0.45'],
  ['kernels/trunc_normal_params.cc', 'if (reach < 1)', 'if (reach < 100)'],
  ['kernels/trunc_normal_params.cc', 'if (reach < 1)', 'if (reach < 0.05)'],
  ['kernels/redraw-inl.h', 'hn::ShiftLeft<8>(hn::PromoteTo(du, at))', 'hn::ShiftLeft<7>(hn::PromoteTo(du, at))'],
  ['kernels/redraw-inl.h', 'hn::ShiftLeft<8>(at)', 'hn::ShiftLeft<7>(at)'],
  ['kernels/trunc_normal.cc', 'range.begin + done, 1, pending', 'range.begin + done, 2, pending'],
  ['kernels/redraw-inl.h', 'attempt < 256', 'attempt < 2'],
  ['kernels/trunc_normal.cc', 'hn::Gt(hn::Abs(v), hn::Abs(back))', 'hn::Lt(hn::Abs(v), hn::Abs(back))'],
  ['kernels/redraw-inl.h', 'set(p.nearest2)', 'set(0)'],
  ['kernels/redraw-inl.h', 'hn::Add(upper(w1), set(0.5))', 'hn::Add(upper(w1), set(9.5))'],
  ['kernels/redraw-inl.h', 'hn::Add(e, set(2 * p.alpha))', 'e'],
  ['kernels/trunc_normal_params.cc', 'extent * 0x1p29', 'extent * 0x1p60'],
  ['kernels/trunc_normal_params.cc', 'extent * 0x1p29', 'extent * 2'],
  ['kernels/trunc_normal_params.cc', 'p.width_in_std < 0x1p-1000', 'p.width_in_std < 0'],
  ['kernels/trunc_normal.cc', 'first - 0x80000000u', 'first - 0x80000001u'],
  ['kernels/trunc_normal_params.cc', 'cdf_alpha * 0x1p32', 'cdf_alpha * 0x1.00001p32'],
  ['kernels/trunc_normal_params.cc', '(mass * 0x1p32)', '(mass * 0x1.00001p32)'],
  ['kernels/trunc_normal_params.cc', 'p.all_redrawn = dtype', 'p.all_redrawn = false && dtype'],
  ['kernels/trunc_normal_params.cc', 'p.sign = -1', 'p.sign = 1'],
  [
    'kernels/trunc_normal_params.cc',
    'p.high_compute = RoundDown(b, compute)',
    'p.high_compute = RoundDown(b, compute) * 1.01',
  ],
  ['kernels/normal_cdf.h', 'int i = 3', 'int i = 5'],
  ['kernels/normal_cdf.h', '0x1.9884533d43651p-2', '0x1.9885533d43651p-2'],
  ['kernels/normal_cdf.h', 'if (x > 9) return 1', 'if (x > 2) return 1'],
  ['kernels/constant.cc', 'g * fill.group_stride', 'g * (fill.group_stride + 1)'],
  ['kernels/constant.cc', 'fill.step - 1) / fill.step', 'fill.step) / fill.step'],
  ['kernels/store-inl.h', 'hn::Set(du, 0x7FFFu)', 'hn::Set(du, 0x8000u)'],
  ['kernels/store-inl.h', 'hn::ShiftRight<16>(bits), hn::Set(du, 1u)', 'hn::ShiftRight<17>(bits), hn::Set(du, 1u)'],
  ['kernels/stream-inl.h', '16 - static_cast<uint32_t>(before_ / 4)', '15 - static_cast<uint32_t>(before_ / 4)'],
  ['types/rounding.h', 'return {11, -13, 65504.0}', 'return {10, -13, 65504.0}'],
  ['types/rounding.h', 'return {8, -125, 0x1.FEp127}', 'return {7, -125, 0x1.FEp127}'],
  ['types/rounding.h', 'return {24, -125,', 'return {23, -125,'],
  ['linalg/panel.cc', 'kStretch = 256', 'kStretch = 200'],
  ['linalg/panel.cc', 'kStretch = 256', 'kStretch = 128'],
  ['linalg/reflectors.h', 'kBlock = 48', 'kBlock = 96'],
  [
    'linalg/columns.cc',
    'count / 16 * 16',
    'count / 8 * 8 / 16 * 16 + 0 * count - (count % 32 >= 16 && count >= 32 ? 16 : 0)',
  ],
  ['linalg/columns.cc', 'alpha >= 0 ? -std::sqrt', 'alpha <= 0 ? -std::sqrt'],
  ['linalg/columns.cc', 'beta < 0 ? -1.0 : 1.0', 'beta < 0 ? 1.0 : -1.0'],
  ['linalg/orthogonal.cc', 'uint64_t{k} * long_side + k', 'uint64_t{k} * long_side'],
  ['linalg/sparse.cc', 'column << 31', 'column << 30'],
  ['linalg/sparse.cc', 'first_tile + d / kDraws, 1', 'first_tile + 2 * (d / kDraws), 1'],
  ['linalg/sparse.cc', 'UniformBelow(words[d % kDraws], last + 1)', 'UniformBelow(words[d % kDraws], last)'],
  ['linalg/sparse.cc', '? last : row', '? row : last'],
  ['fill/runs.cc', 'place.first += i * runs.stride[k]', 'place.first += i * (runs.stride[k] + 1)'],
  ['random/mt19937.cc', '0x9908B0DFu', '0x9908B0DEu'],
  ['random/mt19937.cc', '0x80000000u', '0xC0000000u'],
  ['random/mt19937_jump.cc', '0x9908B0DF', '0x9908B0DE'],
  ['random/mt19937.h', '0x9D2C5680u', '0x9D2C5A80u'],
  ['random/mt19937.h', '0xEFC60000u', '0xEFC70000u'],
  ['torch/words-inl.h', '0x9D2C5680u', '0x9D2C5A80u'],
  ['torch/words-inl.h', '0xEFC60000u', '0xEFC70000u'],
  ['torch/words-inl.h', 'hn::Set(du, 0xFFFFFFu)', 'hn::Set(du, 0x7FFFFFu)'],
  ['torch/words-inl.h', 'hn::Set(d, 0x1p-24f)', 'hn::Set(d, 0x1.001p-24f)'],
  ['torch/words-inl.h', '(uint64_t{1} << 53) - 1', '(uint64_t{1} << 52) - 1'],
  ['torch/words-inl.h', 'hn::Set(d, 0x1p-53)', 'hn::Set(d, 0x1.00000001p-53)'],
  ['torch/words-inl.h', '6.28318530717958647692f', '6.28318f'],
  ['torch/run.cc', 'cdf(fill.a) > 0.3', 'cdf(fill.a) > 0.7'],
  ['torch/sparse.cc', 'column * draws + i', 'column * (draws + 1) + i'],
  ['torch/kernels.h', 'kTorchBlock = 16', 'kTorchBlock = 32'],
  ['torch/normals.cc', 'return {total - kTorchBlock, true', 'return {total - rest, true'],
];

const speed = [
  [
    'random/philox-inl.h',
    '((uint64_t{1} << 32) - static_cast<uint32_t>(block))',
    '((uint64_t{1} << 33) - static_cast<uint32_t>(block))',
    'tasks begin at multiples of powers of two, so none goes across: it is there for callers that would',
  ],
  [
    'random/philox.h',
    'x1 = static_cast<uint32_t>(block >> 32)',
    'x1 = static_cast<uint32_t>(block >> 33)',
    'shapes bytes where there is no SIMD alone, which test/random/paths.test.ts sees',
  ],
  [
    'kernels/redraw-inl.h',
    'hn::Add(upper(w2), set(0.5))',
    'hn::Add(upper(w2), set(0.25))',
    'keeps the logarithm finite; decides about one candidate in 10^16',
  ],
  ['random/philox-inl.h', 'kPhiloxChains = 8', 'kPhiloxChains = 4', 'how many blocks are made beside one another'],
  ['kernels/tiles-inl.h', 'kAhead = 1024', 'kAhead = 512', 'how far ahead lines are fetched'],
  [
    'types/rounding.h',
    'return {53, -1021,',
    'return {48, -1021,',
    'nothing: doubles are what they are, and of the three numbers the last alone counts',
  ],
  ['kernels/stream-inl.h', 'NNINIT_AVX512 ? 2 : 3', 'NNINIT_AVX512 ? 99 : 99', 'when caches are written around'],
  [
    'kernels/trunc_normal_params.cc',
    'p.stretch = size_t{1} << 17',
    'p.stretch = size_t{1} << 12',
    'how often the flag that cancels is looked at',
  ],
  ['kernels/normal.h', 'kStretchNormals = size_t{1} << 16', 'kStretchNormals = size_t{1} << 12', 'the same'],
  ['kernels/redraw-inl.h', 'kRedrawn = 2048', 'kRedrawn = 512', 'elements that are redrawn together'],
  ['kernels/detour.h', 'kAtOnce = 512', 'kAtOnce = 256', 'memory that values pass through'],
  [
    'kernels/normal.h',
    'kFarthestNormal = 9',
    'kFarthestNormal = 12',
    'more than float64 reaches: it decides only within a hair of the end of float32',
  ],
  [
    'linalg/panel.cc',
    'kTileVectors = 4',
    'kTileVectors = 2',
    'each sum is made in one lane, in order, whatever the tile',
  ],
  ['linalg/columns.cc', 'kRows = 64', 'kRows = 16', 'rows in the first-level cache; sums go on in the same order'],
  ['linalg/reflectors.h', 'kChunkRows = 1024', 'kChunkRows = 512', 'rows that are made together'],
  ['linalg/reflectors.h', 'kPanel = 64', 'kPanel = 32', 'panels do not depend on one another'],
  ['linalg/reflectors.h', 'kStretchRows = 4096', 'kStretchRows = 1024', 'looks at the flag; a multiple of sixteen'],
  ['linalg/sparse.cc', 'kGroupsAtOnce = 1024', 'kGroupsAtOnce = 1', 'looks at the flag'],
  ['linalg/sparse.cc', 'kTaskDraws = 1 << 14', 'kTaskDraws = 1 << 10', 'how many groups of columns a task has'],
  ['linalg/sparse.cc', 'size_t{128} << 10', 'size_t{16} << 10', 'rows that are filled before their zeros are set'],
  ['fill/tasks.h', 'kTaskBytes = size_t{256} << 10', 'kTaskBytes = size_t{64} << 10', 'what a thread is handed'],
  ['fill/runs.cc', 'kTile = 128', 'kTile = 64', 'when runs are made with what lies between them'],
  ['fill/runs.cc', 'kStretchBytes = size_t{16} << 10', 'kStretchBytes = size_t{8} << 10', 'memory for that'],
  [
    'system/large_memory.cc',
    'kLeastBytes = size_t{4} << 20',
    'kLeastBytes = size_t{1} << 10',
    'when huge pages are asked for',
  ],
  ['system/large_memory.cc', 'bytes / 4 * 3', 'bytes / 4', 'when caches are written around'],
  [
    'torch/run.cc',
    'kMostSegment = uint64_t{1} << 24',
    'kMostSegment = uint64_t{1} << 12',
    'how truncated normals are cut',
  ],
  [
    'torch/run.cc',
    'kLeastSegment = uint64_t{1} << 17',
    'kLeastSegment = uint64_t{1} << 12',
    'how fills are cut among threads',
  ],
  ['torch/rejection.cc', 'kStep = 1024', 'kStep = 512', 'candidates at a time'],
  ['random/mt19937_jump.cc', 'kRemembered = 64', 'kRemembered = 1', 'jumps that need not be computed again'],
  ['random/mt19937_jump.cc', 'kStepWords = 8', 'kStepWords = 4', 'how much of a polynomial is reduced at a time'],
];

/** Coefficients of the polynomials: each in turn, changed in a digit far enough in front to matter. */
export function coefficientMutants(file, source) {
  const found = [];
  for (const table of source.matchAll(/constexpr (?:float|double) k\w+\[\] = \{([^}]*)\}/g)) {
    for (const number of table[1].matchAll(/-?[\d.a-fx]+(?:p[+-]?\d+)?f?/gi)) {
      if (number[0] !== '1.0f') found.push([file, number[0], changedDigit(number[0])]);
    }
  }
  for (const number of source.matchAll(/(?<![\w.])-?\d\.\d{5,}(?:E-?\d+)?f/gi))
    found.push([file, number[0], changedDigit(number[0])]);
  return found.filter(([, from, to], i) => from !== to && found.findIndex((other) => other[1] === from) === i);
}

// The third digit behind the point.
function changedDigit(number) {
  const place = number.indexOf('.') + 3;
  const digit = number[place];
  const other = digit === '0' ? '1' : String.fromCharCode(digit.charCodeAt(0) - 1);
  const changed = digit === 'a' ? '9' : other;
  return number.slice(0, place) + changed + number.slice(place + 1);
}

export const mutants = [
  ...shaping.map(([file, from, to]) => ({ file, from, to, shapes: true })),
  ...speed.map(([file, from, to, why]) => ({ file, from, to, shapes: false, why })),
];
