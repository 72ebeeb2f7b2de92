import importlib
import json
import os
from functools import cache

import numpy as np
import pytest
import tiny_assignment

from minidl.errors import ArgumentError
from minidl.grading import grade as exported
from minidl.grading.assignment import Assignment
from minidl.grading.case import PUBLIC, Case
from minidl.grading.grade import grade, grade_source
from minidl.grading.key import key_id
from minidl.grading.result import Result
from minidl.grading.sandbox import Limits, Sandbox
from minidl.grading.student import LocalSandbox
from minidl.grading.submission import Submission

SECRET = b"a secret of the instructor's own"


@cache
def batch_norm():
    return Assignment.load("batch_norm")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return Assignment.load(tiny_assignment.write(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(Limits(call_seconds=1.0, load_seconds=2.0)) as opened:
        yield opened


def write(tmp_path, content, name="tiny.py"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


CENTRE = "import numpy as np\ndef centre(x):\n    return x - x.mean()\n"
MOMENTS = "def moments(x):\n    return np.array([x.mean()]), np.array([(x * x).mean()])\n"
WHOLE = CENTRE + MOMENTS


# --- a file on its way


def test_a_right_file_through_the_sandbox(tmp_path, tiny):
    path = write(tmp_path, WHOLE)
    for key, named in ((None, "public"), (SECRET, key_id(SECRET))):
        result = grade(path, tiny, key)
        assert (result.score, result.percent, result.reason) == (5, 100.0, "")
        assert (result.assignment, result.version, result.submission) == ("tiny", 1, "tiny.py")
        assert len(result.sha256) == 64
        assert "process" in result.isolation
        assert result.key_id == named
        assert Result.from_json(result.to_json()) == result


def test_the_secret_is_named_and_never_shown(tmp_path, tiny):
    result = grade(write(tmp_path, WHOLE), tiny, SECRET, LocalSandbox())
    assert len(result.key_id) == 8
    assert SECRET.decode() not in result.to_json()
    with pytest.raises(ArgumentError, match="a secret of at least 16 bytes, got 5"):
        grade(write(tmp_path, WHOLE), tiny, b"short", LocalSandbox())


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + WHOLE.encode(),
        WHOLE.replace("\n", "\r\n").encode(),
        WHOLE.replace("\n", "\r").encode(),
        ("# été 🎈\n" + WHOLE).encode(),
    ],
    ids=["byte order mark", "CRLF", "CR", "UTF-8"],
)
def test_files_as_editors_write_them(tmp_path, tiny, content):
    assert grade(write(tmp_path, content), tiny, None, LocalSandbox()).percent == 100


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b" \n\n", "the file is empty"),
        (b"def centre(x:\n    return x\n", "syntax error in line 1"),
        (b"x = 1\n\ty = 2\n", "syntax error in line 2"),
        (b"x = 1\ny = '\xff\xfe'\n", "the file is not UTF-8 text (line 2)"),
        (b"\x00" * 10, "null bytes"),
        (b"x = " + b"(" * 5000 + b")" * 5000, "syntax error"),
        (b"x = " + b"-" * 300_000 + b"1", "not Python"),
        (b"import nowhere\n1 + nowhere.x\n" + WHOLE.encode(), "ModuleNotFoundError"),
        (b"raise SystemExit\n", "the file"),
    ],
    ids=range(10),
)
def test_a_file_that_is_there_but_broken_scores_nothing_and_says_why(
    tmp_path, tiny, sandbox, content, reason
):
    result = grade(write(tmp_path, content), tiny, None, sandbox)
    assert reason.lower() in result.reason.lower()
    assert result.score == 0
    assert all(c.status == "error" for task in result.tasks for c in task.checks)


def test_a_call_that_is_wrong_is_an_error(tmp_path, tiny):
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "link.py").symlink_to(write(tmp_path, WHOLE, "real.py"))
    os.mkfifo(tmp_path / "pipe.py")
    write(tmp_path, b"x" * 1_000_001, "large.py")
    write(tmp_path, WHOLE, "notes.txt")
    with (tmp_path / "huge.py").open("wb") as file:
        file.truncate(100_000_000)
    for name, message in [
        ("missing.py", "no such file"),
        ("folder.py", "is a directory"),
        ("link.py", "a link"),
        ("pipe.py", "not an ordinary file"),
        ("large.py", "at most 1 MB"),
        ("huge.py", "100 MB"),
        ("notes.txt", "a .py file or a notebook"),
        ("nul\0.py", "null"),
    ]:
        with pytest.raises(ArgumentError, match="submission: expected") as info:
            grade(tmp_path / name, tiny)
        assert message in str(info.value)
    with pytest.raises(ArgumentError, match="is a directory"):
        grade(tmp_path, tiny)


# --- notebooks


def test_a_folder_beside_a_file_is_not_its_assignment(tmp_path, monkeypatch):
    """By default a file answers one of the course's: what lies beside it may be a student's."""
    monkeypatch.chdir(tmp_path)
    tiny_assignment.write(tmp_path / "tiny")
    write(tmp_path, WHOLE)
    with pytest.raises(ArgumentError, match="expected a file named after an assignment"):
        grade("tiny.py")


