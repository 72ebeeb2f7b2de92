# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Two-dimensional convolution in C; what is computed, and the shapes, stand in conv2d_numpy.

Implicit GEMM serves every convolution: kernels/simd/conv2d.h. Work is cut into lines, rows of
output positions over all images, and spread over threads. Where `_bundles` says so it is cut into
bundles of images, for many small ones: kernels/simd/conv2d_bundles.h. Winograd's algorithm serves
where `_tile` says so: kernels/simd/conv2d_winograd.h; its work is cut into tiles of 4 x 4 outputs, or
into strips of four rows or of two. Where `_strided` says so it serves a stride, with pixels that far
apart as channels.
"""

import numpy as np

cimport numpy as cnp
from cpython.pycapsule cimport PyCapsule_GetPointer

from minidl.kernels import parallel

try:
    from minidl.kernels import allocator_cython
except ImportError:
    allocator_cython = None

# True: every sum as the definition has it, no faster algorithm that rounds more.
precise = False

# Multiplications a thread should have, at least, for its start to pay.
LEAST = 1_500_000

# Extents beyond this are longer than any memory and are refused, so that products of them and of
# a kernel's size stay numbers of the machine.
FARTHEST = 1 << 40

# Channels from which on Winograd's algorithm takes squares in the gradients, and from which on it takes
# strips of four rows and squares forward: what they round turns ReLUs on or off, and a network's whole
# gradient with them.
WINOGRAD, FOUR_ROWS_FORWARD, WINOGRAD_FORWARD = 16, 32, 48

# Outputs of a channel, at least, for Winograd's algorithm to serve a convolution with a stride.
ENOUGH = 1000

cdef extern from "numpy/ndarraytypes.h":
    ctypedef struct PyDataMemAllocator:
        void* (*malloc)(void*, size_t) noexcept nogil
        void (*free)(void*, void*, size_t) noexcept nogil
    ctypedef struct PyDataMem_Handler:
        PyDataMemAllocator allocator

cdef extern nogil:
    void conv2d_use_memory(
        void* (*take)(void*, size_t) noexcept nogil,
        void (*give)(void*, void*, size_t) noexcept nogil)
    long winograd_lanes()
    long winograd_weights_size(long o, long c)
    void winograd_prepare_f32(
        const float* weight, long o, long c, int backward, int tall, int wide, float* u)
    long winograd_items(long n, long h, long w, long ph, long pw, long tall, long wide)
    long winograd_room_size(long c, long o)
    long winograd_strips_room_size(long c, long w, long pw)
    void winograd_forward_f32(
        const float* x, const float* u, const float* bias, float* y, long n, long c, long h, long w,
        long o, long ph, long pw, long start, long stop, int anew, float* room,
        int* finite)
    long winograd_gradient_size(long o, long c)
    void winograd_weight_gradient_f32(
        const float* x, const float* dy, float* part, long n, long c, long h, long w, long o,
        long ph, long pw, long start, long stop, float* room)
    int winograd_finish_gradient_f32(
        const float* const* parts, long count, long o, long c, float* dweight)
    void conv2d_backward_bias_f32(
        const float* dy, float* sums, float* dbias, long n, long o, long size, long start, long stop)
    void conv2d_backward_bias_f64(
        const double* dy, double* sums, double* dbias, long n, long o, long size, long start,
        long stop)
    void conv2d_finite_f32(const float* numbers, long count, int* finite)
    void conv2d_finite_f64(const double* numbers, long count, int* finite)
    void conv2d_bundles_f32(const long* sizes, int backward, long* bundles)
    void conv2d_bundles_f64(const long* sizes, int backward, long* bundles)
    void conv2d_forward_f32(
        const void*, const void*, const void*, void*, const long*, long, long, int*)
    void conv2d_forward_f64(
        const void*, const void*, const void*, void*, const long*, long, long, int*)
    void conv2d_backward_input_f32(
        const void*, const void*, const void*, void*, const long*, long, long, int*)
    void conv2d_backward_input_f64(
        const void*, const void*, const void*, void*, const long*, long, long, int*)
    void conv2d_backward_weight_f32(
        const void*, const void*, const void*, void*, const long*, long, long, int*)
    void conv2d_backward_weight_f64(
        const void*, const void*, const void*, void*, const long*, long, long, int*)
    void conv2d_scatter_f32(
        const void*, const void*, const void*, void*, const long*, long, long, int*)
    void conv2d_scatter_f64(
        const void*, const void*, const void*, void*, const long*, long, long, int*)
    void conv2d_few_f32(
        const void*, const void*, const void*, void*, const long*, long, long, int*)
    void conv2d_few_f64(
        const void*, const void*, const void*, void*, const long*, long, long, int*)
    void bundle_forward_f32(
        const void*, const void*, const void*, void*, const long*, long, long, int*)
    void bundle_forward_f64(
        const void*, const void*, const void*, void*, const long*, long, long, int*)
    void bundle_backward_input_f32(
        const void*, const void*, const void*, void*, const long*, long, long, int*)
    void bundle_backward_input_f64(
        const void*, const void*, const void*, void*, const long*, long, long, int*)
    void depthwise_forward_f32(
        const void*, const void*, const void*, void*, const long*, long, long, int*)
    void depthwise_forward_f64(
        const void*, const void*, const void*, void*, const long*, long, long, int*)
    void depthwise_backward_weight_f32(
        const void*, const void*, const void*, void*, const long*, long, long, int*)
    void depthwise_backward_weight_f64(
        const void*, const void*, const void*, void*, const long*, long, long, int*)
    void winograd_apart_f32(const float* x, float* apart, const long*, long, long)
    void winograd_together_f32(const float* apart, float* x, const long*, long, long)


cdef _use_kept_memory():
    """Let rooms come from where arrays do, if minidl's allocator is in use at import."""
    cdef PyDataMem_Handler* ours
    if allocator_cython is not None and allocator_cython.handler is not None:
        ours = <PyDataMem_Handler*>PyCapsule_GetPointer(allocator_cython.handler, "mem_handler")
        conv2d_use_memory(ours.allocator.malloc, ours.allocator.free)


