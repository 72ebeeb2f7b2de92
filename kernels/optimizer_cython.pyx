# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Steps of optimizers in C; what is computed stands in optimizer_numpy."""

import numpy as np

from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.math cimport pow, sqrt
from numpy cimport (
    NPY_FLOAT32, NPY_FLOAT64, PyArray_DATA, PyArray_ISCARRAY, PyArray_ISCARRAY_RO,
    PyArray_SAMESHAPE, PyArray_SIZE, PyArray_TYPE, import_array, ndarray,
)

from minidl.kernels import parallel

import_array()

# Values a thread should have, at least, for its start to pay.
LEAST = 32768

cdef enum:
    MOST = 6
    OPTIONS = 10

cdef struct _Arrays:
    void* arrays[MOST]
    long size
    bint narrow

ctypedef void (*Body)(void**, const double*, long, long) noexcept nogil

cdef extern nogil:
    void optimizer_sgd_f32(void**, const double*, long, long)
    void optimizer_sgd_f64(void**, const double*, long, long)
    void optimizer_momentum_f32(void**, const double*, long, long)
    void optimizer_momentum_f64(void**, const double*, long, long)
    void optimizer_adam_f32(void**, const double*, long, long)
    void optimizer_adam_f64(void**, const double*, long, long)
    void optimizer_rmsprop_f32(void**, const double*, long, long)
    void optimizer_rmsprop_f64(void**, const double*, long, long)
    void optimizer_adagrad_f32(void**, const double*, long, long)
    void optimizer_adagrad_f64(void**, const double*, long, long)
    void optimizer_adadelta_f32(void**, const double*, long, long)
    void optimizer_adadelta_f64(void**, const double*, long, long)
    void optimizer_adamax_f32(void**, const double*, long, long)
    void optimizer_adamax_f64(void**, const double*, long, long)


cdef bint like(other, ndarray p, bint written):
    """Whether a pointer into `other` serves where the parameter p is of a floating type."""
    cdef int kind = PyArray_TYPE(p)
    return (
        isinstance(other, ndarray)
        and (PyArray_ISCARRAY(other) if written else PyArray_ISCARRAY_RO(other))
        and PyArray_TYPE(other) == kind and PyArray_SAMESHAPE(other, p)
        and (kind == NPY_FLOAT32 or kind == NPY_FLOAT64))


def fits(list params, list grads):
    """Whether steps can take these arrays as they lie; see optimizer_numpy.fits."""
    cdef ndarray p
    cdef Py_ssize_t i
    if len(params) != len(grads):
        raise ValueError("fits: expected lists of one length")
    for i in range(len(params)):
        p = params[i]
        if not like(p, p, True) or not like(grads[i], p, False):
            return False
    return True


cdef class _Step:
    """A step over lists of arrays: parameters, gradients, then the state; a list may be empty."""

    cdef Body single, double_
    cdef double options[OPTIONS]
    cdef Py_ssize_t count, at
    cdef _Arrays* parameters

    def __cinit__(self, str op, int needed, steps, *lists):
        """Refuse what does not fit before anything moves: lists after the first `needed` may be
        empty, and steps is None where none are counted."""
        cdef Py_ssize_t k
        self.count = len(lists[0])
        if steps is not None and len(steps) != self.count:
            raise ValueError(f"{op}: expected lists of one length")
        self.parameters = <_Arrays*>PyMem_Calloc(max(self.count, 1), sizeof(_Arrays))
        if self.parameters == NULL:
            raise MemoryError
        for k in range(len(lists)):
            self.point(op, k, needed, list(lists[k]), lists[0])

    def __dealloc__(self):
        PyMem_Free(self.parameters)

    cdef int point(self, str op, Py_ssize_t k, int needed, list arrays, params) except -1:
        """Note where the arrays of list k begin, and of the parameters their kind and size."""
        cdef Py_ssize_t i, length = len(arrays)
        cdef ndarray p
        if length != self.count and (k < needed or length):
            raise ValueError(f"{op}: expected lists of one length")
        for i in range(length):
            other, p = arrays[i], params[i]
            if not like(other, p, k != 1):
                raise ValueError(
                    f"{op}: expected contiguous arrays of one floating type and shape, writable "
                    f"but for the gradients, got {np.asarray(other).dtype} {np.shape(other)}")
            self.parameters[i].arrays[k] = PyArray_DATA(<ndarray>other)
            if k == 0:
                self.parameters[i].narrow = PyArray_TYPE(p) == NPY_FLOAT32
                self.parameters[i].size = PyArray_SIZE(p)
        return 0

    cdef int move(self, Py_ssize_t i) except -1:
        """Take the step of parameter i."""
        self.at = i
        if self.parameters[i].size < LEAST:
            self.part(0, self.parameters[i].size)
        else:
            parallel.run(self, self.parameters[i].size, LEAST)
        return 0

    def __call__(self, long start, long stop):
        """Take the step of the values start .. stop of the parameter whose turn it is."""
        self.part(start, stop)

    cdef void part(self, long start, long stop):
        cdef _Arrays* chosen = &self.parameters[self.at]
        cdef Body body = self.single if chosen.narrow else self.double_
        with nogil:
            body(chosen.arrays, self.options, start, stop)

    cdef int all(self) except -1:
        """Take the steps of all parameters, under the same options."""
        cdef Py_ssize_t i
        for i in range(self.count):
            self.move(i)
        return 0


