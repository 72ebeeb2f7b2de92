/* Which of the instruction sets that bodies are compiled for runs on this processor. */

#ifndef MINIDL_LEVEL_H
#define MINIDL_LEVEL_H

#include <stdlib.h>
#include <string.h>

#if (defined(__GNUC__) || defined(__clang__)) && !defined(MINIDL_SCALAR)
#define MINIDL_VECTORS 1
#if defined(__x86_64__)
#define MINIDL_X86 1
#endif
#endif

enum { SIMD_SCALAR = -2, SIMD_BASELINE = 0, SIMD_AVX2 = 1, SIMD_AVX512 = 2 };

static inline int simd_level(void)
{
    static int level = -1;
    if (level == -1) {
        int found = SIMD_BASELINE;
#ifdef MINIDL_X86
        const char *cap = getenv("MINIDL_SIMD");
        __builtin_cpu_init();
        if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
            found = SIMD_AVX2;
        if (found && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
            __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
            found = SIMD_AVX512;
#ifdef MINIDL_CHECKED
        if (found)
            found = SIMD_AVX512;
        if (cap && !strcmp(cap, "scalar"))
            found = SIMD_SCALAR;
#endif
        if (cap && !strcmp(cap, "baseline"))
            found = SIMD_BASELINE;
        if (cap && !strcmp(cap, "avx2") && found > SIMD_AVX2)
            found = SIMD_AVX2;
#endif
        level = found;
    }
    return level;
}

/* Whether bodies are compiled with vectors at all. */
static inline int simd_vectors(void)
{
#ifdef MINIDL_VECTORS
    return 1;
#else
    return 0;
#endif
}

/* Whether stores around the cache keep up with those through it. On Intel's processors they do not: a
   core of a Xeon that copies 30 GB/s through the cache writes 6 to 18 around it. */
static inline int simd_streams(void)
{
#ifdef MINIDL_X86
    __builtin_cpu_init();
    return !__builtin_cpu_is("intel");
#else
    return 1;
#endif
}

#endif