_use_kept_memory()

# Whether vectors hold 16 numbers, and as many as any do.
WIDE, SUMS = winograd_lanes() == 16, 16

ctypedef void (*_Function)(
    const void*, const void*, const void*, void*, const long*, long, long, int*) noexcept nogil


cdef class _Call:
    """One convolution: its sizes, in the order of conv2d_geometry, and the arrays it works on."""

    cdef long sizes[16]
    cdef bint double
    cdef _Function function
    cdef void* pointers[4]  # two arrays, the bias or NULL, the result

    def __init__(self, x_shape, weight_shape, stride, padding, dilation, groups):
        n, c, h, w = x_shape
        o, each, kh, kw = weight_shape
        (sh, sw), (ph, pw), (dh, dw) = stride, padding, dilation
        if max(sh, sw, ph, pw, dh, dw) > FARTHEST:
            raise MemoryError("conv2d: an image with so much around it fits no memory")
        oh = (h + 2 * ph - dh * (kh - 1) - 1) // sh + 1
        ow = (w + 2 * pw - dw * (kw - 1) - 1) // sw + 1
        if each * groups != c or o % groups:
            raise ValueError(f"conv2d: channels {c} and {o} with {groups} groups of {each}")
        cdef long* a = self.sizes
        a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7] = n, c, h, w, o, kh, kw, sh
        a[8], a[9], a[10], a[11], a[12], a[13], a[14], a[15] = sw, ph, pw, dh, dw, groups, oh, ow

    cdef place(self, int slot, array, bint double, shape):
        """Take an array: contiguous, of the call's type and of the shape expected."""
        cdef cnp.ndarray a = array
        if not cnp.PyArray_IS_C_CONTIGUOUS(a) or cnp.PyArray_TYPE(a) != (
            cnp.NPY_DOUBLE if double else cnp.NPY_FLOAT
        ):
            raise ValueError("conv2d: expected C-contiguous arrays, all float32 or all float64")
        if array.shape != shape:
            raise ValueError(f"conv2d: expected shape {shape}, got {array.shape}")
        self.pointers[slot] = cnp.PyArray_DATA(a)

    cdef run(self, void* out, long start, long stop):
        """Compute the part from start to stop; whether weights that are not finite prevent it."""
        cdef int failed = 0
        with nogil:
            self.function(
                self.pointers[0], self.pointers[1], self.pointers[2], out, self.sizes, start, stop,
                &failed)
        if failed == 1:
            raise MemoryError("conv2d: no memory for the windows")
        return failed


