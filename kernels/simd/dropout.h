/* y = x * scale where the hash of the index reaches the threshold, else x * 0, for start .. stop. */

#ifndef DROPOUT_STRETCH
#define DROPOUT_STRETCH 256
#define MIX(h)         \
    h ^= h >> 16;      \
    h *= 0x7feb352du;  \
    h ^= h >> 15;      \
    h *= 0x846ca68bu;  \
    h ^= h >> 16
#endif

static void NAME(dropout_seeded)(const REAL *restrict x, REAL *restrict y, uint64_t seed,
                                 uint64_t threshold, double scale, long start, long stop)
{
    uint32_t hash[DROPOUT_STRETCH];
    uint32_t least = (uint32_t)threshold;
    REAL kept = threshold >> 32 ? 0 : (REAL)scale; /* p = 1 drops everything */
    while (start < stop) {
        long end = (start / DROPOUT_STRETCH + 1) * DROPOUT_STRETCH;
        uint32_t count = (uint32_t)((end < stop ? end : stop) - start), low = (uint32_t)start;
        uint32_t first = (uint32_t)seed, second = (uint32_t)(seed >> 32) ^ (uint32_t)((uint64_t)start >> 32);
        for (uint32_t k = 0; k < count; k++) {
            uint32_t h = (low + k) * 0x9e3779b9u + first;
            MIX(h);
            h += second;
            MIX(h);
            hash[k] = h;
        }
        for (uint32_t k = 0; k < count; k++)
            y[start + k] = x[start + k] * (hash[k] >= least ? kept : 0);
        start += count;
    }
}
