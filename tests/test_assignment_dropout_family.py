"""The dropout family: the library's layers agree with its solutions, and its alarms are rare."""

import hashlib
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from minidl.kernels import drop_connect_numpy

from minidl import Tensor, nn
from minidl import functional as F
from minidl.grading import bank, statistics
from minidl.grading.assignment import Assignment
from minidl.grading.certify import certify
from minidl.grading.grade import grade_source
from minidl.grading.student import LocalSandbox

SECRET = hashlib.sha256(b"an instructor's").digest()


@cache
def family():
    return Assignment.load("dropout_family")


@cache
def solution():
    return bank.load_module(family().folder / "solution.py")


def test_a_graded_submission_raises_a_false_alarm_less_than_once_in_a_million(monkeypatch):
    alarms = []
    for name in ("mean_within", "variance_within", "rate_within", "uncorrelated", "distributed"):
        right = getattr(statistics, name)

        def counting(*args, right=right, alarms_of=right.__kwdefaults__["alarms"], **options):
            alarms.append(options.get("alarms", alarms_of))
            right(*args, **options)

        monkeypatch.setattr(statistics, name, counting)
    assignment = Assignment.load("dropout_family")
    result = grade_source(assignment.solution(), assignment, SECRET, LocalSandbox())
    assert result.score == result.points
    assert len(alarms) > 40
    assert sum(alarms) < 1e-6


def test_bank_and_hints():
    assignment = family()
    assert len(assignment.tasks) >= 9
    assert len(assignment.mistakes) >= 35
    assert all(len(task.hints) >= 3 for task in assignment.tasks)


def test_drop_connect_is_the_kernels():
    rng = np.random.default_rng(0)
    x, weight, dy = rng.normal(size=(4, 5)), rng.normal(size=(3, 5)), rng.normal(size=(4, 3))
    keep = drop_connect_numpy.mask(4, 3, 5, seed=7, p=0.4)
    y = solution().drop_connect(x, weight, keep)
    np.testing.assert_allclose(y, drop_connect_numpy.forward(x, weight, 7, 0.4), rtol=1e-12)
    dx, dweight = solution().drop_connect_backward(dy, x, weight, keep)
    want = drop_connect_numpy.backward_input(dy, weight, 7, 0.4)
    np.testing.assert_allclose(dx, want, rtol=1e-12)
    want = drop_connect_numpy.backward_weight(dy, x, 7, 0.4)
    np.testing.assert_allclose(dweight, want, rtol=1e-12)
    mean, variance = F.drop_connect_moments(Tensor(x), Tensor(weight), p=0.4)
    got = solution().drop_connect_moments(x, weight, 0.4)
    np.testing.assert_allclose(got, (mean.data, variance.data), rtol=1e-12)


def test_standout_and_gaussian_dropout_draw_as_the_layers_do():
    rng = np.random.default_rng(1)
    x, weight = rng.normal(size=(6, 4)), rng.normal(size=(3, 4))
    layer = nn.Standout(
        nn.Linear(4, 3, bias=False), 0.7, -0.4, shift="logit", rng=np.random.default_rng(5)
    ).double()
    layer.layer.weight.data = weight
    uniform = np.random.default_rng(5).random((6, 3))
    for training in (True, False):
        layer.train(training)
        y, _ = solution().standout(x, weight, 0.7, -0.4, uniform, training)
        np.testing.assert_allclose(y, layer(Tensor(x)).data, rtol=1e-12)
    y = solution().gaussian(x, 0.3, np.random.default_rng(6))
    want = F.gaussian_dropout(Tensor(x), 0.3, rng=np.random.default_rng(6)).data
    np.testing.assert_allclose(y, want, rtol=1e-12)


def test_the_schedule_is_the_layers():
    layer = nn.DropBlock2d(0.8, 3)
    schedule = nn.DropBlockSchedule(layer, 5)
    for step in range(8):
        assert layer.keep_prob == pytest.approx(solution().drop_block_schedule(step, 5, 0.8))
        schedule.step()


@pytest.mark.parametrize("alternative", family().alternatives, ids=lambda entry: entry.id)
def test_an_alternative_keeps_every_point(alternative):
    assignment = family()
    task = assignment.task(alternative.target)
    source = assignment.with_alternative(alternative.id)
    result = grade_source(source, assignment, SECRET, LocalSandbox(), tasks=[task])
    assert result.score == task.points


def test_a_part_of_the_family_is_certified():
    """`minidl certify` certifies the whole; here two tasks that draw, and one that does not."""
    names = ("draw_mask", "spatial", "drop_block")
    assignment = family()
    kept = {
        field: tuple(e for e in getattr(assignment, field) if getattr(e, key) in names)
        for field, key in (
            ("checks", "task"),
            ("scenarios", "task"),
            ("mistakes", "target"),
            ("alternatives", "target"),
            ("equivalents", "task"),
            ("collected", "target"),
        )
    }
    tasks = tuple(task for task in assignment.tasks if task.name in names)
    reference = replace(assignment.reference, names=names)
    called = {*names, *(scenario.name for scenario in kept["scenarios"])}
    kept["examples"] = {name: e for name, e in assignment.examples.items() if name in called}
    part = replace(assignment, tasks=tasks, reference=reference, **kept)
    certificate = certify(part, secrets=0, sandbox=LocalSandbox())
    assert certificate.problems == []
    assert certificate.kill_rate == certificate.recognition_rate == 1
