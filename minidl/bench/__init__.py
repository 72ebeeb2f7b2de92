"""The benchmark behind `minidl bench`: minidl beside PyTorch, plain NumPy and DeZero, in one run.

`rows` says what is measured, `libraries` how each library is spoken to, `worker` and `sides` run
every library in a process of its own and let them take turns, `run` puts it together.
"""
