"""minidl: a deep-learning course in which the student's own code becomes the framework."""

from minidl.tensor import Tensor, ones, zeros
