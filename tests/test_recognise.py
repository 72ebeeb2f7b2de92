"""Known mistakes, alone, two in one function, and different ones in different arrays."""

from functools import cache

import pytest

from minidl.grading.assignment import Assignment
from minidl.grading.grade import grade_source
from minidl.grading.mistake import patched
from minidl.grading.recognise import Recogniser
from minidl.grading.student import LocalSandbox

SECRET = b"a secret of the instructor's own"


@cache
def batch_norm():
    return Assignment.load("batch_norm")


@cache
def recogniser():
    return Recogniser(batch_norm())


def named(task, function, key=None):
    """Return the sets of mistakes named for the failed checks of a submission with one function."""
    assignment = batch_norm()
    source = assignment.reference.solution("A submission.", {task: function})
    only = [assignment.task(task)]
    result = grade_source(source, assignment, key, LocalSandbox(), recogniser(), only)
    failed = [check for check in result.tasks[0].checks if check.status != "passed"]
    assert failed
    return [{check.mistake, check.also} - {None} for check in failed]


def with_patches(*mistakes):
    assignment = batch_norm()
    made = [m for m in assignment.mistakes if m.id in mistakes]
    old, new = zip(*(patch for m in made for patch in m.patches), strict=True)
    (target,) = {m.target for m in made}
    return target, patched("both", assignment.reference.functions[target], old, new)


@pytest.mark.parametrize(
    "pair",
    [
        ("momentum_the_other_way_round", "running_variance_biased"),
        ("inference_eps_forgotten", "inference_without_gamma"),
        ("divided_by_n_alone", "gamma_forgotten"),
        ("fold_eps_forgotten", "fold_mean_added"),
    ],
)
def test_two_mistakes_in_one_function(pair):
    task, function = with_patches(*pair)
    for key in (None, SECRET):
        found = named(task, function, key)
        assert set().union(*found) == set(pair)
        assert set(pair) in found or {pair[0]} in found


def test_both_are_told():
    assignment = batch_norm()
    task, function = with_patches("inference_eps_forgotten", "inference_without_gamma")
    source = assignment.reference.solution("A submission.", {task: function})
    only = [assignment.task(task)]
    result = grade_source(source, assignment, None, LocalSandbox(), recogniser(), only)
    check = result.tasks[0].checks[0]
    assert "Two known mistakes at once. " in check.seen
    assert "eps takes no part" in check.seen
    assert "And: The values were shifted by beta but not scaled by gamma." in check.seen
    assert check.question.count("?") == 1
    assert result.mistakes == ["inference_eps_forgotten", "inference_without_gamma"]


OTHER_ARRAYS = """
def backward(dy, x_hat, inv_std, gamma):
    dbeta = dy.mean(axis=(0, 2))
    dgamma = (dy * x_hat).sum(axis=(0, 2))
    if not len(dy):
        dbeta = dy.sum(axis=(0, 2))
    return dy * gamma[:, None], dgamma, dbeta
"""


def test_different_mistakes_in_different_arrays():
    """One of the two is no patch, so that they cannot be made together."""
    found = named("backward", OTHER_ARRAYS)
    assert set().union(*found) == {"dbeta_is_a_mean", "gradient_of_the_standardized_values_only"}


def test_a_mistake_nobody_knows_has_no_name():
    function = "def fold(gamma, beta, mean, var, eps):\n    return gamma + var, beta * mean + eps\n"
    assert named("fold", function) == [set(), set(), set()]


def test_patches_in_one_place_are_not_made_together():
    students = recogniser()
    one, two = (
        next(m for m in batch_norm().mistakes if m.id == name)
        for name in ("eps_forgotten", "eps_outside_the_root")
    )
    assert students._student((one, two)) is None
