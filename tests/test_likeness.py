import hashlib
from functools import cache

import numpy as np
import pytest

from minidl.grading.assignment import Assignment
from minidl.grading.check import Call
from minidl.grading.grade import grade_source
from minidl.grading.likeness import describe
from minidl.grading.protocol import Rng
from minidl.grading.recognise import Recogniser
from minidl.grading.student import LocalSandbox

SECRET = hashlib.sha256(b"likeness").digest()


@cache
def recogniser():
    return Recogniser(Assignment.load("dropout_family"))


def named(task, body, key=None):
    """Return the mistakes named in a submission whose one function has this body."""
    assignment = recogniser().assignment
    head = assignment.reference.functions[task].splitlines()[0]
    source = assignment.reference.solution("Own.", {task: f"{head}\n    {body}"})
    result = grade_source(
        source, assignment, key, LocalSandbox(), recogniser(), [assignment.task(task)]
    )
    return {check.mistake for check in result.tasks[0].checks if check.status != "passed"}


@pytest.mark.parametrize("key", [None, SECRET], ids=["public", "secret"])
@pytest.mark.parametrize(
    ("task", "body", "mistake"),
    [
        (
            "draw_mask",
            "return rng.binomial(1, p, size=shape).astype(bool)",
            "mask_drops_with_probability_one_minus_p",
        ),
        (
            "draw_mask",
            "return np.random.default_rng().random(shape) > p",
            "mask_from_the_global_generator",
        ),
        (
            "gaussian",
            "return (x * rng.normal(1, p / (1 - p), x.shape[::-1]).T).astype(x.dtype)",
            "gaussian_std_is_the_variance",
        ),
        (
            "variational",
            "return (x * rng.binomial(1, 1 - p, size=x.shape) / (1 - p)).astype(x.dtype)",
            "variational_a_mask_for_each_step",
        ),
    ],
)
def test_a_mistake_is_named_whatever_the_order_of_its_draws(task, body, mistake, key):
    assert named(task, body, key) == {mistake}


def test_what_is_like_no_mistake_is_not_named():
    assert named("draw_mask", "return rng.beta(2, 5, size=shape) >= p") == {None}
    assert named("gaussian", "return (x * rng.exponential(1, x.shape)).astype(x.dtype)") == {None}


def test_a_description_has_no_answer_for_nan_and_tells_rows_apart():
    rng = np.random.default_rng(0)
    mask = rng.random((40, 30)) < 0.5
    rows = np.broadcast_to(mask[:1], mask.shape)
    own, shared = (
        describe([Call("draw_mask", (mask.shape, 0.5, Rng(1)), {}, returned)])
        for returned in (mask, rows)
    )
    assert own.shape == shared.shape
    assert np.abs(own - shared).max() > 0.5
    assert describe([Call("gaussian", (), {}, np.array([np.nan, 1.0]))]) is None
