/* Where blocks begin, and what they leave, plane by plane, with the count of what is kept. */

#include "hash.h"

/* Places start .. stop of `seeds`: 1 where a block begins. */
static void NAME(drop_block_seeds)(uint8_t *restrict seeds, uint64_t seed, uint64_t threshold,
                                   long start, long stop)
{
    for (long count; start < stop; start += count) {
        count = stop - start < HASH_MOST ? stop - start : HASH_MOST;
        NAME(below)(seeds + start, (uint64_t)start, count, seed, threshold);
    }
}

/* Clears a square of `block` bytes a side; of the usual sizes without calls. */
#ifndef CLEAR
#define CLEAR(side)                          \
    case side:                               \
        for (long i = 0; i < side; i++)      \
            memset(corner + i * w, 0, side); \
        break
#endif
INLINE void NAME(clear_block)(uint8_t *corner, long w, long block)
{
    switch (block) {
        CLEAR(2);
        CLEAR(3);
        CLEAR(4);
        CLEAR(5);
        CLEAR(6);
        CLEAR(7);
        CLEAR(8);
    default:
        for (long i = 0; i < block; i++)
            memset(corner + i * w, 0, (size_t)block);
    }
}

/* How many of `count` bytes, each 0 or 1, are 1: eight at a time in the bytes of an integer. */
INLINE long NAME(ones)(const uint8_t *bytes, long count)
{
    const uint64_t pairs = 0x00ff00ff00ff00ff;
    long total = 0, at = 0;
    while (at + 8 <= count) {
        uint64_t sum = 0, word;
        long stop = count - at > 255 * 8 ? at + 255 * 8 : at + (count - at) / 8 * 8;
        for (; at < stop; at += 8) {
            memcpy(&word, bytes + at, 8);
            sum += word;
        }
        sum = (sum & pairs) + (sum >> 8 & pairs);
        total += (long)(sum * 0x0001000100010001 >> 48);
    }
    for (; at < count; at++)
        total += bytes[at];
    return total;
}

/* Clears the blocks of one plane that begin at its places from .. from + count; seeds has room for
   count bytes and 8 more. Returns whether there are any. */
INLINE int NAME(clear_blocks)(uint8_t *restrict map, uint8_t *restrict seeds, long from, long count,
                              long w, long block)
{
    long columns = w - block + 1, row = from / columns, next = (row + 1) * columns;
    uint16_t found[HASH_MOST / 8];
    memset(seeds + count, 0, 8);
    long some = eights_with_ones(seeds, count, found);
    for (long f = 0; f < some; f++)
        EACH_ONE(seeds, found[f], at) {
            for (; from + at >= next; next += columns)
                row++;
            NAME(clear_block)(map + row * w + from + at - (next - columns), w, block);
        }
    return some > 0;
}

/* Planes start .. stop of keep (h, w); sizes = h, w, block. */
static void NAME(drop_block_mask)(uint8_t *restrict keep, const long *sizes, uint64_t seed,
                                  uint64_t threshold, long start, long stop, long *kept)
{
    long h = sizes[0], w = sizes[1], block = sizes[2], total = 0;
    long places = (h - block + 1) * (w - block + 1);
    uint8_t seeds[HASH_MOST + 8];
    for (long plane = start; plane < stop; plane++) {
        uint8_t *map = keep + plane * h * w;
        int some = block == 1;
        if (!some)
            memset(map, 1, (size_t)(h * w));
        for (long from = 0, count; from < places; from += count) {
            count = places - from < HASH_MOST ? places - from : HASH_MOST;
            uint64_t first = (uint64_t)plane * (uint64_t)places + (uint64_t)from;
            NAME(below)(seeds, first, count, seed, threshold);
            if (block > 1)
                some |= NAME(clear_blocks)(map, seeds, from, count, w, block);
            else
                for (long k = 0; k < count; k++)
                    map[from + k] = !seeds[k];
        }
        total += some ? NAME(ones)(map, h * w) : h * w;
    }
    *kept = total;
}
