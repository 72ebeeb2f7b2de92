"""Honest but awkward submissions keep every point, in the real sandbox."""

import json

import pytest
from sandboxes import SHORT

from minidl.grading.assignment import Assignment
from minidl.grading.attack import FOLDER
from minidl.grading.grade import grade_submission
from minidl.grading.sandbox import Sandbox
from minidl.grading.submission import Submission

SCALE = "def scale(x, factor):\n    return (x * factor).astype(x.dtype)\n"
CENTRE = "def centre(x):\n    return x - x.mean(dtype=x.dtype)\n"
SQUASH = "def squash(x):\n    return x / (1 + np.abs(x))\n"
WHOLE = "import numpy as np\n\n" + SCALE + "\n" + CENTRE + "\n" + SQUASH
KEY = b"of an instructor"


@pytest.fixture(scope="module")
def assignment():
    return Assignment.load(FOLDER / "assignment")


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(SHORT) as opened:
        yield opened


@pytest.fixture
def graded(assignment, sandbox):
    def grade(data, name="trust.py"):
        data = data if isinstance(data, bytes) else data.encode()
        submission = Submission.of(name, data, assignment.targets)
        return grade_submission(submission, assignment, KEY, sandbox)

    return grade


def said(result):
    seen = [check.seen for task in result.tasks for check in task.checks]
    return [result.reason, *seen, *result.notes]


BEFORE = {
    "prints": "print('here', '\\x1b[31m')\n",
    "stderr": "import sys\nsys.stderr.write('chatter\\n' * 1000)\n",
    "warnings": "import warnings\nwarnings.warn('old')\nwarnings.simplefilter('error')\n",
    "logging": "import logging\nlogging.basicConfig(level=0)\nlogging.error('so what')\n",
    "future annotations": "from __future__ import annotations\n",
    "a docstring, then annotations": "'Mine.'\nfrom __future__ import annotations\nx: Unknown\n",
    "standard library": "import functools, math, collections, typing, dataclasses, itertools, re\n"
    "import random, os, sys, json, abc, enum, operator, copy, time, decimal, heapq, tempfile\n"
    "import asyncio, multiprocessing, unittest, argparse, pathlib, statistics, threading\n",
    "parts of NumPy": "import numpy.linalg, numpy.fft, numpy.testing, numpy.ma, numpy.polynomial\n"
    "from numpy.typing import NDArray\nfrom numpy.lib.stride_tricks import sliding_window_view\n",
    "plotting": "import matplotlib.pyplot as plt\nimport matplotlib, seaborn as sns\n"
    "plt.style.use('ggplot')\nplt.rcParams['figure.figsize'] = (8, 6)\nsns.set_theme()\n",
    "the library": "import minidl\nfrom minidl.course import check\n"
    "from minidl import nn, Tensor\n",
    "other frameworks": "import torch, scipy.special\nimport torch.nn as nn\n"
    "from tqdm import tqdm\n"
    "from torch.utils.data import *\n"
    "torch.manual_seed(0)\nDEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'\n"
    "class Net(nn.Module):\n    @torch.no_grad()\n    def forward(self, x: torch.Tensor | None):\n"
    "        return self.layer(x)\n",
    "an optional package": "try:\n    import cupy as xp\nexcept ImportError:\n    xp = None\n"
    "assert xp is None\n",
    "random seeds": "import random, numpy as np\nrandom.seed(0)\nnp.random.seed(0)\n"
    "np.set_printoptions(precision=3)\nnp.seterr(all='raise')\n",
    "a seen past": "import numpy as np\nSEEN = {}\n_rng = np.random.default_rng()\n"
    "EPS = float(1e-5)\n",
    "recursion limit": "import sys\nsys.setrecursionlimit(10_000)\n",
    "its own arguments": "import argparse\nparser = argparse.ArgumentParser()\n"
    "parser.add_argument('--n', default=3)\nargs = parser.parse_args()\n",
    "odd characters": "größe = 'ünï😀\\u2028'\nΩ, 变量, ª = 1, 2, 3\nf'{größe!r:>{Ω}} {\"{}\"}'\n"
    "TEXT = '''form feed \x0c vertical \x0b separators \x1c \x85 \u2028 end'''\n",
    "form feed": "\x0c\n",
    "a module level class": "from dataclasses import dataclass\n@dataclass\n"
    "class Config:\n    n: int = 3\n",
    "files of its own": "with open('notes.txt', 'w') as f:\n    f.write('x')\n"
    "import tempfile\ntempfile.mkdtemp()\n",
    "its own name": "assert __name__ != '__main__'\nprint(__file__, __doc__)\n",
}


