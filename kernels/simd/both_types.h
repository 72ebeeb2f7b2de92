/* BODY for float and, unless FLOAT_ONLY, for double; SET and BYTES are given by multiversion.h. */

#define REAL float
#define TYPE f32
#define INTEGER int32_t
#define UNSIGNED uint32_t
#define LANES (BYTES / 4)
#include "vector.h"
#include BODY
#undef REAL
#undef TYPE
#undef INTEGER
#undef UNSIGNED
#undef LANES

#ifndef FLOAT_ONLY
#define REAL double
#define TYPE f64
#define INTEGER int64_t
#define UNSIGNED uint64_t
#define LANES (BYTES / 8)
#include "vector.h"
#include BODY
#undef REAL
#undef TYPE
#undef INTEGER
#undef UNSIGNED
#undef LANES
#endif
