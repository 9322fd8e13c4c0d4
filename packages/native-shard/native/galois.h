// Sums of products over GF(2^8), polynomial 0x11d, by the widest instructions that the processor has.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace molia {

// Bits of what `GaloisLevels` returns and what `GaloisRun` is asked for.
enum GaloisLevel { kAvx2 = 1, kAvx2Gfni = 2, kAvx512Gfni = 4 };

// What this processor and its operating system support; 0 on other architectures.
int GaloisLevels();

// Writes (or adds) to `rows` targets the sums over `columns` sources. `tables`: for every coefficient, row by row, its 8 x 8
// bit matrix as GF2P8AFFINEQB takes it (8 bytes); after all of them, for every coefficient its products with all low nibbles and with
// all high ones (32 bytes).
void GaloisRun(int level, const uint8_t* tables, int rows, int columns, const uint8_t* const* sources,
               uint8_t* const* targets, size_t length, bool add);

}  // namespace molia