@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
def test_what_stands_before(graded, before):
    result = graded(before + WHOLE)
    assert result.percent == 100, said(result)


def test_a_slow_import(assignment):
    """Two seconds, for every check anew."""
    submission = Submission.of("trust.py", ("import time\ntime.sleep(2)\n" + WHOLE).encode())
    with Sandbox() as patient:
        tasks = [assignment.task("scale")]
        result = grade_submission(submission, assignment, KEY, patient, tasks=tasks)
    assert result.percent == 100, said(result)


AFTER = {
    "main guard": "if __name__ == '__main__':\n    raise SystemExit('a demonstration')\n",
    "main guard with a package": "def main():\n    import torch\n"
    "if __name__ == '__main__':\n    main()\n",
    "a test": "assert np.allclose(scale(np.ones(2), 3.0), 3)\nprint('all fine')\n",
    "a thread": "import threading\nthreading.Thread(target=print, daemon=True).start()\n",
    "the last definition wins": "def old(x):\n    pass\nscale_old = scale\n",
    "closed output": "import sys\nsys.stdout.close()\nsys.stderr = None\n",
    "no output": "import sys, os\nsys.stdout = open(os.devnull, 'w')\n",
    "ruined builtins": "print = input = id = None\nlen = 3\n",
    "deleted names": "del SCALE_OF_NOTHING\n".replace("del", "SCALE_OF_NOTHING = 1\ndel"),
}


@pytest.mark.parametrize("after", AFTER.values(), ids=AFTER)
def test_what_stands_behind(graded, after):
    result = graded(WHOLE + after)
    assert result.percent == 100, said(result)