def notebook(*cells):
    code = [{"cell_type": "code", "source": source, "outputs": []} for source in cells]
    text = {"cell_type": "markdown", "source": "def centre(x): return 'prose'"}
    return json.dumps({"nbformat": 4, "metadata": {}, "cells": [text, *code]})


def test_a_notebook_is_read_as_data(tmp_path, tiny):
    cells = [
        "%matplotlib inline\nimport numpy as np, os\nimport matplotlib.pyplot as plt\n!ls\n",
        ["import minidl\n", "HALF = 0.5\n", "picture = plt.plot([1])\n", "centre?\n"],
        "%%time\n@np.vectorize\ndef unused(x):\n    return x\n\n" + CENTRE,
        "%%bash\necho this is not Python at all (\n",
        MOMENTS + "\nif True:\n    %timeit moments(1)\nmoments(np.zeros(3)) / 0\n",
        "raise SystemExit\n",
        "inverse = np.linalg.inv(np.zeros((2, 2)))\n",
    ]
    result = grade(write(tmp_path, notebook(*cells), "tiny.ipynb"), tiny, None, LocalSandbox())
    assert (result.reason, result.percent) == ("", 100.0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "the file is not a notebook"),
        ("[1, 2]", "the file is not a notebook"),
        ('{"cells": 3}', "the file is not a notebook"),
        ('{"cells": [{"cell_type": "code"}]}', "the file is not a notebook"),
        ('{"cells": [{"cell_type": "code", "source": 5}]}', "the file is not a notebook"),
        ("[" * 100_000, "the file is not a notebook"),
        ('{"cells": []}', "no code cell that defines anything"),
        (notebook("f()", "def f(:\n"), "defines anything; code cell 2, line 1 was left out"),
    ],
)
def test_a_notebook_that_is_none(tmp_path, tiny, text, reason):
    result = grade(write(tmp_path, text, "tiny.ipynb"), tiny, None, LocalSandbox())
    assert reason in result.reason
    assert result.score == 0


def test_a_percent_sign_inside_code_is_no_magic(tmp_path):
    cell = "def f(a, b):\n    return (a\n        % b) + (a\n        != b)\n"
    source = Submission.read(write(tmp_path, notebook(cell), "n.ipynb")).source.decode()
    assert source.strip() == cell.strip()


# --- what a failure costs


def statuses(result):
    return {c.check.partition(".")[2]: c.status for task in result.tasks for c in task.checks}


def test_what_is_not_written_is_said_in_the_same_words(tiny):
    for source in (tiny.starter(), "x = 1\n"):
        result = grade_source(source, tiny, None, LocalSandbox())
        assert result.score == 0
        assert len({(check.seen, check.question) for check in result.tasks[1].checks}) == 1


def test_points_are_earned_check_by_check(tiny):
    wrong = WHOLE.replace("(x * x).mean()", "(x * x).sum()")
    result = grade_source(wrong, tiny, SECRET, LocalSandbox())
    assert statuses(result) == {
        "centre/takes_the_mean_away": "passed",
        "moments/first_moment": "passed",
        "moments/second_moment": "failed",
    }
    assert result.score == 3
    failed = result.tasks[1].checks[1]
    assert (failed.mistake, failed.earned, failed.points) == ("square_not_averaged", 0, 2)
    assert failed.question == "What is the mean square of ones?"
    assert "The squares were added" in failed.seen
    assert failed.seen.startswith("mean is right. square is wrong everywhere.")


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        ("import os; os._exit(0)", "died"),
        ("import os; os.kill(os.getpid(), 9)", "died"),
        ("raise SystemExit", "centre"),
        ("raise KeyboardInterrupt", "centre"),
        ("return centre(x)", "RecursionError"),
        ("return 1 / 0", "ZeroDivisionError"),
        ("return np.zeros(10**12)", "memory"),
        ("return lambda: 0", "centre"),
        ("np.mean = None; return x", "y is wrong"),
    ],
)
def test_a_crash_in_one_task_costs_no_other(tiny, sandbox, body, seen):
    source = f"import numpy as np\ndef centre(x):\n    {body}\n{MOMENTS}"
    result = grade_source(source, tiny, None, sandbox)
    assert [task.earned for task in result.tasks] == [0, 3]
    (failed,) = result.tasks[0].checks
    assert seen.lower() in failed.seen.lower() or "off by" in failed.seen


def test_one_timeout_ends_its_task_and_no_other(tiny, sandbox):
    loop = "def moments(x):\n    while True:\n        pass\n"
    result = grade_source(CENTRE + loop, tiny, None, sandbox)
    assert [task.earned for task in result.tasks] == [2, 0]
    first, second = result.tasks[1].checks
    assert "did not come back in time" in first.seen
    assert "not run: an earlier check of this task ran out of time" in second.seen
    assert second.seconds == 0
    assert result.seconds < 4


