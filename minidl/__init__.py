"""minidl: a deep-learning course in which the student's own code becomes the framework."""

from minidl.tensor import Tensor, ones, zeros
from minidl import backend, functional, nn, optim
from minidl.autograd import detect_damage, enable_grad, is_grad_enabled, no_grad
from minidl.errors import MinidlError
from minidl.gradcheck import gradcheck
from minidl.random import manual_seed
from minidl.serialization import load, save
from minidl.threads import get_num_threads, set_num_threads

__all__ = [
    "MinidlError",
    "Tensor",
    "backend",
    "detect_damage",
    "enable_grad",
    "functional",
    "get_num_threads",
    "gradcheck",
    "is_grad_enabled",
    "load",
    "manual_seed",
    "nn",
    "no_grad",
    "ones",
    "optim",
    "save",
    "set_num_threads",
    "zeros",
]
