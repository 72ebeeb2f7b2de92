/* Reads the file CONV_EACH_SHAPE once for each shape of tiles; see conv2d_gemm.h. */

#undef CONV_SHAPE
#undef CONV_ROWS
#undef CONV_VECTORS
#define CONV_SHAPE slim
#define CONV_ROWS 3
#if defined(HAVE_AVX512)
#define CONV_VECTORS 6
#else
#define CONV_VECTORS 4
#endif
#include CONV_EACH_SHAPE

#if defined(HAVE_AVX512)
#undef CONV_SHAPE
#undef CONV_ROWS
#undef CONV_VECTORS
#define CONV_SHAPE broad
#define CONV_ROWS 8
#define CONV_VECTORS 3
#include CONV_EACH_SHAPE
#endif

#undef CONV_SHAPE
#undef CONV_ROWS
#undef CONV_VECTORS
#define CONV_SHAPE tall
#define CONV_VECTORS 2
#if defined(HAVE_AVX512)
#define CONV_ROWS 12
#else
#define CONV_ROWS 6
#endif
#include CONV_EACH_SHAPE
#undef CONV_EACH_SHAPE
