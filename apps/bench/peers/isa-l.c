// Reed-Solomon 10:4 by ISA-L (-lisal): encodes, loses four data shards, recovers and compares them.
// Arguments: bytes of a shard, milliseconds to measure for. Prints two numbers: GB/s of data encoded, and recovered from.
#include <isa-l.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DATA 10
#define PARITY 4
#define SHARDS (DATA + PARITY)

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

// The best of as many passes as fit the time, at least three.
static double rate(int bytes, double ms, unsigned char *tables, unsigned char **from, unsigned char **to) {
  double best = 1e300, end = now_ms() + ms;
  for (int i = 0; i < 3 || now_ms() < end; i++) {
    double start = now_ms();
    ec_encode_data(bytes, DATA, PARITY, tables, from, to);
    double took = now_ms() - start;
    if (took < best) best = took;
  }
  return (double)bytes * DATA / best / 1e6;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  int bytes = atoi(argv[1]);
  double ms = atof(argv[2]);
  unsigned char matrix[SHARDS * DATA], square[DATA * DATA], inverse[DATA * DATA], tables[32 * DATA * PARITY];
  unsigned char *shards[SHARDS], *rest[DATA], *found[PARITY];
  for (int i = 0; i < SHARDS; i++)
    if (posix_memalign((void **)&shards[i], 64, bytes)) return 1;
  for (int i = 0; i < PARITY; i++)
    if (posix_memalign((void **)&found[i], 64, bytes)) return 1;
  for (int i = 0; i < DATA; i++)
    for (int k = 0; k < bytes; k++) shards[i][k] = (k * 2654435761u + i * 40503u) >> 13;
  gf_gen_cauchy1_matrix(matrix, SHARDS, DATA);
  ec_init_tables(DATA, PARITY, matrix + DATA * DATA, tables);
  double encode = rate(bytes, ms, tables, shards, shards + DATA);
  // The first four data shards are gone: the rows of the last ten, inverted, give them back.
  for (int i = 0; i < DATA; i++) {
    rest[i] = shards[PARITY + i];
    memcpy(square + i * DATA, matrix + (PARITY + i) * DATA, DATA);
  }
  if (gf_invert_matrix(square, inverse, DATA)) return 1;
  ec_init_tables(DATA, PARITY, inverse, tables);
  double recover = rate(bytes, ms, tables, rest, found);
  for (int i = 0; i < PARITY; i++)
    if (memcmp(found[i], shards[i], bytes)) return 1;
  printf("%f %f\n", encode, recover);
  return 0;
}
