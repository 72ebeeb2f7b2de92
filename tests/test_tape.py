"""Both tapes: the source as Python reads it and as it is compiled, and the choice between them."""

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minidl.tensor import Tensor
from minidl import autograd, nn
from minidl.autograd import Function

ROOT = Path(__file__).resolve().parents[1]
OTHER = "python" if autograd.telling == "compiled" else "compiled"
BUILT = bool(autograd._compiled()[0])
TAPES = ("python", "compiled") if BUILT else ("python",)


class Twice(Function):
    def forward(self, x):
        self.x = x
        return x * 2

    def backward(self, grad):
        return grad * 2


def run(*command, **environment):
    return subprocess.run(
        [sys.executable, *command],
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("telling", TAPES)
def test_either_can_be_asked_for(telling):
    asked = (
        "from minidl import autograd as a; "
        "print(a.telling, a.Function.__module__, a.operators.Mul.__module__, a.reason)"
    )
    words = run("-c", asked, MINIDL_TAPE=telling).stdout.split(maxsplit=3)
    module = "minidl.tape" if telling == "python" else "minidl._compiled_tape"
    assert words == [telling, module, f"{module}_operators", "asked for by MINIDL_TAPE\n"]


@pytest.mark.parametrize("telling", TAPES)
def test_only_one_is_ever_loaded(telling):
    program = (
        "import sys, minidl.nn; "
        "starts = ('minidl.tape', 'minidl._compiled'); "
        "print(*sorted(name for name in sys.modules if name.startswith(starts)))"
    )
    loaded = run("-c", program, MINIDL_TAPE=telling).stdout.split()
    module = "minidl.tape" if telling == "python" else "minidl._compiled_tape"
    assert loaded == [module, f"{module}_operators"]


def test_the_suite_of_the_tape_passes_on_the_other_one():
    if OTHER not in TAPES:
        assert autograd.telling == "python"
        return
    files = ["tests/test_autograd.py", "tests/test_tensor.py", "tests/test_tape.py"]
    options = ["-q", "-p", "no:cacheprovider", "--deselect", f"{files[2]}::{_this()}"]
    done = run("-m", "pytest", *options, *files, MINIDL_TAPE=OTHER)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


def _this():
    return test_the_suite_of_the_tape_passes_on_the_other_one.__name__


def test_a_word_that_means_nothing_is_refused():
    done = run("-c", "import minidl", MINIDL_TAPE="fast")
    assert "MINIDL_TAPE: expected python or compiled, got 'fast'" in done.stderr


def test_a_stale_build_is_told_and_not_used(monkeypatch):
    stale = type(sys)("minidl._compiled_tape")
    stale.SOURCE = "0" * 64
    monkeypatch.setattr(autograd.importlib.util, "find_spec", lambda name: stale)
    monkeypatch.setattr(
        autograd.importlib, "import_module", lambda name: stale if "compiled" in name else name
    )
    monkeypatch.delenv("MINIDL_TAPE", raising=False)
    with pytest.warns(RuntimeWarning, match="built from another source; using Python's"):
        chosen, telling, why = autograd._choose()
    assert (chosen, telling) == (["minidl.tape", "minidl.tape_operators"], "python")
    assert "another source" in why
    monkeypatch.setenv("MINIDL_TAPE", "compiled")
    with pytest.raises(autograd.MinidlError, match="built from another source; build it again"):
        autograd._choose()


class TestCopies:
    """Tensors, parameters and whole tapes are copied and pickled with all they know."""

    def test_of_a_parameter(self):
        p = nn.Parameter(np.arange(3.0))
        p.grad = np.ones(3)
        for q in (copy.copy(p), copy.deepcopy(p), pickle.loads(pickle.dumps(p))):
            assert type(q) is nn.Parameter
            assert q.requires_grad
            np.testing.assert_array_equal(q.data, p.data)
            np.testing.assert_array_equal(q.grad, p.grad)
        assert not np.shares_memory(copy.deepcopy(p).data, p.data)

    def test_of_a_result_with_its_tape(self):
        x = Tensor(np.array([1.0, -2.0]), requires_grad=True)
        twin_x, twin = pickle.loads(pickle.dumps((x, Twice.apply(x))))
        twin.backward(np.array([3.0, 5.0]))
        np.testing.assert_array_equal(twin_x.grad, [6.0, 10.0])
        assert x.grad is None

    @pytest.mark.parametrize("writer", TAPES)
    def test_of_operators_from_either_tape(self, tmp_path, writer):
        program = (
            "import pickle, sys; import numpy as np; from minidl.tensor import Tensor\n"
            "x = Tensor(np.array([2.0, 3.0]), requires_grad=True)\n"
            "y = -(x * x / (x + 1.0) - x)\n"
            "pickle.dump((x, y), open(sys.argv[1], 'wb'))"
        )
        path = tmp_path / "tape.pickle"
        done = run("-W", "ignore", "-c", program, str(path), MINIDL_TAPE=writer)
        assert done.returncode == 0, done.stderr
        x, y = pickle.loads(path.read_bytes())
        assert type(y.grad_fn) is autograd.operators.Neg
        y.backward(np.array([5.0, 7.0]))
        slope = 1 - (x.data**2 + 2 * x.data) / (x.data + 1) ** 2
        np.testing.assert_allclose(x.grad, np.array([5.0, 7.0]) * slope)

    def test_views_still_notice_each_others_writes(self):
        x = Tensor(np.array([1.0, 2.0]), requires_grad=True)
        x, flat = copy.deepcopy((x, x.detach()))
        y = x * x
        flat[0] = 5.0
        with pytest.raises(autograd.MinidlError, match="changed in place"):
            y.sum().backward()


def test_many_branches_go_back_in_order():
    x = Tensor(np.array([0.5, -1.5]), requires_grad=True)
    branches = [x * float(i) for i in range(1, 40)]
    total = branches[0]
    for branch in branches[:0:-1]:
        total = total + branch * branch
    total.sum().backward()
    np.testing.assert_allclose(x.grad, 1 + 2 * x.data * sum(i * i for i in range(2, 40)))


def test_an_operation_used_twice_and_kept_results_are_never_written_to():
    class Keeps(Function):
        def forward(self, x):
            self.mine = np.full(x.shape, 3.0)
            return x * 3.0

        def backward(self, grad):
            return self.mine

    x = Tensor(np.zeros(2), requires_grad=True)
    y = Keeps.apply(x)
    y.backward(np.ones(2), retain_graph=True)
    x.grad += 100.0
    y.backward(np.ones(2))
    np.testing.assert_array_equal(x.grad, [106.0, 106.0])


def test_an_operand_returned_as_a_gradient_is_not_kept_as_one():
    class First(autograd.operators.Binary):
        def forward(self, a, b):
            return a + b

        def backward(self, grad):
            return self.argument(0), None

    x = Tensor(np.array([2.0, 3.0]), requires_grad=True)
    First.apply(x, np.ones(2)).backward(np.ones(2))
    np.testing.assert_array_equal(x.grad, [2.0, 3.0])
    assert not np.shares_memory(x.grad, x.data)
