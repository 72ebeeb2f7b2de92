import ast
import inspect
import py_compile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import tiny_assignment
from minidl.kernels import batch_norm_numpy

from minidl.grading.assignment import Assignment, course
from minidl.grading.leak import leaks, statements
from minidl.grading.starter import Reference
from minidl.grading.student import LocalStudent, StudentFailure


@cache
def batch_norm():
    return Assignment.load("batch_norm")


def functions(text):
    return {node.name: node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}


def test_signatures_and_docstrings_stay():
    starter = functions(batch_norm().starter())
    assert list(starter) == [task.function for task in batch_norm().tasks]
    for name, node in starter.items():
        original = getattr(batch_norm_numpy, name)
        assert ast.get_docstring(node) == inspect.getdoc(original)
        assert [a.arg for a in node.args.args] == list(inspect.signature(original).parameters)


def test_bodies_and_comments_go():
    text = batch_norm().starter()
    assert "#" not in text
    for name, node in functions(text).items():
        (_, only) = node.body
        assert ast.unparse(only) == (
            f"raise NotImplementedError('batch_norm.{name}: write this function')"
        )


def test_every_function_of_the_starter_says_that_it_is_not_written():
    student = LocalStudent.from_source(batch_norm().starter())
    with pytest.raises(
        StudentFailure, match=r"NotImplementedError: batch_norm\.fold: write"
    ) as info:
        student.fold(1, 2, 3, 4, 5)
    assert info.value.kind == "raised"
    assert info.value.line > 100


def test_the_solution_is_the_library_function():
    student = LocalStudent.from_source(batch_norm().solution())
    x = np.random.default_rng(1).normal(size=(4, 3, 5))
    gamma, beta = np.array([1.0, -2.0, 0.5]), np.array([0.0, 1.0, 2.0])
    for got, want in zip(
        student.forward(x, gamma, beta, 1e-5),
        batch_norm_numpy.forward(x, gamma, beta, 1e-5),
        strict=True,
    ):
        np.testing.assert_array_equal(got, want)


def test_no_starter_of_the_course_has_lines_beyond_100_columns():
    for name in course():
        assert max(map(len, Assignment.load(name).starter().splitlines())) <= 100, name


def test_the_starter_hash_follows_the_text(tmp_path):
    one = Assignment.load(tiny_assignment.write(tmp_path / "one"))
    changed = ("solution.py", "Take the mean away.", "Subtract the mean.")
    two = Assignment.load(tiny_assignment.write(tmp_path / "two", *changed))
    three = Assignment.load(tiny_assignment.write(tmp_path / "three"))
    assert one.starter_hash == three.starter_hash != two.starter_hash


def test_helpers_come_with_the_solution_alone(tmp_path):
    assignment = Assignment.load(tiny_assignment.write(tmp_path / "tiny"))
    solution, starter = assignment.solution(), assignment.starter()
    for helper in ("HALF = 0.5", "def half_sum"):
        assert helper in solution
        assert helper not in starter
    assert "unused" not in solution
    assert "comment" not in starter
    assert starter.startswith('"""Tiny.\n')
    assert "import numpy as np" in starter
    student = LocalStudent.from_source(solution)
    assert student.moments(np.array([1.0, 3.0]))[0].tolist() == [2.0]


def test_functions_of_one_name_are_told_apart_and_bring_only_the_imports_they_use(tmp_path):
    targets = [
        "minidl.kernels.dropout_numpy:forward as dropout",
        "minidl.kernels.drop_block_numpy:forward",
        "minidl.kernels.drop_block_numpy:expand",
    ]
    reference = Reference.read(targets, tmp_path)
    assert reference.names == ("dropout", "forward", "expand")
    assert reference.imports == ("import numpy as np",)
    assert reference.parameters("dropout") == ["x", "keep", "p"]
    student = LocalStudent.from_source(reference.solution("Both."))
    x, keep = np.ones((1, 1, 2, 2)), np.array([[[[True, False], [True, True]]]])
    assert student.dropout(x, keep, 0.5)[0, 0, 0, 0] == 2.0
    assert student.forward(x, keep)[0][0, 0, 0, 0] == 4 / 3
    starter = functions(reference.starter("Both.", dict.fromkeys(reference.names, "write it")))
    assert list(starter) == ["dropout", "forward", "expand"]


def test_nothing_leaks_from_the_starter():
    assignment = batch_norm()
    assert leaks(assignment.reference.functions, {"starter": assignment.starter()}) == []
    assert all(len(statements(text)) >= 2 for text in assignment.reference.functions.values())


SPAN = """    x_hat = centred * inv_std[:, None]
    y = gamma[:, None] * x_hat + beta[:, None]"""


@pytest.mark.parametrize(
    "released",
    [
        f"def f(a):\n{SPAN}\n",
        "# x_hat = centred*inv_std[:,None]\n#\n#  y = gamma[:, None]*x_hat + beta[:,None]\n",
        ">>> x_hat = centred * inv_std[:, None]\n>>> y = gamma[:, None] * x_hat + beta[:, None]\n",
        "def f(a):\n    x_hat = (centred) * inv_std[:, None]\n"
        "    y = (gamma[:, None] * x_hat) + beta[:, None]\n",
        '{"cells": [{"source": ["x_hat = centred * inv_std[:, None]\\n", '
        '"y = gamma[:, None] * x_hat + beta[:, None]"]}]}',
        "<p>x_hat = centred * inv_std[:, <b>None</b>]<br>y = gamma[:, None] * x_hat + "
        "beta[:,&#32;None]</p>",
    ],
)
def test_a_span_of_two_statements_is_found(released):
    found = leaks(batch_norm().reference.functions, {"notebook": released})
    assert len(found) == 1
    assert found[0].startswith("notebook: holds statements of forward")


def test_one_statement_alone_is_no_leak():
    text = "y = gamma[:, None] * x_hat + beta[:, None]"
    assert leaks(batch_norm().reference.functions, {"lesson": text}) == []


def test_bytecode_is_searched_too(tmp_path):
    def compiled(text):
        path = tmp_path / "released.py"
        path.write_text(text)
        return Path(py_compile.compile(str(path), str(tmp_path / "released.pyc"))).read_bytes()

    solution = batch_norm().reference.functions
    assert leaks(solution, {"pyc": compiled(batch_norm().starter())}) == []
    whole = leaks(solution, {"pyc": compiled(batch_norm().solution())})
    assert len(whole) == len(solution)