WRITTEN = {
    "hints": "import numpy as np\nfrom numpy.typing import NDArray\n"
    "def scale(x: NDArray[np.floating], factor: float = 1.0) -> 'NDArray':\n"
    "    y: np.ndarray = (x * factor).astype(x.dtype)\n    return y\n" + CENTRE + SQUASH,
    "helpers": WHOLE.replace("x.mean(dtype=x.dtype)", "_mean(x)")
    + "def _mean(x):\n    return _sum(x) / x.dtype.type(x.size)\n_sum = np.sum\n",
    "helper class": WHOLE.replace("x * factor", "Scaler(factor)(x)")
    + "class Scaler:\n    def __init__(self, f):\n        self.f = f\n"
    "    def __call__(self, x):\n        return x * self.f\n",
    "callable objects": "import numpy as np\nclass Scale:\n    def __call__(self, x, factor):\n"
    "        return x * factor\nscale = Scale()\n" + CENTRE + SQUASH,
    "lambda": "import numpy as np\nscale = lambda x, factor: x * factor\n" + CENTRE + SQUASH,
    "another name": WHOLE.replace("def scale", "def my_scale") + "scale = my_scale\n",
    "partial": "import functools\nimport numpy as np\ndef _scale(kind, x, factor):\n"
    "    return x * factor\nscale = functools.partial(_scale, 'fast')\n" + CENTRE + SQUASH,
    "decorated": "import functools, time\ndef timed(f):\n    @functools.wraps(f)\n"
    "    def g(*args, **kwargs):\n        start = time.time()\n        y = f(*args, **kwargs)\n"
    "        print(f'{f.__name__}: {time.time() - start:.3f} s')\n        return y\n    return g\n"
    + WHOLE.replace("def ", "@timed\ndef "),
    "a cache": WHOLE.replace("return x - x.mean(dtype=x.dtype)", "return _cached(x)")
    + "_cache = {}\ndef _cached(x):\n    key = x.tobytes()\n    if key not in _cache:\n"
    "        _cache[key] = x - x.mean(dtype=x.dtype)\n    return _cache[key]\n",
    "a global": "count = 0\n"
    + WHOLE.replace("    return x /", "    global count\n    count += 1\n    return x /"),
    "a generator": WHOLE.replace("x * factor", "np.fromiter((v * factor for v in x), x.dtype)"),
    "static methods": "import numpy as np\nclass Ops:\n    @staticmethod\n"
    "    def scale(x, factor):\n"
    "        return x * factor\nscale = Ops.scale\n" + CENTRE + SQUASH,
    "extra parameters": WHOLE.replace("(x, factor)", "(x, factor, *, verbose=False, **rest)"),
    "redefined": SCALE.replace("factor).", "2 * factor).") + WHOLE,
    "tabs": WHOLE.replace("    ", "\t"),
    "one-liners": "import numpy as np; from numpy import abs as a\n"
    "def scale(x, factor): return x * factor\n"
    "def centre(x): m = x.mean(dtype=x.dtype); return x - m\ndef squash(x): return x / (1 + a(x))",
    "prints inside": WHOLE.replace(
        "    return", "    print('x', x); import sys; print(x, file=sys.stderr)\n    return"
    ),
    "warns inside": WHOLE.replace(
        "    return", "    np.log(np.zeros(1)); np.float64(1) / 0\n    return"
    ),
    "numba in a helper": "from numba import njit\n"
    + WHOLE.replace("x * factor", "_times(x, factor)")
    + "@njit\ndef _times(x, f):\n    return x * f\n",
}


@pytest.mark.parametrize("source", WRITTEN.values(), ids=WRITTEN)
def test_ways_of_writing(graded, source):
    result = graded(source)
    assert result.percent == 100, said(result)


RETURNED = {
    "Fortran order": "np.asfortranarray({})",
    "a view": "np.stack([{0}, {0}])[1]",
    "every other": "np.repeat({}, 2, axis=-1)[..., ::2]",
    "backwards twice": "np.array({}[..., ::-1])[..., ::-1]",
    "read-only": "np.frombuffer(({0}).tobytes(), x.dtype).reshape(x.shape)",
    "big-endian": "({0}).astype(x.dtype.newbyteorder('>'))",
    "not aligned": "_unaligned({})",
    "broadcast": "np.broadcast_to({0}, x.shape)",
    "into out": "np.add({}, 0, out=np.empty_like(x))",
}


@pytest.mark.parametrize("form", RETURNED.values(), ids=RETURNED)
def test_arrays_of_every_layout(graded, form):
    helper = (
        "def _unaligned(y):\n    raw = np.zeros(y.nbytes + 1, np.uint8)\n"
        "    raw[1:] = np.frombuffer(y.tobytes(), np.uint8)\n"
        "    return raw[1:].view(y.dtype).reshape(y.shape)\n"
    )
    source = WHOLE
    for value in ("(x * factor).astype(x.dtype)", "x - x.mean(dtype=x.dtype)"):
        source = source.replace(f"return {value}", "return " + form.format(f"({value})"))
    result = graded(source + helper)
    assert result.percent == 100, said(result)


