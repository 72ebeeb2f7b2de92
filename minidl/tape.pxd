# The C types of tape.py, for the compiled copy of it only.
cimport cython
from cpython.object cimport PyObject


cdef extern from "numpy/arrayobject.h":
    # NumPy's own declaration has no object as base.
    ctypedef class numpy.ndarray [object PyArrayObject, check_size ignore]:
        @property
        cdef inline object base(self):
            cdef PyObject* base = PyArray_BASE(self)
            return None if base is NULL else <object> base

        @property
        cdef inline object dtype(self):
            return <object> PyArray_DESCR(self)

        @property
        cdef inline int ndim(self):
            return PyArray_NDIM(self)

        @property
        cdef inline Py_ssize_t* shape(self):
            return PyArray_DIMS(self)

    PyObject* PyArray_BASE(ndarray array)
    PyObject* PyArray_DESCR(ndarray array)
    int PyArray_NDIM(ndarray array)
    Py_ssize_t* PyArray_DIMS(ndarray array)


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


cdef class Function:
    cdef object __weakref__
    cdef public tuple inputs
    cdef public tuple needs
    cdef public Py_ssize_t order
    cdef public object pending
    cdef public bint freed
    cdef public bint last_walk
    cdef public bint spare
    cdef public object hooks
    cdef public tuple watched
    cdef public Version version
    cdef public list checksums

    cpdef backward(self, grad)
    @cython.locals(recording=bint, kind=type, value=ndarray, result=Variable)
    cdef Variable _run(self, tuple args, dict options=*)
    cdef _compute(self, dict options)
    cpdef argument(self, Py_ssize_t i)
    cdef dict _memory(self)
    cdef tuple _kept(self)
    @cython.locals(kept=tuple)
    cdef _record(self, Variable result)
    cdef _watch(self, tuple kept, Variable result)
    cdef _watch_inputs(self, object value, object memory)
    cdef free(self)
    cdef _check_damage(self)
    cdef bint receive(self, grad) except -1
    cdef take(self)
    cdef tuple pull(self, grad)
    cdef checked(self, grad, data)
    @cython.locals(others=Py_ssize_t)
    cdef bint owns(self, g, grad, tuple grads) except -1


cdef class Waiting:
    cdef public Function last
    cdef public list heap

    cdef push(self, Function fn)
    cdef Function pop(self)


cdef object FLOAT32, FLOAT64
cdef Py_ssize_t LARGE, ALONE
cdef tuple YES, NO, NEEDS
cpdef ndarray as_array(object data)
cdef object owner(ndarray array)
cdef bint _is_real(ndarray array) except -1
cdef Py_ssize_t _last_write(Variable t) except -1
@cython.locals(same=bint, i=int)
cdef bint _alike(ndarray a, ndarray b) except -1
@cython.locals(grad=ndarray)
cdef Py_ssize_t _holders(Function fn) except -1
@cython.locals(size=Py_ssize_t, i=int)
cdef Py_ssize_t _size(ndarray array) except -1
cdef bint _wants(object a) except -1
cdef bint _holds(Variable t, object value, object memory) except -1
cdef object _bare(object a)
cdef _share_version(Variable result, tuple inputs)
@cython.locals(producer=Function, t=Variable, i=Py_ssize_t)
cdef _pass_on(Function fn, Waiting waiting)
cdef _accumulate(Variable leaf, object grad, bint free)

cdef Making _making
@cython.locals(fn=Function, waiting=Waiting)
cpdef walk_back(Variable root, object grad, bint retain_graph=*)