cdef inline double sign(bint maximize):
    return -1 if maximize else 1


def sgd(params, grads, velocities, lr, momentum, dampening, weight_decay, nesterov, maximize=False):
    """One step of gradient descent; see optimizer_numpy.sgd."""
    moving = velocities if momentum else ()
    cdef _Step step = _Step("sgd", 3 if momentum else 2, None, params, grads, moving)
    step.single, step.double_ = optimizer_sgd_f32, optimizer_sgd_f64
    step.options = [
        sign(maximize), weight_decay, lr, momentum, 1 - dampening, bool(nesterov), 0, 0, 0, 0]
    step.all()


def momentum(params, grads, velocities, lr, momentum, weight_decay):
    """One step with the learning rate inside the velocity; see optimizer_numpy.momentum."""
    cdef _Step step = _Step("momentum", 3, None, params, grads, velocities)
    step.single, step.double_ = optimizer_momentum_f32, optimizer_momentum_f64
    step.options = [1, weight_decay, lr, momentum, 0, 0, 0, 0, 0, 0]
    step.all()


def adam(
    params, grads, means, squares, steps, double lr, double beta1, double beta2, double eps,
    double weight_decay, maxima=(), bint decoupled=False, bint maximize=False,
):
    """One step of Adam; see optimizer_numpy.adam."""
    cdef _Step step = _Step("adam", 4, steps, params, grads, means, squares, maxima)
    cdef double keep = 1 - lr * weight_decay if decoupled else 1
    cdef double decay = 0 if decoupled else weight_decay
    cdef double t, before = -1
    step.single, step.double_ = optimizer_adam_f32, optimizer_adam_f64
    for i, t in enumerate(steps):
        if t != before:  # powers take their time
            step.options = [
                sign(maximize), decay, lr / (1 - pow(beta1, t)), beta1, 1 - beta1, beta2, 1 - beta2,
                1 / sqrt(1 - pow(beta2, t)), eps, keep]
            before = t
        step.move(i)


def rmsprop(
    params, grads, squares, means, velocities, lr, alpha, eps, weight_decay, momentum,
    maximize=False,
):
    """One step of RMSprop; see optimizer_numpy.rmsprop."""
    moving = velocities if momentum else ()
    if momentum and len(velocities) != len(params):
        raise ValueError("rmsprop: expected lists of one length")
    cdef _Step step = _Step("rmsprop", 3, None, params, grads, squares, means, moving)
    step.single, step.double_ = optimizer_rmsprop_f32, optimizer_rmsprop_f64
    step.options = [sign(maximize), weight_decay, lr, alpha, 1 - alpha, eps, momentum, 0, 0, 0]
    step.all()


def adagrad(
    params, grads, sums, steps, double lr, double lr_decay, double eps, double weight_decay,
    bint maximize=False,
):
    """One step of AdaGrad; see optimizer_numpy.adagrad."""
    cdef _Step step = _Step("adagrad", 3, steps, params, grads, sums)
    cdef double t
    step.single, step.double_ = optimizer_adagrad_f32, optimizer_adagrad_f64
    for i, t in enumerate(steps):
        step.options = [
            sign(maximize), weight_decay, lr / (1 + (t - 1) * lr_decay), eps, 0, 0, 0, 0, 0, 0]
        step.move(i)


def adadelta(params, grads, squares, deltas, lr, rho, eps, weight_decay, maximize=False):
    """One step of AdaDelta; see optimizer_numpy.adadelta."""
    cdef _Step step = _Step("adadelta", 3, None, params, grads, squares, deltas)
    step.single, step.double_ = optimizer_adadelta_f32, optimizer_adadelta_f64
    step.options = [sign(maximize), weight_decay, lr, rho, 1 - rho, eps, 0, 0, 0, 0]
    step.all()


def adamax(
    params, grads, means, norms, steps, double lr, double beta1, double beta2, double eps,
    double weight_decay, bint maximize=False,
):
    """One step of AdaMax; see optimizer_numpy.adamax."""
    cdef _Step step = _Step("adamax", 4, steps, params, grads, means, norms)
    cdef double t
    step.single, step.double_ = optimizer_adamax_f32, optimizer_adamax_f64
    for i, t in enumerate(steps):
        step.options = [
            sign(maximize), weight_decay, lr / (1 - pow(beta1, t)), beta1, 1 - beta1, beta2, eps,
            0, 0, 0]
        step.move(i)
