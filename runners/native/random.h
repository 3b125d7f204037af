/* The numbers that numpy's default generator draws, bit by bit.
 *
 * SeedSequence and PCG64 (XSL-RR 128/64): numpy/random/bit_generator.pyx, and M. O'Neill, PCG: A
 * Family of Simple Fast Space-Efficient Statistically Good Algorithms for Random Number Generation,
 * 2014. Integers by D. Lemire, Fast Random Integer Generation in an Interval, 2019.
 */
#ifndef EDGEBENCH_RANDOM_H
#define EDGEBENCH_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

__extension__ typedef unsigned __int128 Wide;

typedef struct {
    Wide state, increment;
    uint32_t half; /* of the number before, where only the other one was needed */
    bool has_half;
} Random;

/* As `numpy.random.default_rng([seed, stream])`. */
Random random_of(uint64_t seed, uint32_t stream);

/* As `uniform(low, high)`. */
double random_real(Random *random, double low, double high);

/* As `integers(low, high, endpoint=True)`; high is not below low. */
int64_t random_whole(Random *random, int64_t low, int64_t high);

#endif
