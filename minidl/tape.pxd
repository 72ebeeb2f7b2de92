# The C types of tape.py, for the compiled copy of it only.
cimport cython
from cpython.object cimport PyObject


cdef extern from "numpy/arrayobject.h":
    # NumPy's own declaration has no object as base, and a tuple of C numbers as shape.
    ctypedef class numpy.ndarray [object PyArrayObject, check_size ignore]:
        @property
        cdef inline object base(self):
            cdef PyObject* base = PyArray_BASE(self)
            return None if base is NULL else <object> base

        @property
        cdef inline object dtype(self):
            return <object> PyArray_DESCR(self)

    PyObject* PyArray_BASE(ndarray array)
    PyObject* PyArray_DESCR(ndarray array)


cdef class Version:
    cdef public Py_ssize_t count


cdef class Making:
    cdef public Py_ssize_t altered
    cdef public Py_ssize_t count
    cdef public object kind

    cpdef catch_up(self, Py_ssize_t number)


cdef class Variable:
    cdef public object _data
    cdef public Version _version
    cdef public Py_ssize_t _written
    cdef public object grad
    cdef public Function grad_fn
    cdef public object hooks
    cdef public bint requires_grad

    cdef Py_ssize_t last_write(self) except -1


cdef class Function:
    cdef dict __dict__
    cdef object __weakref__
    cdef public tuple inputs
    cdef public tuple needs
    cdef public Py_ssize_t order
    cdef public object pending
    cdef public bint owned
    cdef public bint freed
    cdef public object hooks
    cdef public tuple watched
    cdef public Version version
    cdef public list checksums

    cdef _record(self, tuple inputs, Variable result)
    cdef _watch(self, tuple inputs, object value, object kept)
    @cython.locals(t=Variable)
    cdef _check_damage(self)
    cdef bint receive(self, grad) except -1
    cdef tuple pull(self)
    cdef checked(self, grad, data)
    @cython.locals(others=Py_ssize_t)
    cdef bint owns(self, g, grad, tuple grads) except -1


cdef class Waiting:
    cdef public Function last
    cdef public list heap

    cdef push(self, Function fn)
    cdef Function pop(self)


cdef object FLOAT32, FLOAT64
cdef tuple YES, NO
cpdef object as_array(object data)
cdef object owner(ndarray array)
cdef bint _is_real(ndarray array) except -1
@cython.locals(recording=bint, result=Variable)
cdef _run(Function fn, tuple args, dict options)
cdef _run_any(Function fn, tuple args, dict options, bint recording)
cdef bint _wants(object a) except -1
cdef bint _holds(Variable t, object value, object memory) except -1
cdef object _bare(object a)
cdef dict _kept(object fn)
cdef _share_version(Variable result, tuple inputs)
@cython.locals(producer=Function, t=Variable, i=Py_ssize_t)
cdef _pass_on(Function fn, Waiting waiting)
cdef _accumulate(Variable leaf, object grad, bint free)

cdef Making _making
@cython.locals(fn=Function, waiting=Waiting)
cpdef walk_back(Variable root, object grad, bint retain_graph=*)
