#include "random.h"

#include <stddef.h>

enum { POOL = 4 };

static uint32_t hashed(uint32_t value, uint32_t *constant, uint32_t factor) {
    value ^= *constant;
    *constant *= factor;
    value *= *constant;
    return value ^ value >> 16;
}

static uint32_t mixed(uint32_t x, uint32_t y) {
    uint32_t result = 0xCA01F9DDu * x - 0x4973F715u * y;
    return result ^ result >> 16;
}

/* SeedSequence.generate_state(4, uint64) of the words. */
static void spread(const uint32_t *words, size_t count, uint64_t state[4]) {
    uint32_t pool[POOL], constant = 0x43B0D7E5u;
    for (size_t at = 0; at < POOL; at++)
        pool[at] = hashed(at < count ? words[at] : 0, &constant, 0x931E8875u);
    for (size_t from = 0; from < POOL; from++)
        for (size_t to = 0; to < POOL; to++)
            if (from != to) pool[to] = mixed(pool[to], hashed(pool[from], &constant, 0x931E8875u));
    constant = 0x8B51F9DDu;
    for (size_t at = 0; at < 8; at++) {
        uint64_t half = hashed(pool[at % POOL], &constant, 0x58F38DEDu);
        state[at / 2] = at % 2 ? state[at / 2] | half << 32 : half;
    }
}

static void step(Random *random) {
    const Wide factor =
        (Wide)0x2360ED051FC65DA4u << 64 | 0x4385DF649FCCF645u;
    random->state = random->state * factor + random->increment;
}

Random random_of(uint64_t seed, uint32_t stream) {
    uint32_t words[3] = {(uint32_t)seed, (uint32_t)(seed >> 32), stream};
    size_t count = 3;
    /* A seed of 32 bits is one word. */
    if (words[1] == 0) words[1] = stream, count = 2;
    uint64_t state[4];
    spread(words, count, state);
    Random random = {0};
    random.increment = ((Wide)state[2] << 64 | state[3]) << 1 | 1;
    step(&random);
    random.state += (Wide)state[0] << 64 | state[1];
    step(&random);
    return random;
}

static uint64_t next_64(Random *random) {
    step(random);
    uint64_t value = (uint64_t)(random->state >> 64) ^ (uint64_t)random->state;
    unsigned turn = (unsigned)(random->state >> 122);
    return value >> turn | value << ((64 - turn) & 63);
}

static uint32_t next_32(Random *random) {
    if (random->has_half) return random->has_half = false, random->half;
    uint64_t value = next_64(random);
    random->half = (uint32_t)(value >> 32);
    random->has_half = true;
    return (uint32_t)value;
}

double random_real(Random *random, double low, double high) {
    return low + (high - low) * ((double)(next_64(random) >> 11) * (1.0 / 9007199254740992.0));
}

/* From 0 to `range`, which is neither 0 nor all of 32 bits. */
static uint32_t bounded_32(Random *random, uint32_t range) {
    uint32_t count = range + 1;
    uint64_t product = (uint64_t)next_32(random) * count;
    if ((uint32_t)product < count) {
        uint32_t threshold = (UINT32_MAX - range) % count;
        while ((uint32_t)product < threshold) product = (uint64_t)next_32(random) * count;
    }
    return (uint32_t)(product >> 32);
}

static uint64_t bounded_64(Random *random, uint64_t range) {
    uint64_t count = range + 1;
    Wide product = (Wide)next_64(random) * count;
    if ((uint64_t)product < count) {
        uint64_t threshold = (UINT64_MAX - range) % count;
        while ((uint64_t)product < threshold)
            product = (Wide)next_64(random) * count;
    }
    return (uint64_t)(product >> 64);
}

int64_t random_whole(Random *random, int64_t low, int64_t high) {
    uint64_t range = (uint64_t)high - (uint64_t)low, drawn = 0;
    if (range == UINT64_MAX)
        drawn = next_64(random);
    else if (range > UINT32_MAX)
        drawn = bounded_64(random, range);
    else if (range == UINT32_MAX)
        drawn = next_32(random);
    else if (range)
        drawn = bounded_32(random, (uint32_t)range);
    return (int64_t)((uint64_t)low + drawn);
}