ENCODED = {
    "byte order mark": ("\ufeff" + WHOLE).encode(),
    "CRLF": WHOLE.replace("\n", "\r\n").encode(),
    "CR": WHOLE.replace("\n", "\r").encode(),
    "mixed ends": (SCALE.replace("\n", "\r\n") + WHOLE).encode(),
    "no last line end": WHOLE.rstrip().encode(),
    "UTF-16": WHOLE.encode("utf-16"),
    "UTF-16, big-endian": b"\xfe\xff" + WHOLE.encode("utf-16-be"),
    "latin-1, said so": (
        "# -*- coding: latin-1 -*-\nÄ = 'größe'\nassert len(Ä) == 5\n" + WHOLE
    ).encode("latin-1"),
    "cp1252, said so in line 2": (
        "#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\nÄ = '€'\nassert len(Ä) == 1\n" + WHOLE
    ).encode("cp1252"),
    "latin-1 with CR": (
        "# coding=latin-1\rÄ = 'ö'\rassert len(Ä) == 1\r" + WHOLE.replace("\n", "\r")
    ).encode("latin-1"),
}


@pytest.mark.parametrize("data", ENCODED.values(), ids=ENCODED)
def test_files_as_editors_write_them(graded, data):
    result = graded(data)
    assert result.percent == 100, said(result)


@pytest.mark.parametrize("coding", ["punycode", "idna", "utf-7", "unicode_escape", "rot13", "zip"])
def test_codings_that_are_no_text_are_refused(graded, coding):
    result = graded(f"# coding: {coding}\n{WHOLE}\nÄ = 1\n")
    assert result.score == 0
    assert "UTF-8" in result.reason


@pytest.mark.parametrize(
    "use",
    ["scipy.special.erf(1) + x", "np.exp(scipy.x)", "list(scipy.x)", "float(scipy.x)", "2 @ scipy"],
)
def test_an_absent_package_that_is_used_is_named(graded, use):
    result = graded("import scipy.special\n" + WHOLE.replace("x / (1 + np.abs(x))", use))
    assert result.score == 7
    assert "ModuleNotFoundError" in "".join(said(result))


# Notebooks


def notebook(*cells):
    made = [
        cell if isinstance(cell, dict) else {"cell_type": "code", "source": cell} for cell in cells
    ]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": made})


