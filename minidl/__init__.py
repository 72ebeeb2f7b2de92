"""minidl: a deep-learning course in which the student's own code becomes the framework."""

from minidl.tensor import Tensor, ones, zeros
from minidl.autograd import detect_damage, enable_grad, is_grad_enabled, no_grad
from minidl.errors import MinidlError
from minidl.gradcheck import gradcheck
from minidl.random import manual_seed
from minidl.threads import get_num_threads, set_num_threads

__all__ = [
    "MinidlError",
    "Tensor",
    "detect_damage",
    "enable_grad",
    "get_num_threads",
    "gradcheck",
    "is_grad_enabled",
    "manual_seed",
    "no_grad",
    "ones",
    "set_num_threads",
    "zeros",
]
