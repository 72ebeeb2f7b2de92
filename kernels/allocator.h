/* Memory for arrays: blocks that were freed are kept, by size, for the next array of that size.

   Every block lies behind a header of 64 bytes, and its address is a multiple of 64:

       base                         data
       | padding ... | struct block | what the array sees ... capacity |
       <-------------------------- length ---------------------------->

   Sizes are rounded up to a class: multiples of 64 up to 1 KiB, then eight classes to each doubling,
   so at most 1/8 of a block is idle. Each class has a stack of free blocks, so the block whose data
   is most likely still in the processor's cache goes out first. All free blocks also form one queue
   in the order in which they were freed; when they exceed `bound` bytes, the oldest are given back.

   Blocks of MAPPED bytes and more come from the system's pages, which arrive zeroed and can be given
   back one by one; smaller ones come from malloc. One spin lock guards everything but the system
   calls; it is taken around fork, so a child finds everything whole. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef _MSC_VER
#include <intrin.h>
#include <windows.h>
typedef volatile char flag;
#define TEST_AND_SET(f) _InterlockedExchange8(f, 1)
#define CLEAR(f) _InterlockedExchange8(f, 0)
#define YIELD() SwitchToThread()
#else
typedef char flag;
#define TEST_AND_SET(f) __atomic_test_and_set(f, __ATOMIC_ACQUIRE)
#define CLEAR(f) __atomic_clear(f, __ATOMIC_RELEASE)
#ifdef _WIN32
#include <windows.h>
#define YIELD() SwitchToThread()
#else
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#define YIELD() sched_yield()
#define PAGES 1
#endif
#endif

#ifdef __GLIBC__
#include <malloc.h>
#endif

enum { LINE = 64, SMALL = 1024, STEPS = 8, CLASSES = SMALL / LINE + STEPS * 54 };
/* The largest page of any system we run on; huge pages are another matter. */
#define PAGE ((size_t)1 << 16)
#define MAPPED ((size_t)1 << 20)
#define HUGE_PAGE ((size_t)2 << 20)
/* Beyond this, sizes are nobody's: rounding them up could pass the end of size_t. */
#define LARGEST (SIZE_MAX / 4)

struct block {
    void *base;
    size_t length;                  /* of what the system gave, from base */
    size_t index;                   /* of its class; the capacity follows from it */
    struct block *above, *below;    /* in the stack of the class, while free */
    struct block *newer, *older;    /* in the queue of all free blocks */
};

/* The header fits in front of the data without moving it off its line. */
typedef char header_is_one_line[sizeof(struct block) <= LINE ? 1 : -1];

static struct {
    flag locked;
    struct block *top[CLASSES], *newest, *oldest;
    size_t in_use, cached, peak, bound, blocks, hits, misses;
    unsigned colour;
} heap;

static void lock_heap(void)
{
    for (int tries = 1; TEST_AND_SET(&heap.locked); tries++)
        if (tries % 64 == 0)
            YIELD();
}

static void unlock_heap(void)
{
    CLEAR(&heap.locked);
}

/* --- classes of sizes --- */

static int class_of(size_t size)
{
    if (size <= SMALL)
        return size ? (int)((size - 1) / LINE) : 0;
    int doubling = 0;
    for (size_t most = (size - 1) / SMALL; most > 1; most >>= 1)
        doubling++;
    size_t step = ((size_t)SMALL << doubling) / STEPS;
    return SMALL / LINE + doubling * STEPS + (int)((size - 1 - ((size_t)SMALL << doubling)) / step);
}

static size_t capacity_of(int index)
{
    if (index < SMALL / LINE)
        return (size_t)(index + 1) * LINE;
    index -= SMALL / LINE;
    size_t first = (size_t)SMALL << index / STEPS;
    return first + first / STEPS * (index % STEPS + 1);
}

static struct block *header_of(void *data)
{
    return (struct block *)((char *)data - LINE);
}

/* --- the system --- */

/* Large blocks start in different lines of their first page: arrays that are swept together would
   otherwise meet in the same sets of the processor's caches. */
