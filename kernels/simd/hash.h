/* Random numbers by place, as kernels/hashing.py specifies them. */

#ifndef HASH_MOST
#define HASH_MOST 1024 /* places at a time */
#define HASH_MIX(h)    \
    h ^= h >> 16;      \
    h *= 0x7feb352du;  \
    h ^= h >> 15;      \
    h *= 0x846ca68bu;  \
    h ^= h >> 16
#endif

/* hash[k] = the hash of index start + k. */
INLINE void NAME(hashes)(uint32_t *restrict hash, uint64_t start, long count, uint64_t seed)
{
    uint32_t first = (uint32_t)seed;
    while (count > 0) {
        uint64_t room = ((uint64_t)1 << 32) - (uint32_t)start; /* with the same high half */
        long part = (uint64_t)count < room ? count : (long)room;
        uint32_t low = (uint32_t)start, second = (uint32_t)(seed >> 32) ^ (uint32_t)(start >> 32);
        for (uint32_t k = 0; k < (uint32_t)part; k++) {
            uint32_t h = (low + k) * 0x9e3779b9u + first;
            HASH_MIX(h);
            h += second;
            HASH_MIX(h);
            hash[k] = h;
        }
        hash += part, start += (uint64_t)part, count -= part;
    }
}

/* Whether the lower half of a place's number is below `rest`. */
INLINE uint8_t NAME(below_rest)(uint64_t place, uint64_t seed, uint32_t rest)
{
    uint32_t h = (uint32_t)place * 0x9e3779b9u + (uint32_t)seed;
    HASH_MIX(h);
    h += (uint32_t)(seed >> 32 ^ place >> 32) ^ 0x80000000u;
    HASH_MIX(h);
    return (h & 0xffff) < rest;
}

/* below[k] = 1 where the number of place start + k is below the threshold, else 0; at most
   HASH_MOST places. */
INLINE void NAME(below)(uint8_t *restrict below, uint64_t start, long count, uint64_t seed,
                        uint64_t threshold)
{
    uint32_t hash[HASH_MOST / 2 + 1], rest = threshold & 0xffff;
    uint16_t upper[HASH_MOST + 2], highest = (uint16_t)(threshold >> 16), tied = 0;
    if (threshold >> 32) {
        memset(below, 1, (size_t)count);
        return;
    }
    long pairs = (long)((start + (uint64_t)count + 1) / 2 - start / 2);
    NAME(hashes)(hash, start / 2, pairs, seed);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    for (long k = 0; k < pairs; k++)
        hash[k] = hash[k] << 16 | hash[k] >> 16;
#endif
    memcpy(upper, hash, (size_t)(4 * pairs));
    const uint16_t *number = upper + start % 2;
    for (long k = 0; k < count; k++) {
        below[k] = number[k] < highest;
        tied |= number[k] == highest;
    }
    for (long k = 0; rest && tied && k < count; k++)
        if (number[k] == highest)
            below[k] = NAME(below_rest)(start + (uint64_t)k, seed, rest);
}
