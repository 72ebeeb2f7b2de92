"""Hot loops on plain arrays: one family a stem, told in NumPy, Numba and Cython."""