START = "import numpy as np\n"
PROSE = {"cell_type": "markdown", "source": ["# Prose\n", "def scale(x): no code"]}
NOTEBOOKS = {
    "split": [START, SCALE, PROSE, CENTRE, SQUASH],
    "out of order": [SQUASH, "MEAN = np.mean\n", CENTRE, SCALE, START],
    "needs what comes later": [
        START,
        "@keep\n" + SCALE,
        CENTRE,
        SQUASH,
        "def keep(f):\n    return f",
    ],
    "magics": [
        "%matplotlib inline\n%load_ext autoreload\n%autoreload 2\n" + START,
        "!pip install numpy",
        "%%time\n" + SCALE,
        "np.sum?\n??np\n?np.mean\n" + CENTRE,
        "%%bash\nls | grep x\n",
        "%pip list",
        "files = !ls\nt = %timeit -o 1\n",
        "%%check trust.squash\n" + SQUASH,
        "%%html\n<b>x</b>",
        "%whos",
    ],
    "a percent sign of its own": [START, "TEXT = ('%d'\n%(3))\n" + SCALE, CENTRE, SQUASH],
    "a test that raises": [
        START,
        SCALE,
        "assert False, 'so far'\n1 / 0",
        CENTRE,
        "raise ValueError",
        SQUASH,
    ],
    "a broken cell": [START, SCALE, "def half(:\n", CENTRE, "for x in", SQUASH],
    "unfinished text": [START, SCALE, "'''never closed", CENTRE, SQUASH],
    "empty and raw": [
        "",
        "   \n",
        {"cell_type": "raw", "source": "raw ("},
        START,
        SCALE,
        CENTRE,
        SQUASH,
        "# the end",
    ],
    "doubled": [START, SCALE, CENTRE, SQUASH, START, SCALE, CENTRE, SQUASH],
    "the last wins": [START, SCALE.replace("factor)", "0)"), CENTRE, SQUASH, SCALE],
    "objects": [
        START,
        "class Scale:\n    def __call__(self, x, factor):\n        return x * factor",
        "scale = Scale()",
        CENTRE,
        SQUASH,
    ],
    "made by calls": [
        START,
        "import functools\ndef _scale(k, x, factor):\n    return x * factor",
        "scale = functools.partial(_scale, 0)",
        "cache = dict()\n" + CENTRE.replace("    return", "    cache[0] = 1\n    return"),
        SQUASH,
    ],
    "training and plots": [
        START,
        SCALE,
        CENTRE,
        SQUASH,
        "import matplotlib.pyplot as plt\nfig, ax = plt.subplots()\n",
        "losses = [scale(np.ones(2), i) for i in range(10)]\nwhile True:\n    pass",
        "model = train()",
    ],
    "added later": [
        START,
        "class Layer:\n    pass",
        SCALE,
        "def call(self, x):\n    return x - x.mean(dtype=x.dtype)\nLayer.call = call",
        "def centre(x):\n    return Layer().call(x)",
        SQUASH,
    ],
    "annotations late": [START, SCALE, "from __future__ import annotations\n" + CENTRE, SQUASH],
    "optional imports": [
        START,
        "try:\n    import cupy as xp\nexcept ImportError:\n    xp = np\n",
        SCALE.replace("(x *", "xp.asarray(x *"),
        CENTRE,
        SQUASH,
    ],
    "conditional": [
        START,
        "FAST = True\nif FAST:\n    "
        + SCALE.replace("\n    ", "\n        ")
        + "else:\n    scale = None",
        CENTRE,
        SQUASH,
    ],
    "CRLF": [text.replace("\n", "\r\n") for text in (START, SCALE, CENTRE, SQUASH)],
    "lists of lines": [
        {
            "cell_type": "code",
            "source": WHOLE.splitlines(keepends=True),
            "outputs": [],
            "metadata": {},
        }
    ],
    "one line": [
        "import numpy as np; print(1); X = 3",
        SCALE,
        CENTRE.rstrip() + "; y = 3;",
        SQUASH,
    ],
    "odd characters": [START, "S = 'a\u2028b\x0cc'\nf'{S}😀'\n" + SCALE, CENTRE, SQUASH],
    "a whole file": [WHOLE + "\nif __name__ == '__main__':\n    print(scale(np.ones(3), 2))\n"],
    "experiments that depend on a package, or on each other": [
        START,
        "from minidl.viz.figure import LIGHT\nBLUE, RED = LIGHT.series\ncolour = LIGHT.ink",
        SCALE,
        "trained = {}\nfor depth in (1, 2):\n    trained[depth] = depth",
        CENTRE,
        "few = pixels[:2]\ndef shown(rows=few):\n    return rows",
        "model = trained[2]\nrows, columns = pixels = model\nhalf = model / 2",
        SQUASH,
    ],
    "with numbers of cells": [
        START,
        "counter = 0\ncounter += 1\nSTEP = counter",
        SCALE,
        CENTRE,
        SQUASH,
    ],
}


@pytest.mark.parametrize("cells", NOTEBOOKS.values(), ids=NOTEBOOKS)
def test_notebooks(graded, cells):
    result = graded(notebook(*cells), "trust.ipynb")
    assert result.percent == 100, said(result)


def test_what_was_left_out_of_a_notebook_is_said(graded):
    result = graded(notebook(*NOTEBOOKS["a broken cell"]), "trust.ipynb")
    assert result.notes[0] == "code cell 3, line 1 was left out: invalid syntax"
    assert result.notes[1].startswith("code cell 5, line 1 was left out: ")
    result = graded(notebook(START, SCALE, "def centre(x)\n    return x\n", SQUASH), "trust.ipynb")
    assert result.score == 6
    assert "code cell 3, line 1" in result.notes[0]
