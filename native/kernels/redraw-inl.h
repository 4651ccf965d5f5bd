// Candidates for values of truncated normals, vectors of them at a time, until one of each element's is accepted.
// Per-target code.
#if defined(NNINIT_KERNELS_REDRAW_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef NNINIT_KERNELS_REDRAW_INL_H_
#undef NNINIT_KERNELS_REDRAW_INL_H_
#else
#define NNINIT_KERNELS_REDRAW_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>

#include "kernels/lanes_of_bits.h"
#include "kernels/normal-inl.h"
#include "kernels/trunc_normal.h"
#include "random/philox-inl.h"
#include "system/simd.h"

HWY_BEFORE_NAMESPACE();
namespace nninit {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// What a candidate is, and whether it is accepted: two words of each lane's block in, the value out. In double.
template <class D, class V = hn::Vec<D>, class VU = hn::Vec<hn::RebindToUnsigned<D>>>
HWY_INLINE hn::Mask<D> Candidate(D d, const TruncNormalParams& p, VU w1, VU w2, V& value) {
  const hn::RebindToSigned<D> di;
  const auto upper = [&](VU w) HWY_ATTR { return hn::ConvertTo(d, hn::BitCast(di, hn::ShiftRight<11>(w))); };
  const auto set = [&](double x) HWY_ATTR { return hn::Set(d, x); };
  const auto place = [&](V z) HWY_ATTR { return hn::Add(hn::Mul(hn::Mul(set(p.sign), z), set(p.std)), set(p.mean)); };
  if (p.method == TruncMethod::kNormal) {
    V x = hn::Zero(d);
    V y = hn::Zero(d);
    NormalPair(d, w1, w2, x, y);
    value = place(x);
    return hn::And(hn::Ge(x, set(p.alpha)), hn::Le(x, set(p.beta)));
  }
  // −2·ln of a uniform made of the upper 53 bits of a word.
  const V limit = Minus2Log(d, hn::Add(upper(w2), set(0.5)));
  if (p.method == TruncMethod::kUniform) {
    const V at = hn::Mul(upper(w1), set(0x1p-53));
    if (p.from_bound) {
      const V e = hn::Mul(at, set(p.width_in_std));
      const V z = hn::Add(set(p.alpha), e);
      const V from_mode = p.alpha > 0 ? hn::Mul(e, hn::Add(e, set(2 * p.alpha))) : hn::Mul(z, z);
      value = hn::Add(set(p.nearest), hn::Mul(hn::Mul(set(p.sign), at), set(p.width)));
      return hn::Ge(limit, from_mode);
    }
    const V z = hn::Add(set(p.alpha), hn::Mul(at, set(p.beta - p.alpha)));
    value = place(z);
    return hn::Ge(limit, hn::Sub(hn::Mul(z, z), set(p.nearest2)));
  }
  const V u = hn::Mul(hn::Add(upper(w1), set(0.5)), set(0x1p-53));
  const V rest = hn::Mul(hn::Sub(set(1), hn::Mul(u, set(p.mass))), set(0x1p53));
  const V e = hn::Div(hn::Mul(set(0.5), Minus2Log(d, rest)), set(p.alpha));
  const auto dense = hn::Ge(limit, hn::Mul(e, e));
  if (p.from_bound) {
    value = hn::Add(set(p.nearest), hn::Mul(hn::Mul(set(p.sign), e), set(p.std)));
    return hn::And(dense, hn::Le(e, set(p.width_in_std)));
  }
  const V z = hn::Add(set(p.alpha), e);
  value = place(z);
  return hn::And(dense, hn::Le(z, set(p.beta)));
}

// Elements that are redrawn together, and those whose candidates are made at once.
constexpr size_t kRedrawn = 2048;
using RedrawTag = hn::CappedTag<double, 8>;
using PendingTag = hn::RebindToUnsigned<RedrawTag>;
constexpr size_t kRedrawVectors = 4;
constexpr size_t kRedrawnAtOnce = kRedrawVectors * hn::MaxLanes(RedrawTag());

// One bit for each lane, the first lane's the lowest. For at most 8 lanes, of AVX-512 16.
template <class D>
HWY_INLINE uint32_t BitsOf(HWY_MAYBE_UNUSED D d, hn::Mask<D> mask) {
#if NNINIT_AVX512
  return mask.raw;
#else
  uint8_t bits[8] = {};
  hn::StoreMaskBits(d, mask, bits);
  return bits[0];
#endif
}

// Stores first + i for each bit i that is set, in order, and then what nobody is to read: as many numbers as there are
// lanes. Returns how many were set. Without a branch on what is found, which nobody could predict.
template <class D32>
HWY_INLINE size_t StoreNumbers(D32 d32, uint32_t first, uint32_t bits, uint32_t* HWY_RESTRICT to) {
  const auto lanes = hn::LoadU(hn::Rebind<uint8_t, D32>(), kLanesOfBits.lane[bits]);
  hn::StoreU(hn::Add(hn::PromoteTo(d32, lanes), hn::Set(d32, first)), d32, to);
  return kLanesOfBits.count[bits];
}

// Keeps those of kCount numbers whose bits are set, in order, at `to`, and then what nobody is to read: as many as
// there were. Returns how many were set.
template <size_t kCount>
HWY_INLINE size_t KeepNumbers(const uint32_t* HWY_RESTRICT numbers, uint32_t bits, uint32_t* to) {
  size_t kept = 0;
#if NNINIT_AVX512
  static_assert(kCount % 8 == 0, "whole vectors");
  for (size_t i = 0; i < kCount; i += 8) {
    const auto mask = static_cast<__mmask8>(bits >> i);
    const __m256i those = _mm256_load_si256(reinterpret_cast<const __m256i*>(numbers + i));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + kept), _mm256_maskz_compress_epi32(mask, those));
    kept += hwy::PopCount(mask);
  }
