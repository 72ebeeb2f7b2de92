/* Random numbers by place, as kernels/hashing.py specifies them. */

#ifndef HASH_MOST
#define HASH_MOST 1024 /* places at a time */
#define HASH_MIX(h)    \
    h ^= h >> 16;      \
    h *= 0x7feb352du;  \
    h ^= h >> 15;      \
    h *= 0x846ca68bu;  \
    h ^= h >> 16

/* for (each `at` from k to k + 7 where bytes[at] is 1): all bytes are 0 or 1. */
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define HASH_LITTLE_ENDIAN
#define EACH_ONE(bytes, k, at)                                                          \
    for (uint64_t word_ = eight_bytes((bytes) + (k)); word_; word_ &= word_ - 1)        \
        for (long at = (k) + (__builtin_ctzll(word_) >> 3), once_ = 1; once_; once_ = 0)
#else
#define EACH_ONE(bytes, k, at)                                       \
    for (long at = eight_bytes((bytes) + (k)) ? (k) : (k) + 8; at < (k) + 8; at++) \
        if ((bytes)[at])
#endif

static inline uint64_t eight_bytes(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, 8);
    return word;
}

/* Writes down the multiples of 8 below `count`, at most HASH_MOST, at which one of eight bytes is
   not 0, and returns how many: without a branch, which would be mispredicted at each. */
static inline long eights_with_ones(const uint8_t *bytes, long count, uint16_t *found)
{
    long some = 0;
    for (long k = 0; k < count; k += 8) {
        found[some] = (uint16_t)k;
        some += eight_bytes(bytes + k) != 0;
    }
    return some;
}
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

/* Whether the lower three bytes of a place's number are below `rest`. */
INLINE uint8_t NAME(below_rest)(uint64_t place, uint64_t seed, uint32_t rest)
{
    uint32_t h = (uint32_t)place * 0x9e3779b9u + (uint32_t)seed;
    HASH_MIX(h);
    h += (uint32_t)(seed >> 32 ^ place >> 32) ^ 0x80000000u;
    HASH_MIX(h);
    return (h & 0xffffff) < rest;
}

/* below[k] = 1 where the number of place start + k is below the threshold, else 0; at most
   HASH_MOST places. */
INLINE void NAME(below)(uint8_t *restrict below, uint64_t start, long count, uint64_t seed,
                        uint64_t threshold)
{
    uint32_t hash[HASH_MOST / 4 + 1], rest = threshold & 0xffffff;
    uint8_t ties[HASH_MOST + 8], highest = (uint8_t)(threshold >> 24);
    if (threshold >> 32) {
        memset(below, 1, (size_t)count);
        return;
    }
    long words = (long)((start + (uint64_t)count + 3) / 4 - start / 4);
    NAME(hashes)(hash, start / 4, words, seed);
#ifndef HASH_LITTLE_ENDIAN
    for (long k = 0; k < words; k++)
        hash[k] = hash[k] << 24 | (hash[k] << 8 & 0xff0000) | (hash[k] >> 8 & 0xff00) |
                  hash[k] >> 24;
#endif
    const uint8_t *byte = (const uint8_t *)hash + start % 4;
    for (long k = 0; k < count; k++)
        below[k] = byte[k] < highest;
    if (!rest)
        return;
    for (long k = 0; k < count; k++)
        ties[k] = byte[k] == highest;
    memset(ties + count, 0, 8);
    uint16_t found[HASH_MOST / 8];
    long some = eights_with_ones(ties, count, found);
    for (long f = 0; f < some; f++)
        EACH_ONE(ties, found[f], at)
            below[at] = NAME(below_rest)(start + (uint64_t)at, seed, rest);
}
