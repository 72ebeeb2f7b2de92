# cython: boundscheck=False, wraparound=False, initializedcheck=False
"""The handler through which NumPy takes memory from allocator.h, and what it counts (NEP 49)."""

cimport numpy as cnp
from cpython.pycapsule cimport PyCapsule_New
from cpython.ref cimport PyObject

cnp.import_array()

cdef extern from *:
    """
    #include "allocator.h"
    #include "simd/level.h"
    #ifdef MINIDL_CHECKED
    enum { HEAP_CHECKED = 1 };
    #else
    enum { HEAP_CHECKED = 0 };
    #endif
    static PyDataMem_Handler heap_handler = {
        "minidl", 1, {NULL, heap_malloc, heap_calloc, heap_realloc, heap_free}};
    """
    const int HEAP_CHECKED
    int simd_level()
    ctypedef struct Heap "PyDataMem_Handler":
        pass
    Heap heap_handler
    object PyDataMem_SetHandler(PyObject *handler)
    void heap_prepare()
    void heap_counts(size_t *counts)
    size_t heap_release(size_t most) nogil
    void heap_set_bound(size_t bound) nogil


# In a build that checks every access, each array is malloc's: a kept block would hide errors.
checked = bool(HEAP_CHECKED)

_ours = PyCapsule_New(&heap_handler, "mem_handler", NULL)

# What kernels take the memory from that they work in: the handler, from the first `install` on.
handler = None


def install():
    """Let arrays that this thread makes from now on take their memory here."""
    global handler
    handler = _ours
    heap_prepare()
    PyDataMem_SetHandler(<PyObject *> _ours)


def uninstall():
    """Let arrays that this thread makes from now on take their memory from NumPy."""
    PyDataMem_SetHandler(NULL)


def counts():
    """Return bytes in use, cached, at the peak and the bound; blocks in use; hits and misses."""
    cdef size_t now[7]
    heap_counts(now)
    return tuple([count for count in now])


def instruction_set():
    """Return the name of the instruction set that the C kernels run with."""
    names = {-2: "scalar", 0: "baseline", 1: "AVX2", 2: "AVX-512"}
    return names[simd_level()]


def release():
    """Give all cached blocks back to the system; returns how many bytes they were."""
    cdef size_t released
    with nogil:
        released = heap_release(0)
    return released


def set_bound(size_t bound):
    """Keep at most `bound` bytes for later."""
    with nogil:
        heap_set_bound(bound)
