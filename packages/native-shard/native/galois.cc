#include "galois.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

namespace molia {
namespace {

// Targets of one pass: their accumulators, twice, the sources and a matrix fit the registers, if the loops over them are unrolled.
constexpr int kRows = 4;

struct Work {
  const uint8_t* matrices;
  const uint8_t* nibbles;
  int columns;
  const uint8_t* const* sources;
  uint8_t* const* targets;
  bool add;
};

// Bytes [from, length) one by one.
template <int R>
void Rest(const Work& w, size_t from, size_t length) {
  for (int r = 0; r < R; r++) {
    for (size_t at = from; at < length; at++) {
      uint8_t sum = w.add ? w.targets[r][at] : 0;
      for (int c = 0; c < w.columns; c++) {
        const uint8_t* table = w.nibbles + 32 * (r * w.columns + c);
        const uint8_t x = w.sources[c][at];
        sum ^= table[x & 15] ^ table[16 + (x >> 4)];
      }
      w.targets[r][at] = sum;
    }
  }
}

inline int64_t MatrixOf(const Work& w, int r, int c) {
  int64_t matrix;
  memcpy(&matrix, w.matrices + 8 * (r * w.columns + c), 8);
  return matrix;
}

template <int R>
__attribute__((target("avx512f,avx512bw,gfni"))) void Avx512Gfni(const Work& w, size_t length) {
  size_t at = 0;
  for (; at + 128 <= length; at += 128) {
    __m512i sum[R][2];
#pragma GCC unroll 4
    for (int r = 0; r < R; r++) {
      sum[r][0] = w.add ? _mm512_loadu_si512(w.targets[r] + at) : _mm512_setzero_si512();
      sum[r][1] = w.add ? _mm512_loadu_si512(w.targets[r] + at + 64) : _mm512_setzero_si512();
    }
    for (int c = 0; c < w.columns; c++) {
      const __m512i x = _mm512_loadu_si512(w.sources[c] + at);
      const __m512i y = _mm512_loadu_si512(w.sources[c] + at + 64);
#pragma GCC unroll 4
      for (int r = 0; r < R; r++) {
        const __m512i matrix = _mm512_set1_epi64(MatrixOf(w, r, c));
        sum[r][0] = _mm512_xor_si512(sum[r][0], _mm512_gf2p8affine_epi64_epi8(x, matrix, 0));
        sum[r][1] = _mm512_xor_si512(sum[r][1], _mm512_gf2p8affine_epi64_epi8(y, matrix, 0));
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; r++) {
      _mm512_storeu_si512(w.targets[r] + at, sum[r][0]);
      _mm512_storeu_si512(w.targets[r] + at + 64, sum[r][1]);
    }
  }
  for (; at < length; at += 64) {
    const __mmask64 mask = length - at >= 64 ? ~0ull : (1ull << (length - at)) - 1;
    __m512i sum[R];
#pragma GCC unroll 4
    for (int r = 0; r < R; r++)
      sum[r] = w.add ? _mm512_maskz_loadu_epi8(mask, w.targets[r] + at) : _mm512_setzero_si512();
    for (int c = 0; c < w.columns; c++) {
      const __m512i x = _mm512_maskz_loadu_epi8(mask, w.sources[c] + at);
#pragma GCC unroll 4
      for (int r = 0; r < R; r++) {
        const __m512i matrix = _mm512_set1_epi64(MatrixOf(w, r, c));
        sum[r] = _mm512_xor_si512(sum[r], _mm512_gf2p8affine_epi64_epi8(x, matrix, 0));
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; r++) _mm512_mask_storeu_epi8(w.targets[r] + at, mask, sum[r]);
  }
}

template <int R>
__attribute__((target("avx2,gfni"))) void Avx2Gfni(const Work& w, size_t length) {
  size_t at = 0;
  for (; at + 64 <= length; at += 64) {
    __m256i sum[R][2];
#pragma GCC unroll 4
    for (int r = 0; r < R; r++) {
      auto* target = reinterpret_cast<const __m256i*>(w.targets[r] + at);
      sum[r][0] = w.add ? _mm256_loadu_si256(target) : _mm256_setzero_si256();
      sum[r][1] = w.add ? _mm256_loadu_si256(target + 1) : _mm256_setzero_si256();
    }
    for (int c = 0; c < w.columns; c++) {
      auto* source = reinterpret_cast<const __m256i*>(w.sources[c] + at);
      const __m256i x = _mm256_loadu_si256(source);
      const __m256i y = _mm256_loadu_si256(source + 1);
#pragma GCC unroll 4
      for (int r = 0; r < R; r++) {
        const __m256i matrix = _mm256_set1_epi64x(MatrixOf(w, r, c));
        sum[r][0] = _mm256_xor_si256(sum[r][0], _mm256_gf2p8affine_epi64_epi8(x, matrix, 0));
        sum[r][1] = _mm256_xor_si256(sum[r][1], _mm256_gf2p8affine_epi64_epi8(y, matrix, 0));
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; r++) {
      auto* target = reinterpret_cast<__m256i*>(w.targets[r] + at);
      _mm256_storeu_si256(target, sum[r][0]);
      _mm256_storeu_si256(target + 1, sum[r][1]);
    }
  }
  Rest<R>(w, at, length);
}

template <int R>
__attribute__((target("avx2"))) void Avx2(const Work& w, size_t length) {
  const __m256i mask = _mm256_set1_epi8(15);
  size_t at = 0;
  for (; at + 32 <= length; at += 32) {
    __m256i sum[R];
#pragma GCC unroll 4
    for (int r = 0; r < R; r++) {
      auto* target = reinterpret_cast<const __m256i*>(w.targets[r] + at);
      sum[r] = w.add ? _mm256_loadu_si256(target) : _mm256_setzero_si256();
    }
    for (int c = 0; c < w.columns; c++) {
      const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w.sources[c] + at));
      const __m256i low = _mm256_and_si256(x, mask);
      const __m256i high = _mm256_and_si256(_mm256_srli_epi64(x, 4), mask);
#pragma GCC unroll 4
      for (int r = 0; r < R; r++) {
        auto* table = reinterpret_cast<const __m128i*>(w.nibbles + 32 * (r * w.columns + c));
        const __m256i lows = _mm256_broadcastsi128_si256(_mm_loadu_si128(table));
        const __m256i highs = _mm256_broadcastsi128_si256(_mm_loadu_si128(table + 1));
        const __m256i product =
            _mm256_xor_si256(_mm256_shuffle_epi8(lows, low), _mm256_shuffle_epi8(highs, high));
        sum[r] = _mm256_xor_si256(sum[r], product);
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; r++)
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(w.targets[r] + at), sum[r]);
  }
  Rest<R>(w, at, length);
}

template <int R>
void Pass(int level, const Work& w, size_t length) {
  if (level == kAvx512Gfni) return Avx512Gfni<R>(w, length);
  if (level == kAvx2Gfni) return Avx2Gfni<R>(w, length);
  Avx2<R>(w, length);
}

bool HasGfni() {
  unsigned a, b, c, d;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (c & (1u << 8)) != 0;
}

}  // namespace

int GaloisLevels() {
  if (!__builtin_cpu_supports("avx2")) return 0;
  if (!HasGfni()) return kAvx2;
  const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
  return kAvx2 | kAvx2Gfni | (wide ? kAvx512Gfni : 0);
}

void GaloisRun(int level, const uint8_t* tables, int rows, int columns, const uint8_t* const* sources,
               uint8_t* const* targets, size_t length, bool add) {
  Work w = {tables, tables + 8 * rows * columns, columns, sources, targets, add};
  for (int left = rows; left > 0; left -= kRows) {
    switch (left) {
      case 1: Pass<1>(level, w, length); break;
      case 2: Pass<2>(level, w, length); break;
      case 3: Pass<3>(level, w, length); break;
      default: Pass<kRows>(level, w, length);
    }
    w.matrices += 8 * kRows * columns;
    w.nibbles += 32 * kRows * columns;
    w.targets += kRows;
  }
}

}  // namespace molia

#else

namespace molia {

int GaloisLevels() { return 0; }

void GaloisRun(int, const uint8_t*, int, int, const uint8_t* const*, uint8_t* const*, size_t, bool) {}

}  // namespace molia

#endif