static struct block *from_system(int index, unsigned colour)
{
    size_t capacity = capacity_of(index), length = capacity + 2 * LINE, shift = 0;
    char *base;
#ifdef PAGES
    if (capacity >= MAPPED) {
        size_t huge = capacity >= 2 * HUGE_PAGE ? HUGE_PAGE : 0;
        shift = colour * 5 % 16 * 4 * LINE;
        length = (length + shift + PAGE - 1) & ~(PAGE - 1);
        base = mmap(NULL, length + huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (base == MAP_FAILED)
            return NULL;
        if (huge) {  /* start where a huge page can, and give back what is over on both sides */
            size_t before = -(uintptr_t)base & (huge - 1);
            if (before)
                munmap(base, before);
            base += before;
            if (huge - before)
                munmap(base + length, huge - before);
#ifdef MADV_HUGEPAGE
            madvise(base, length, MADV_HUGEPAGE);
#endif
        }
    } else
#endif
    base = malloc(length);
    if (!base)
        return NULL;
    uintptr_t data = ((uintptr_t)base + shift + 2 * LINE - 1) & ~(uintptr_t)(LINE - 1);
    struct block *block = header_of((void *)data);
    block->base = base;
    block->length = length;
    block->index = index;
    return block;
}

/* Give back a list of blocks, linked by `newer`. */
static void to_system(struct block *block)
{
    while (block) {
        struct block *next = block->newer;
#ifdef PAGES
        if (capacity_of((int)block->index) >= MAPPED)
            munmap(block->base, block->length);
        else
#endif
            free(block->base);
        block = next;
    }
}

/* --- free blocks; all of this under the lock --- */

static void keep(struct block *block)
{
    struct block **top = &heap.top[block->index];
    block->below = *top;
    block->above = NULL;
    if (*top)
        (*top)->above = block;
    *top = block;
    block->older = heap.newest;
    block->newer = NULL;
    if (heap.newest)
        heap.newest->newer = block;
    else
        heap.oldest = block;
    heap.newest = block;
    heap.cached += block->length;
}

static void unkeep(struct block *block)
{
    if (block->above)
        block->above->below = block->below;
    else
        heap.top[block->index] = block->below;
    if (block->below)
        block->below->above = block->above;
    if (block->newer)
        block->newer->older = block->older;
    else
        heap.newest = block->older;
    if (block->older)
        block->older->newer = block->newer;
    else
        heap.oldest = block->newer;
    heap.cached -= block->length;
}

/* Take out the oldest blocks until at most `most` bytes are left; returns them as a list. */
static struct block *shrink(size_t most)
{
    struct block *list = NULL;
    while (heap.cached > most) {
        struct block *block = heap.oldest;
        unkeep(block);
        block->newer = list;
        list = block;
    }
    return list;
}

/* Give back free blocks until at most `most` bytes are left; returns how many bytes went. */
static size_t heap_release(size_t most)
{
    lock_heap();
    size_t before = heap.cached;
    struct block *list = shrink(most);
    size_t released = before - heap.cached;
    unlock_heap();
    to_system(list);
#ifdef __GLIBC__
    malloc_trim(0);
#endif
    return released;
}

static void heap_set_bound(size_t bound)
{
    lock_heap();
    heap.bound = bound;
    struct block *list = shrink(bound);
    unlock_heap();
    to_system(list);
}

/* --- what NumPy calls --- */

static void *allocate(size_t size, int *recycled)
{
    if (size > LARGEST)
        return NULL;
    int index = class_of(size);
    lock_heap();
    struct block *block = heap.top[index];
    *recycled = block != NULL;
    if (block) {
        unkeep(block);
        heap.hits++;
    } else {
        heap.misses++;
        unsigned colour = heap.colour++;
        unlock_heap();
        block = from_system(index, colour);
        if (!block && heap_release(0))
            block = from_system(index, colour);
        if (!block)
            return NULL;
        lock_heap();
    }
    heap.in_use += block->length;
    heap.blocks++;
    if (heap.peak < heap.in_use)
        heap.peak = heap.in_use;
    unlock_heap();
    return (char *)block + LINE;
}

static void *heap_malloc(void *context, size_t size)
{
    int recycled;
    (void)context;
    return allocate(size, &recycled);
}

static void *heap_calloc(void *context, size_t count, size_t each)
{
    int recycled;
    (void)context;
    if (each && count > SIZE_MAX / each)
        return NULL;
    void *data = allocate(count * each, &recycled);
#ifdef PAGES
    int zero = !recycled && count * each >= MAPPED;
#else
    int zero = 0;
#endif
    return data && !zero ? memset(data, 0, count * each) : data;
}

static void heap_free(void *context, void *data, size_t size)
{
    (void)context;
    (void)size;
    if (!data)
        return;
    struct block *block = header_of(data), *list = block;
    lock_heap();
    heap.in_use -= block->length;
    heap.blocks--;
    if (block->length <= heap.bound) {
        keep(block);
        list = heap.cached > heap.bound ? shrink(heap.bound) : NULL;
    } else
        block->newer = NULL;
    unlock_heap();
    to_system(list);
}

static void *heap_realloc(void *context, void *data, size_t size)
{
    if (!data)
        return heap_malloc(context, size);
    if (size > LARGEST)
        return NULL;
    int index = (int)header_of(data)->index;
    if (class_of(size) == index)
        return data;
    void *moved = heap_malloc(context, size);
    if (!moved)
        return NULL;
    size_t held = capacity_of(index);
    memcpy(moved, data, size < held ? size : held);
    heap_free(context, data, 0);
    return moved;
}

/* Bytes in use, cached, at the peak and the bound; blocks in use; hits and misses: at one moment. */
static void heap_counts(size_t counts[7])
{
    lock_heap();
    counts[0] = heap.in_use;
    counts[1] = heap.cached;
    counts[2] = heap.peak;
    counts[3] = heap.bound;
    counts[4] = heap.blocks;
    counts[5] = heap.hits;
    counts[6] = heap.misses;
    unlock_heap();
}

/* A fork by another thread while the lock is held would leave it held in the child for ever. */
static void heap_prepare(void)
{
#ifdef PAGES
    static int done;
    if (!done)
        pthread_atfork(lock_heap, unlock_heap, unlock_heap);
    done = 1;
#endif
}
