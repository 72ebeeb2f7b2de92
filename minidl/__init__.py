"""minidl: a deep-learning course in which the student's own code becomes the framework."""

from minidl.tensor import Tensor, ones, zeros
from minidl import backend, functional, memory, nn, optim
from minidl.autograd import detect_damage, enable_grad, is_grad_enabled, no_grad
from minidl.backend import set_precise
from minidl.errors import MinidlError
from minidl.gradcheck import gradcheck
from minidl.memory import empty_cache, memory_stats, set_memory_bound
from minidl.random import manual_seed
from minidl.serialization import load, save
from minidl.threads import get_num_threads, set_num_threads


def load_ipython_extension(ipython: object) -> None:
    """Add %%check, %check and %hint to a session of IPython: `%load_ext minidl`."""
    from minidl.course.magics import Checking

    Checking(ipython)


__all__ = [
    "MinidlError",
    "Tensor",
    "backend",
    "detect_damage",
    "empty_cache",
    "enable_grad",
    "functional",
    "get_num_threads",
    "gradcheck",
    "is_grad_enabled",
    "load",
    "manual_seed",
    "memory",
    "memory_stats",
    "nn",
    "no_grad",
    "ones",
    "optim",
    "save",
    "set_memory_bound",
    "set_num_threads",
    "set_precise",
    "zeros",
]

# The one thing an import changes: where the memory of arrays comes from (see minidl.memory).
memory.install()
