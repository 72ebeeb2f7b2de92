"""Hostile submissions: none passes, none outlives its check, and the next student is unharmed."""

import os
import re
import time
from pathlib import Path

import numpy as np
import pytest
from sandboxes import PATIENCE, SHORT, descendants, outcome

from minidl.grading.sandbox import Sandbox
from minidl.grading.student import StudentFailure

ATTACKS = sorted(Path(__file__).parent.joinpath("attacks").glob("*.py"))


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(SHORT) as opened:
        yield opened


def ends_as(path):
    """Return the kinds of end that the docstring of an attack names."""
    kinds = re.search(r"^Ends as: (.*)\.$", path.read_text(), re.MULTILINE)
    return set(re.findall(r"\w+", kinds[1])) - {"or"}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda path: path.stem)
def test_attack(sandbox, attack):
    before = descendants(os.getpid())
    marker = Path("/tmp/minidl-attacked")
    x = np.random.default_rng(5).standard_normal(6)
    start = time.monotonic()
    try:
        with sandbox.student(attack.read_bytes(), attack.name, ["answer"]) as student:
            end, _ = outcome(student, x)
    except StudentFailure as error:
        end = error.kind
    assert end in ends_as(attack)
    assert time.monotonic() - start < PATIENCE
    assert not marker.exists()
    assert list(sandbox._root.iterdir()) == []
    with sandbox.student(b"def answer(x): return 2 * x", functions=["answer"]) as student:
        assert outcome(student, x)[0] == "right"
    assert len(descendants(os.getpid()) - before) <= 1  # the zygote, where it was started anew


def test_a_forged_answer_to_a_later_question_is_not_believed(sandbox):
    attack = Path(__file__).parent / "attacks" / "forged_ticket.py"
    with sandbox.student(attack.read_bytes(), attack.name, ["answer"]) as student:
        assert outcome(student, np.ones(2))[0] == "wrong"
        assert outcome(student, np.ones(2))[0] == "protocol"


def test_every_attack_says_where_it_belongs():
    assert len(ATTACKS) >= 12
    for path in ATTACKS:
        assert re.search(r"^Catalogue: rows? \d", path.read_text(), re.MULTILINE), path
        assert ends_as(path) <= {"wrong", "raised", "timeout", "crashed", "memory", "protocol"}