#else
  for (size_t i = 0; i < kCount; ++i) {
    to[kept] = numbers[i];
    kept += bits >> i & 1;
  }
#endif
  return kept;
}

// Candidates of the given blocks, to `made`. Returns the bits of those that were refused, at most of the first `count`.
template <size_t kVectors>
HWY_INLINE uint32_t MakeCandidates(const TruncNormalParams& p, const Key& key, hn::Vec<PendingTag> (&blocks)[kVectors],
                                   size_t count, double* HWY_RESTRICT made) {
  const RedrawTag d;
  const size_t lanes = hn::Lanes(d);
  hn::Vec<PendingTag> w2[kVectors];
  PhiloxBlocks<kVectors>(key, blocks, w2);
  uint32_t accepted = 0;
  HWY_UNROLL(4)
  for (size_t v = 0; v < kVectors; ++v) {
    hn::Vec<RedrawTag> candidate;
    accepted |= BitsOf(d, Candidate(d, p, blocks[v], w2[v], candidate)) << (v * lanes);
    hn::Store(candidate, d, made + v * lanes);
  }
  const size_t used = std::min(count, kVectors * lanes);
  return ~accepted & (~uint32_t{0} >> (32 - used));
}

// A first candidate for each of `count` elements from `first` on. The numbers of those that were refused go to
// `refused`. Returns how many. There is room for kRedrawnAtOnce more behind `refused`, and as many whole steps at
// `value`.
HWY_INLINE size_t DrawOnce(const TruncNormalParams& p, const Key& key, uint64_t first, size_t count,
                           uint32_t* HWY_RESTRICT refused, double* HWY_RESTRICT value) {
  const PendingTag du;
  const hn::Rebind<uint32_t, PendingTag> d32;
  const size_t lanes = hn::Lanes(du);
  auto at = hn::Iota(du, first);
  size_t kept = 0;
  for (size_t i = 0; i < count; i += kRedrawnAtOnce) {
    hn::Vec<PendingTag> blocks[kRedrawVectors];
    HWY_UNROLL(4)
    for (size_t v = 0; v < kRedrawVectors; ++v) {
      blocks[v] = hn::Add(hn::Set(du, kAuxiliaryBlocks), hn::ShiftLeft<8>(at));
      at = hn::Add(at, hn::Set(du, lanes));
    }
    const uint32_t bits = MakeCandidates(p, key, blocks, count - i, value + i);
    for (size_t v = 0; v < kRedrawVectors; ++v) {
      const uint32_t of_vector = bits >> (v * lanes) & ((1U << lanes) - 1);
      kept += StoreNumbers(d32, static_cast<uint32_t>(i + v * lanes), of_vector, refused + kept);
    }
  }
  return kept;
}