cdef bint _three_by_three(_Call call):
    """Whether Winograd's algorithm could serve: 3x3 windows of stride 1, float32, no tiny image."""
    cdef long* a = call.sizes
    return (
        not precise and not call.double and a[5] == 3 and a[6] == 3 and a[7] == 1 and a[8] == 1
        and a[9] <= 2 and a[10] <= 2 and a[11] == 1 and a[12] == 1 and a[13] == 1
        and min(a[14], a[15]) >= 3 and min(a[2], a[3]) >= 3)


cdef struct Tile:
    long tall, wide  # outputs, and no Winograd's algorithm where they are 0


cdef Tile NONE = Tile(0, 0), SQUARE = Tile(4, 4), FOUR_ROWS = Tile(4, 1), TWO_ROWS = Tile(2, 1)


cdef Tile _tile(_Call call, bint backward):
    """How Winograd's algorithm serves, the one rule: by which tiles.

    Strips have the cheapest transforms and are for few channels, but not fewer outputs than fill a
    product, nor shorter rows than fill most of a vector. In the gradient those of four rows serve;
    forward those of two first, which round little more than a direct sum, but to outputs so many that
    what follows takes squares, which round more than either.
    """
    cdef long* a = call.sizes
    cdef long channels = min(a[1], a[4]), outputs = a[1] if backward else a[4]
    cdef long rows = a[2] if backward else a[14], columns = a[3] if backward else a[15]
    if not _three_by_three(call):
        return NONE
    if channels >= (WINOGRAD if backward else WINOGRAD_FORWARD):
        return SQUARE
    if rows >= 4 and columns >= (12 if WIDE else 8) and outputs >= (5 if backward else 3):
        many = channels >= FOUR_ROWS_FORWARD or outputs >= WINOGRAD_FORWARD and not WIDE
        return FOUR_ROWS if backward or many else TWO_ROWS
    return NONE


cdef bint _strided(_Call call):
    """Whether it serves a convolution with a stride, as 3x3 windows of pixels a stride apart.

    Windows are 3 strides wide or a pixel less, and strides at least 3, so that few zeros are
    multiplied; channels are enough for large tiles, outputs for the transforms of the weights.
    """
    cdef long* a = call.sizes
    return (
        not precise and not call.double and min(a[7], a[8]) >= 3 and a[11] == a[12] == a[13] == 1
        and 3 * a[7] - 1 <= a[5] <= 3 * a[7] and 3 * a[8] - 1 <= a[6] <= 3 * a[8]
        and a[9] < a[5] and a[10] < a[6] and min(a[1] * a[7] * a[8], a[4]) >= WINOGRAD_FORWARD
        and min(a[14], a[15]) >= 3 and a[0] * a[14] * a[15] >= ENOUGH)


cdef _room_apart(_Call call):
    """Room for pixels a stride apart as channels of their own: (n, c * sh * sw, oh + 2, ow + 2)."""
    cdef long* a = call.sizes
    return np.empty((a[0], a[1] * a[7] * a[8], a[14] + 2, a[15] + 2), np.float32)


