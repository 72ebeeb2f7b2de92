# The C types of tape_operators.py, for the compiled copy of it only.
cimport cython
from minidl._compiled_tape cimport Function, Variable


cdef dict NOTHING
cpdef object operand(object x)


cdef class Operator(Function):
    pass


cdef class Binary(Operator):
    cpdef forward(self, a, b)


@cython.final
cdef class Add(Binary):
    pass


@cython.final
cdef class Sub(Binary):
    pass


@cython.final
cdef class Mul(Binary):
    pass


@cython.final
cdef class Div(Binary):
    pass


@cython.final
cdef class Neg(Operator):
    cpdef forward(self, x)


cdef class Operand(Variable):
    pass