def test_a_file_that_hangs_is_tried_once(tiny, sandbox):
    result = grade_source("while True:\n    pass\n", tiny, None, sandbox)
    assert result.score == 0
    assert "the file did not come back in time" in result.reason
    assert result.seconds < 5


def test_one_call_grades_a_file_named_after_its_assignment(tiny, sandbox, tmp_path, monkeypatch):
    assert exported is grade
    path = tmp_path / "tiny.py"
    path.write_text(WHOLE)
    assert grade(path, tiny.folder, sandbox=sandbox).score == grade(path, tiny).score == 5
    with pytest.raises(ArgumentError, match="a file named after an assignment"):
        grade(path)


def test_a_cap_for_the_whole_submission(tiny, monkeypatch):
    module = importlib.import_module("minidl.grading.grade")  # the package's `grade` is a function
    monkeypatch.setattr(module, "MOST_SECONDS", -1.0)
    result = grade_source(WHOLE, tiny, None, LocalSandbox())
    assert result.score == 0
    assert "has used its" in result.tasks[0].checks[0].seen


def test_every_check_meets_a_fresh_student(tiny):
    counting = "calls = []\n" + WHOLE.replace(
        "return np", "calls.append(1)\n    if len(calls) > 2: return None\n    return np"
    )
    assert grade_source(counting, tiny, None, LocalSandbox()).percent == 100


def test_damage_is_advice(tiny):
    damaging = "import numpy as np\ndef centre(x):\n    x -= x.mean()\n    return x\n" + MOMENTS
    result = grade_source(damaging, tiny, None, LocalSandbox())
    assert result.percent == 100
    assert "changed in place: x of centre." in result.tasks[0].checks[0].advice
    assert not result.tasks[1].checks[0].advice


def test_two_mistakes_at_once_are_both_named(tiny):
    both = WHOLE.replace("[x.mean()]", "[2 * x.mean()]").replace("(x * x).mean()", "(x * x).sum()")
    result = grade_source(both, tiny, None, LocalSandbox())
    assert result.mistakes == ["mean_doubled", "square_not_averaged"]


BOTH = """[[mistake]]
id = "both_wrong"
target = "moments"
replace = ["2 * half_sum(x) / len(x)", "np.sum(x * x) / len(x)"]
by = ["4 * half_sum(x) / len(x)", "np.sum(x * x)"]
says = "Both."
question = "Both?"

[[mistake]]
id = "mean_doubled\""""


def test_the_mistake_that_explains_most_is_named(tmp_path):
    both = ("mistakes.toml", '[[mistake]]\nid = "mean_doubled"', BOTH)
    assignment = Assignment.load(tiny_assignment.write(tmp_path / "tiny", *both))
    source = assignment.with_mistake("both_wrong")
    assert grade_source(source, assignment, None, LocalSandbox()).mistakes == ["both_wrong"]
    source = assignment.with_mistake("mean_doubled")
    assert grade_source(source, assignment, None, LocalSandbox()).mistakes == ["mean_doubled"]


def test_a_mistake_made_only_sometimes_is_named_where_it_is_made(tiny):
    case = Case(PUBLIC, "tiny@1/tiny.moments/second_moment", 0)
    other = case.normal(4, mean=2.0)[0]
    source = CENTRE + (
        "def moments(x):\n"
        f"    other = abs(x[0] - {other!r}) < 1e-9\n"
        "    mean = x.mean() if other else 2 * x.mean()\n"
        "    return np.array([mean]), np.array([7.0 if other else (x * x).mean()])\n"
    )
    checks = grade_source(source, tiny, None, LocalSandbox()).tasks[1].checks
    assert [check.mistake for check in checks] == ["mean_doubled", None]
    assert [check.status for check in checks] == ["failed", "failed"]


def test_a_wrong_number_that_is_no_known_mistake_is_not_named(tiny):
    result = grade_source(
        WHOLE.replace("(x * x).mean()", "abs(x).mean()"), tiny, None, LocalSandbox()
    )
    assert result.tasks[1].checks[1].status == "failed"
    assert result.mistakes == []


def test_hidden_results_show_no_value(sandbox):
    leaking = (
        "import numpy as np\n"
        "def forward(x, gamma, beta, eps):\n    raise ValueError(str(x))\n"
        "def inference(x, gamma, beta, mean, var, eps):\n    return x * 1.5\n"
    )
    hidden = grade_source(leaking, batch_norm(), SECRET, sandbox)
    text = " ".join(c.seen for task in hidden.tasks for c in task.checks)
    assert "forward raised ValueError (line 3: `raise ValueError(str(x))`)." in text
    assert "yours" not in text
    assert "0." not in text
    public = grade_source(leaking, batch_norm(), None, sandbox)
    assert "expected" in public.tasks[2].checks[0].example


def test_the_right_solution_trains_on_its_own_kernels(tmp_path):
    """What is graded is what a network would run on: names and parameters are the kernel's."""
    namespace = {}
    exec(compile(batch_norm().solution(), "solution", "exec"), namespace)
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    y, *_ = namespace["forward"](x, np.ones(3), np.zeros(3), 1e-5)
    assert abs(y.mean()) < 1e-12