// Makes a candidate for each of the next elements of `pending`, of which `count` are left. Those that were refused are
// kept at `refused`, which may be where they came from. Returns how many.
template <size_t kVectors, class Compute>
HWY_INLINE size_t RedrawOnce(const TruncNormalParams& p, const Key& key, uint64_t first_block, const uint32_t* pending,
                             size_t count, uint32_t* refused, Compute* HWY_RESTRICT value) {
  const PendingTag du;
  const hn::Rebind<uint32_t, PendingTag> d32;
  const size_t lanes = hn::Lanes(du);
  constexpr size_t kCount = kVectors * hn::MaxLanes(RedrawTag());
  HWY_ALIGN double made[kCount];
  HWY_ALIGN uint32_t place[kCount];
  hn::Vec<PendingTag> blocks[kVectors];
  HWY_UNROLL(4)
  for (size_t v = 0; v < kVectors; ++v) {
    const auto at = hn::LoadU(d32, pending + v * lanes);
    hn::Store(at, d32, place + v * lanes);
    blocks[v] = hn::Add(hn::Set(du, first_block), hn::ShiftLeft<8>(hn::PromoteTo(du, at)));
  }
  const uint32_t bits = MakeCandidates(p, key, blocks, count, made);
  // What is refused will be written over.
  for (size_t j = 0; j < kCount; ++j) value[place[j]] = static_cast<Compute>(made[j]);
  return KeepNumbers<kCount>(place, bits, refused);
}

// Candidates for elements first + pending[i], in double, each from its own blocks, until one is accepted, from a number
// of the candidate on; value[pending[i]] is what became of it. Acceptance is never below 0.3, so 256 refusals in a row
// do not happen; the bound that ends the loop then is the nearest to the mode. There is room for kRedrawnAtOnce more
// behind `pending`, and for one element behind the kRedrawn of `value`.
template <class Compute>
HWY_NOINLINE void Redraw(const TruncNormalParams& p, const Key& key, uint64_t first, uint64_t attempt,
                         uint32_t* pending, size_t count, Compute* HWY_RESTRICT value) {
  for (; attempt < 256 && count > 0; ++attempt) {
    const uint64_t first_block = kAuxiliaryBlocks + (first << 8) + attempt;
    std::fill_n(pending + count, kRedrawnAtOnce, static_cast<uint32_t>(kRedrawn));
    size_t refused = 0;
    for (size_t i = 0; i < count;) {
      if (count - i <= hn::MaxLanes(RedrawTag())) {
        refused += RedrawOnce<1>(p, key, first_block, pending + i, count - i, pending + refused, value);
        break;
      }
      refused += RedrawOnce<kRedrawVectors>(p, key, first_block, pending + i, count - i, pending + refused, value);
      i += kRedrawnAtOnce;
    }
    count = refused;
  }
  const double last = p.from_bound ? p.nearest : p.sign * p.alpha * p.std + p.mean;
  for (size_t i = 0; i < count; ++i) value[pending[i]] = static_cast<Compute>(last);
}

}  // namespace HWY_NAMESPACE
}  // namespace nninit
HWY_AFTER_NAMESPACE();

#endif
