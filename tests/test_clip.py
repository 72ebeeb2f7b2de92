"""Gradients clipped by norm and by value."""

import math

import numpy as np
import pytest

from minidl import nn
from minidl.errors import ArgumentError, DTypeError
from minidl.optim import clip_grad_norm_, clip_grad_value_

NAN, INF = float("nan"), float("inf")


def with_gradients(*grads, dtype=np.float64):
    members = [nn.Parameter(np.ones(np.shape(g), dtype)) for g in grads]
    for p, g in zip(members, grads, strict=True):
        p.grad = np.asarray(g, dtype)
    return [*members, nn.Parameter(np.ones(2))]


def drawn(dtype=np.float64):
    rng = np.random.default_rng(0)
    return with_gradients(*(rng.normal(size=s) for s in [(3, 4), (5,), ()]), dtype=dtype)


@pytest.mark.parametrize("kind", [2.0, 1.0, 3.5, INF])
@pytest.mark.parametrize("eps", [1e-6, 0.0])
def test_by_norm(kind, eps):
    members = drawn()
    before = [p.grad.copy() for p in members[:3]]
    vector = np.concatenate([g.ravel() for g in before])
    norm = clip_grad_norm_(iter(members), 1.5, kind, eps=eps)
    np.testing.assert_allclose(norm, np.linalg.norm(vector, kind), rtol=1e-12)
    assert type(norm) is float
    for p, g in zip(members, before, strict=False):
        np.testing.assert_allclose(p.grad, g * 1.5 / (norm + eps), rtol=1e-12)
    assert members[3].grad is None
    if not eps:
        np.testing.assert_allclose(clip_grad_norm_(members, 9.0, kind), 1.5, rtol=1e-12)


def test_a_norm_that_is_small_enough_changes_nothing():
    members = drawn(np.float32)
    grads = [p.grad for p in members]
    norm = clip_grad_norm_(members, 100)
    assert all(p.grad is g for p, g in zip(members, grads, strict=True))
    clip_grad_norm_(members, norm, eps=0)
    assert all(p.grad is g for p, g in zip(members, grads, strict=True))


def test_float32_stays_float32_and_its_squares_do_not_overflow():
    for size in (1e25, 1e-30):
        members = with_gradients(np.full((300, 400), size), dtype=np.float32)
        norm = clip_grad_norm_(members, size / 10, eps=0.0)
        np.testing.assert_allclose(norm, size * math.sqrt(120_000), rtol=1e-6)
        assert members[0].grad.dtype == np.float32
        np.testing.assert_allclose(clip_grad_norm_(members, INF), size / 10, rtol=1e-5)


def test_gradients_that_are_not_finite():
    members = with_gradients([1.0, INF])
    assert clip_grad_norm_(members, 1.0, INF) == INF
    np.testing.assert_array_equal(members[0].grad, [0, NAN])
    assert math.isnan(clip_grad_norm_(members, 1.0))
    assert np.isnan(members[0].grad).all()
    with pytest.raises(ArgumentError, match="clip_grad_norm_: expected a finite norm, got nan"):
        clip_grad_norm_(members, 1.0, error_if_nonfinite=True)


def test_no_gradients_have_no_norm():
    assert clip_grad_norm_([nn.Parameter(np.ones(2))], 1.0) == 0.0
    assert clip_grad_norm_(with_gradients(np.zeros((0, 3))), 0.0) == 0.0


def test_by_value():
    members = with_gradients([[-3.0, 0.5], [2.0, NAN]], 4.0)
    clip_grad_value_(members, 1.0)
    np.testing.assert_array_equal(members[0].grad, [[-1, 0.5], [1, NAN]])
    assert members[1].grad.shape == ()
    clip_grad_value_(members[0], (-0.25, 0.75))
    np.testing.assert_array_equal(members[0].grad, [[-0.25, 0.5], [0.75, NAN]])
    clip_grad_value_(members[1], 0.0)
    assert members[1].grad == 0


def test_gradients_of_others_are_not_written_to():
    shared = np.array([3.0, 4.0])
    members = [nn.Parameter(np.ones(2)) for _ in range(2)]
    for p in members:
        p.grad = shared
    clip_grad_norm_(members, 1.0)
    clip_grad_value_(members, 0.1)
    np.testing.assert_array_equal(shared, [3, 4])


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda p: clip_grad_norm_(p, -1.0), "max_norm of at least 0, got -1.0"),
        (lambda p: clip_grad_norm_(p, NAN), "max_norm of at least 0, got nan"),
        (lambda p: clip_grad_norm_(p, 1.0, 0), "norm_type above 0, got 0"),
        (lambda p: clip_grad_norm_(p, 1.0, eps=-1), "eps of at least 0"),
        (lambda p: clip_grad_value_(p, -1.0), "clip_value of at least 0"),
        (lambda p: clip_grad_value_(p, NAN), "clip_value of at least 0"),
        (lambda p: clip_grad_value_(p, (1.0, -1.0)), r"\(low, high\) in this order"),
        (lambda p: clip_grad_value_(p, "1"), r"a number, or two: \(low, high\), got 1"),
    ],
)
def test_bad_arguments(call, says):
    with pytest.raises(ArgumentError, match=f"expected .*{says}"):
        call(drawn())


@pytest.mark.parametrize("clip", [clip_grad_norm_, clip_grad_value_])
def test_things_that_are_no_parameters(clip):
    with pytest.raises(DTypeError, match="a Tensor or Tensors, got Linear"):
        clip(nn.Linear(2, 2), 1.0)
    with pytest.raises(DTypeError, match="expected Tensors, got ndarray"):
        clip([np.ones(2)], 1.0)
