/* Rooms: what a convolution works in beside its arrays. Free of number types. */

#ifndef CONV2D_ROOMS
#define CONV2D_ROOMS

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

static void *conv2d_malloc(void *context, size_t size)
{
    (void)context;
    return malloc(size);
}

static void conv2d_free(void *context, void *memory, size_t size)
{
    (void)context;
    (void)size;
    free(memory);
}

/* Who gives memory for rooms and takes it back; neither looks at the context. */
static void *(*conv2d_take)(void *context, size_t size) = conv2d_malloc;
static void (*conv2d_give)(void *context, void *memory, size_t size) = conv2d_free;

/* Lets rooms come from where arrays do, whose blocks are kept: what malloc gives back to the system
   at the end of a call arrives in the next as pages that are cleared first, one by one. */
void conv2d_use_memory(
    void *(*take)(void *context, size_t size), void (*give)(void *context, void *memory, size_t size))
{
    conv2d_take = take;
    conv2d_give = give;
}

/* Room for the product of the counts times `size` bytes, aligned to 64, or NULL; what is in *whole is
   given back at the end. More than a terabyte is not even asked for. */
static inline void *conv2d_room(double count, size_t size, void **whole)
{
    if (count * (double)size > 1e12)
        return *whole = NULL;
    *whole = conv2d_take(NULL, (size_t)count * size + 64);
    return *whole ? (void *)(((uintptr_t)*whole + 63) & ~(uintptr_t)63) : NULL;
}

static inline void conv2d_leave(void **whole, int rooms)
{
    for (int i = 0; i < rooms; i++)
        if (whole[i])
            conv2d_give(NULL, whole[i], 0);
}

#endif
