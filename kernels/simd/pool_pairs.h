/* Neighbours of a row told apart in registers, for windows of 2x2 side by side. */

#include "turn.h"

#ifndef POOL_PAIRS
#define POOL_PAIRS
/* Even numbers of two vectors, told apart within every 16 bytes, which is cheap: half a piece of
   them from the first vector, half from the second; the odd ones are one further. POOL_ORDER is
   where lane l of the right order then stands. */
#define PIECE ((int)(16 / sizeof(REAL)))
#define POOL_EVEN(l) \
    ((l) / PIECE * PIECE + (l) * 2 % PIECE + ((l) % PIECE < PIECE / 2 ? 0 : LANES))
#define POOL_ODD(l) (POOL_EVEN(l) + 1)
#define POOL_HALF(l) ((l) % (LANES / 2) / (PIECE / 2) * PIECE + (l) % (PIECE / 2))
#define POOL_ORDER(l) (POOL_HALF(l) + ((l) < LANES / 2 ? 0 : PIECE / 2))
/* Where numbers of two vectors, told apart as even and odd ones, stand side by side. */
#define POOL_FIRSTS(l) ((l) / 2 + ((l) % 2 ? LANES : 0))
#define POOL_LASTS(l) (POOL_FIRSTS(l) + LANES / 2)
#endif
