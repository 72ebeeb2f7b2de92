/* Compiles BODY once for each instruction set and chooses among them when the program runs.

   A file <family>*.c in this folder is compiled into the extension <family>_cython. It reads

       #define BODY "winograd.h"
       #include "multiversion.h"
       DISPATCH_F32(winograd_forward, (const float *x, float *y, long n), (x, y, n))

   and the body defines `static void NAME(winograd_forward)(const REAL *x, REAL *y, long n)` in terms
   of the types and functions of vector.h. The body is compiled for REAL = float and double (define
   FLOAT_ONLY beforehand for float alone), each for the baseline of the platform, and on x86-64 with
   GCC or Clang also for AVX2 with FMA and for AVX-512. Nothing needs flags of its own, and a processor
   without AVX-512 never meets an AVX-512 instruction. MINIDL_SIMD=baseline or avx2 in the environment
   caps the choice.

   Where FLUSH_DENORMALS is 1, denormal numbers count as 0 in the functions that are defined; see
   denormals.h.

   MINIDL_CHECKED, set in the build that `make fuzz` tests, makes two more ways to run a body reachable
   on every x86-64 with AVX2: plain numbers (MINIDL_SIMD=scalar), and the shapes of AVX-512 made of
   AVX2 instructions (the default there). */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "denormals.h"
#include "level.h"

#define JOIN_(a, b, c) a##_##b##_##c
#define JOIN(a, b, c) JOIN_(a, b, c)
#define NAME(f) JOIN(f, TYPE, SET)

/* --- the platform's baseline: 16 bytes (SSE2, NEON), or plain numbers without vector types --- */
#define SET baseline
#define BYTES 16
#include "both_types.h"
#undef BYTES
#undef SET

#if defined(MINIDL_CHECKED) && defined(MINIDL_X86)
#define MINIDL_SCALAR 1
#undef MINIDL_VECTORS
#define SET scalar
#define BYTES 16
#include "both_types.h"
#undef BYTES
#undef SET
#define MINIDL_VECTORS 1
#undef MINIDL_SCALAR
#define RUN_SCALAR(name, arguments) \
    case SIMD_SCALAR: name##_scalar arguments; break;
#else
#define RUN_SCALAR(name, arguments)
#endif

#ifdef MINIDL_X86
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma,bmi,bmi2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,bmi,bmi2")
#endif
#define SET avx2
#define BYTES 32
#define HAVE_AVX2 1
#include "both_types.h"
#undef BYTES
#undef SET
#ifndef MINIDL_CHECKED
#ifdef __clang__
#pragma clang attribute pop
#pragma clang attribute push( \
    __attribute__((target("avx2,fma,bmi,bmi2,avx512f,avx512vl,avx512dq,avx512bw"))), apply_to = function)
#else
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx2,fma,bmi,bmi2,avx512f,avx512vl,avx512dq,avx512bw,prefer-vector-width=512")
#endif
#endif
#define SET avx512
#define BYTES 64
#define HAVE_AVX512 1
#include "both_types.h"
#undef HAVE_AVX512
#undef HAVE_AVX2
#undef BYTES
#undef SET
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#define DISPATCH_FLUSHING(when, name, TYPE, parameters, arguments)       \
    void name##_##TYPE parameters                                        \
    {                                                                    \
        const unsigned before = flush_denormals(when);                   \
        switch (simd_level()) {                                          \
        case SIMD_AVX512: name##_##TYPE##_avx512 arguments; break;       \
        case SIMD_AVX2: name##_##TYPE##_avx2 arguments; break;           \
        RUN_SCALAR(name##_##TYPE, arguments)                             \
        default: name##_##TYPE##_baseline arguments;                     \
        }                                                                \
        keep_denormals(before);                                          \
    }
#else
#define DISPATCH_FLUSHING(when, name, TYPE, parameters, arguments) \
    void name##_##TYPE parameters { (void)simd_level; name##_##TYPE##_baseline arguments; }
#endif

#ifndef FLUSH_DENORMALS
#define FLUSH_DENORMALS 0
#endif
#define DISPATCH(name, TYPE, parameters, arguments) \
    DISPATCH_FLUSHING(FLUSH_DENORMALS, name, TYPE, parameters, arguments)

/* DISPATCH_F32(f, (const float *x), (x)) defines f_f32, which calls f for the processor at hand. */
#define DISPATCH_F32(name, parameters, arguments) DISPATCH(name, f32, parameters, arguments)
#define DISPATCH_F64(name, parameters, arguments) DISPATCH(name, f64, parameters, arguments)
