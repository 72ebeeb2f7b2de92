/* What a walk over all steps is given beside its arrays. */

#ifndef MINIDL_RECURRENT_WALK_H
#define MINIDL_RECURRENT_WALK_H

#include <stdint.h>

/* Examples start .. stop of n, d values each; example b takes part in the steps below lengths[b].
   With `keep` everything is stored that the way back needs. */
typedef struct {
    long steps, n, d, start, stop;
    const int64_t *lengths;
    int reverse, keep;
} recurrent_walk;

/* The time of the step taken as number s, and the slots of the state before and after it. */
static inline long walk_time(const recurrent_walk *w, long s)
{
    return w->reverse ? w->steps - 1 - s : s;
}
static inline long walk_before(const recurrent_walk *w, long s)
{
    return w->reverse ? w->steps - s : s;
}
static inline long walk_after(const recurrent_walk *w, long s)
{
    return w->reverse ? w->steps - 1 - s : s + 1;
}

#endif