cdef _apart(_Call call, cnp.ndarray x):
    """The pixels of x, those a stride apart as channels of their own."""
    cdef long* a = call.sizes
    cdef cnp.ndarray apart = _room_apart(call)

    def part(long start, long stop):
        with nogil:
            winograd_apart_f32(
                <float*>cnp.PyArray_DATA(x), <float*>cnp.PyArray_DATA(apart), call.sizes, start,
                stop)

    parallel.run(part, a[0] * a[1], LEAST // (10 * a[2] * a[3]) + 1)
    return apart


cdef _together(_Call call, cnp.ndarray apart, cnp.ndarray x):
    """Fill x with pixels that lie apart; those that no window reaches are 0."""
    cdef long* a = call.sizes

    def part(long start, long stop):
        with nogil:
            winograd_together_f32(
                <float*>cnp.PyArray_DATA(apart), <float*>cnp.PyArray_DATA(x), call.sizes, start,
                stop)

    parallel.run(part, a[0] * a[1], LEAST // (10 * a[2] * a[3]) + 1)


cdef _taps_apart(_Call call, weight):
    """The taps, dealt out like the pixels: (o, c * sh * sw, 3, 3)."""
    cdef long* a = call.sizes
    o, c, sh, sw = a[4], a[1], a[7], a[8]
    taps = np.zeros((o, c, 3 * sh, 3 * sw), np.float32)
    taps[:, :, : a[5], : a[6]] = weight
    apart = taps.reshape(o, c, 3, sh, 3, sw).transpose(0, 1, 3, 5, 2, 4)
    return np.ascontiguousarray(apart).reshape(o, c * sh * sw, 3, 3)


cdef _taps_together(_Call call, apart):
    """The taps of whole windows, from those dealt out."""
    cdef long* a = call.sizes
    o, c, sh, sw = a[4], a[1], a[7], a[8]
    taps = apart.reshape(o, c, sh, sw, 3, 3).transpose(0, 1, 4, 2, 5, 3)
    taps = taps.reshape(o, c, 3 * sh, 3 * sw)[:, :, : a[5], : a[6]]
    return np.ascontiguousarray(taps)


cdef bint _depthwise(_Call call):
    """Whether every output channel sees one input channel of its own."""
    return call.sizes[13] == call.sizes[1] == call.sizes[4]


cdef bint _few(_Call call):
    """Whether the gradient of the input is one product with a row for each channel and tap.

    For few channels, that is, each of which sees many outputs; of 1x1 windows it is one anyway.
    """
    cdef long* a = call.sizes
    channels = a[1] // a[13]
    return channels <= 4 and a[4] // a[13] >= 16 * channels and a[5] * a[6] > 1


cdef long _bundles(_Call call, bint backward, Tile tile):
    """How many bundles of images it is worked on in, a vector's lanes over images; 0: in none.

    Strips of Winograd's algorithm are faster where rows fill their vectors, squares are anyway; of fewer
    bundles than threads some would wait.
    """
    cdef long* a = call.sizes
    cdef long columns = a[3] if backward else a[15], lanes = 16 if WIDE else 8, count = 0
    cdef long idle = (lanes - columns % lanes) % lanes
    if tile.wide > 1 or tile.tall and 4 * idle <= columns:
        return 0
    if call.double:
        conv2d_bundles_f64(call.sizes, backward, &count)
    else:
        conv2d_bundles_f32(call.sizes, backward, &count)
    return count if count >= parallel.get_count() else 0


cdef bint _finite(_Call call, long count):
    """Whether the second array has neither NaN nor infinity."""
    cdef int finite
    if call.double:
        conv2d_finite_f64(<double*>call.pointers[1], count, &finite)
    else:
        conv2d_finite_f32(<float*>call.pointers[1], count, &finite)
    return finite


cdef _turned(_Call call, dy, weight):
    """dx of a depthwise convolution: dy, spread by the stride, with the weights turned around."""
    cdef long* a = call.sizes
    reach = a[11] * (a[5] - 1), a[12] * (a[6] - 1)
    if a[7] * a[8] > 1:
        size = a[2] + 2 * a[9] - reach[0], a[3] + 2 * a[10] - reach[1]
        spread = np.zeros((a[0], a[1], *size), dy.dtype)
        spread[:, :, :: a[7], :: a[8]] = dy
        dy = spread
    turned = np.ascontiguousarray(weight[:, :, ::-1, ::-1])
    padding = reach[0] - a[9], reach[1] - a[10]
    return forward(dy, turned, None, (1, 1), padding, (a[11], a[12]), a[13])


cdef bint _correlate(
    cnp.ndarray source, cnp.ndarray weight, bias, cnp.ndarray out, padding, bint backward,
    Tile tile, bint anew
):
    """out = source convolved with weight by Winograd's algorithm, or with it turned around.

    False where much of it is not finite, or any where nothing may be computed anew: that takes the
    direct way.
    """
    cdef long ph = padding[0], pw = padding[1]
    cdef long n = source.shape[0], c = source.shape[1], h = source.shape[2], w = source.shape[3]
    cdef bint strips = tile.wide == 1
    cdef long o = out.shape[1], outputs = tile.tall * (out.shape[3] if strips else tile.wide)
    cdef long items = winograd_items(n, h, w, ph, pw, tile.tall, tile.wide)
    cdef cnp.ndarray u = np.empty(winograd_weights_size(o, c), np.float32)
    cdef float* offset = NULL if bias is None else <float*>cnp.PyArray_DATA(<cnp.ndarray>bias)
    winograd_prepare_f32(
        <float*>cnp.PyArray_DATA(weight), weight.shape[0], weight.shape[1], backward,
        tile.tall, tile.wide, <float*>cnp.PyArray_DATA(u))

    def part(long start, long stop):
        cdef cnp.ndarray room = np.empty(
            winograd_strips_room_size(c, w, pw) if strips else winograd_room_size(c, o),
            np.float32)
        cdef int finite = 0
        with nogil:
            winograd_forward_f32(
                <float*>cnp.PyArray_DATA(source), <float*>cnp.PyArray_DATA(u), offset,
                <float*>cnp.PyArray_DATA(out), n, c, h, w, o, ph, pw, start, stop,
                anew, <float*>cnp.PyArray_DATA(room), &finite)
        return finite

    pays = LEAST // (9 * outputs * c * o) + 1
    return all(parallel.run(part, items, pays if strips else pays + 23, pays))


cdef _winograd_weight(cnp.ndarray dy, cnp.ndarray x, cnp.ndarray dweight, long ph, long pw):
    """Fill dweight by Winograd's algorithm; false if a value is not finite and may be misplaced."""
    cdef long n = x.shape[0], c = x.shape[1], h = x.shape[2], w = x.shape[3], o = dy.shape[1]

    def part(long start, long stop):
        cdef cnp.ndarray room = np.empty(winograd_room_size(c, o), np.float32)
        cdef cnp.ndarray sums = np.empty(winograd_gradient_size(o, c), np.float32)
        with nogil:
            winograd_weight_gradient_f32(
                <float*>cnp.PyArray_DATA(x), <float*>cnp.PyArray_DATA(dy),
                <float*>cnp.PyArray_DATA(sums), n, c, h, w, o, ph, pw, start, stop,
                <float*>cnp.PyArray_DATA(room))
        return sums

    pays = LEAST // (144 * c * o) + 1
    parts = parallel.run(part, winograd_items(n, h, w, ph, pw, 4, 4), pays + 23, pays)
    cdef cnp.ndarray places = np.array([sums.ctypes.data for sums in parts], np.intp)
    return winograd_finish_gradient_f32(
        <const float* const*>cnp.PyArray_DATA(places), len(parts), o, c,
        <float*>cnp.PyArray_DATA(dweight))


def forward(x, weight, bias, stride, padding, dilation, groups):
    """y = x convolved with weight, plus bias; see conv2d_numpy.forward."""
    cdef _Call call = _Call(x.shape, weight.shape, stride, padding, dilation, groups)
    cdef long* a = call.sizes
    y = np.empty((a[0], a[4], a[14], a[15]), x.dtype)
    if x.size == 0 or y.size == 0:
        y[...] = 0 if bias is None else bias[:, None, None]
        return y
    call.double = x.dtype == np.float64
    call.place(0, x, call.double, x.shape)
    call.place(1, weight, call.double, weight.shape)
    if bias is not None:
        call.place(2, bias, call.double, weight.shape[:1])
    call.place(3, y, call.double, y.shape)
    cdef Tile tile = _tile(call, False)
    cdef long bundles = _bundles(call, False, tile)
    if tile.tall and not bundles and _correlate(x, weight, bias, y, padding, False, tile, True):
        return y
    if _strided(call) and _correlate(
        _apart(call, x), _taps_apart(call, weight), bias, y, (0, 0), False, SQUARE, False
    ):
        return y
    part = lambda start, stop: call.run(call.pointers[3], start, stop)
    if bundles and _finite(call, weight.size):
        call.function = bundle_forward_f64 if call.double else bundle_forward_f32
        parallel.run(part, bundles, LEAST * bundles // (y.size * a[1] // a[13] * a[5] * a[6]) + 1)
    elif _depthwise(call):
        call.function = depthwise_forward_f64 if call.double else depthwise_forward_f32
        parallel.run(part, a[0] * a[1], LEAST // (10 * a[14] * a[15] * a[5] * a[6]) + 1)
    else:
        call.function = conv2d_forward_f64 if call.double else conv2d_forward_f32
        parallel.run(part, a[0] * a[14], LEAST // (a[15] * weight.size) + 1)
    return y


def backward_input(dy, weight, x_shape, stride, padding, dilation, groups):
    """dx, the gradient by x; see conv2d_numpy.backward_input."""
    x_shape = tuple(x_shape)
    cdef _Call call = _Call(x_shape, weight.shape, stride, padding, dilation, groups)
    cdef long* a = call.sizes
    dx = np.empty(x_shape, dy.dtype)
    if dx.size == 0 or dy.size == 0:
        dx[...] = 0
        return dx
    call.double = dy.dtype == np.float64
    call.function = conv2d_backward_input_f64 if call.double else conv2d_backward_input_f32
    call.place(0, dy, call.double, (a[0], a[4], a[14], a[15]))
    call.place(1, weight, call.double, weight.shape)
    call.place(3, dx, call.double, x_shape)
    # A weight that is not finite may only reach the pixels that its tap reaches.
    cdef Tile tile = _tile(call, True)
    cdef bint turned = _depthwise(call) and max(a[7], a[8]) <= 4 and a[7] * a[8] <= 4
    cdef bint strided = _strided(call)
    cdef long bundles = 0 if _few(call) else _bundles(call, True, tile)
    part = lambda start, stop: call.run(call.pointers[3], start, stop)
    if (tile.tall or turned or strided or bundles) and _finite(call, weight.size):
        if turned:
            return _turned(call, dy, weight)
        if tile.tall and not bundles and _correlate(
            dy, weight, None, dx, (2 - a[9], 2 - a[10]), True, tile, True
        ):
            return dx
        if strided:
            apart = _room_apart(call)
            if _correlate(
                dy, _taps_apart(call, weight), None, apart, (2, 2), True, SQUARE, False
            ):
                _together(call, apart, dx)
                return dx
        if bundles:
            call.function = bundle_backward_input_f64 if call.double else bundle_backward_input_f32
            parallel.run(
                part, bundles, LEAST * bundles // (dy.size * a[1] // a[13] * a[5] * a[6]) + 1)
            return dx
    lines = (a[2] - 1) // a[7] + 1
    least = LEAST // (a[14] * a[15] * weight.size // lines + 1) + 1
    if _few(call):
        call.function = conv2d_few_f64 if call.double else conv2d_few_f32
    if any(parallel.run(part, a[0] * lines, least)):
        call.function = conv2d_scatter_f64 if call.double else conv2d_scatter_f32
        parallel.run(part, a[0])
    return dx


def backward_bias(cnp.ndarray dy not None):
    """dbias, the gradient by bias; see conv2d_numpy.backward_bias."""
    cdef bint double = dy.dtype == np.float64
    if (
        dy.ndim != 4 or not cnp.PyArray_IS_C_CONTIGUOUS(dy)
        or not double and dy.dtype != np.float32
    ):
        raise ValueError("conv2d: expected a C-contiguous array (n, o, oh, ow), float32 or float64")
    cdef long n = dy.shape[0], o = dy.shape[1], size = dy.shape[2] * dy.shape[3]
    cdef cnp.ndarray dbias = np.zeros(o, dy.dtype)
    if dy.size == 0:
        return dbias

    def part(long start, long stop):
        cdef cnp.ndarray sums = np.empty((stop - start) * SUMS, dy.dtype)
        cdef void *numbers = cnp.PyArray_DATA(dy)
        cdef void *room = cnp.PyArray_DATA(sums)
        cdef void *out = cnp.PyArray_DATA(dbias)
        with nogil:
            if double:
                conv2d_backward_bias_f64(
                    <double*>numbers, <double*>room, <double*>out, n, o, size, start, stop)
            else:
                conv2d_backward_bias_f32(
                    <float*>numbers, <float*>room, <float*>out, n, o, size, start, stop)

    parallel.run(part, o, LEAST // (8 * n * size) + 1)
    return dbias


def backward_weight(dy, x, weight_shape, stride, padding, dilation, groups):
    """dweight, the gradient by weight; see conv2d_numpy.backward_weight."""
    weight_shape = tuple(weight_shape)
    cdef _Call call = _Call(x.shape, weight_shape, stride, padding, dilation, groups)
    cdef long* a = call.sizes
    if dy.size == 0 or x.size == 0:
        return np.zeros(weight_shape, dy.dtype)
    call.double = dy.dtype == np.float64
    call.place(0, dy, call.double, (a[0], a[4], a[14], a[15]))
    call.place(1, x, call.double, x.shape)
    if _three_by_three(call) and min(a[1], a[4]) >= WINOGRAD:
        dweight = np.empty(weight_shape, dy.dtype)
        if _winograd_weight(dy, x, dweight, a[9], a[10]):
            return dweight
    if _strided(call):
        taps = np.empty((a[4], a[1] * a[7] * a[8], 3, 3), dy.dtype)
        if _winograd_weight(dy, _apart(call, x), taps, 0, 0):
            return _taps_together(call, taps)

    dweight = np.empty(weight_shape, dy.dtype)
    if _depthwise(call):
        call.function = (
            depthwise_backward_weight_f64 if call.double else depthwise_backward_weight_f32)
        call.place(3, dweight, call.double, weight_shape)
        parallel.run(
            lambda start, stop: call.run(call.pointers[3], start, stop),
            a[1], LEAST // (10 * dy.size // a[1] * a[5] * a[6]) + 1)
        return dweight
    call.function = conv2d_backward_weight_f64 if call.double else conv2d_backward_weight_f32

    def part(start, stop):
        cdef cnp.ndarray dweight = np.empty(weight_shape, dy.dtype)
        call.run(cnp.PyArray_DATA(dweight), start, stop)
        return dweight

    total, *others = parallel.run(
        part, a[0] * a[14], LEAST // (a[15] * a[4] * a[1] // a[13] * a[5] * a[6] + 1) + 1)
    with np.errstate(invalid="ignore", over="ignore"):
        for dweight in others:
            total += dweight
    return total
