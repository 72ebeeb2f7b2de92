"""What instructors receive: links, pipes, devices, giants, notebooks that are none, names that lie.

Row 18 of the catalogue, where it is a file and not its code: nothing is followed, waited for,
executed or shown as it is, and every refusal is one clean line.
"""

import io
import json
import os
import socket
import time
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from minidl.cli import main
from minidl.errors import ArgumentError
from minidl.grading.assignment import Assignment
from minidl.grading.attack import FOLDER
from minidl.grading.cells import MOST_NOTES, NoNotebook, notebook_source
from minidl.grading.grade import grade_submission
from minidl.grading.report import headline, show, to_html, to_markdown
from minidl.grading.sandbox import Sandbox
from minidl.grading.student import LocalSandbox
from minidl.grading.submission import Submission

RIGHT = (FOLDER / "assignment" / "solution.py").read_text()
KEY = b"of an instructor"
ROOT = getattr(os, "getuid", lambda: -1)() == 0


@pytest.fixture(scope="module")
def assignment():
    return Assignment.load(FOLDER / "assignment")


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox() as opened:
        yield opened


def link(path):
    path.with_name("real.py").write_text(RIGHT)
    path.symlink_to("real.py")


def link_to_nothing(path):
    path.symlink_to("nowhere")


def link_to_a_device(path):
    path.symlink_to("/dev/zero")


def link_to_itself(path):
    path.symlink_to(path.name)


def local_socket(path):
    with socket.socket(socket.AF_UNIX) as end:
        here = os.getcwd()
        os.chdir(path.parent)
        end.bind(path.name)
        os.chdir(here)


def giant(path):
    with path.open("wb") as file:
        file.truncate(10**11)


def one_byte_too_many(path):
    path.write_bytes(b"#" * 1_000_001)


def closed(path):
    path.write_text(RIGHT)
    path.chmod(0)


def missing(path):
    path.with_name("another.py").write_text(RIGHT)


REFUSED = {
    link: "a link",
    link_to_nothing: "a link",
    link_to_a_device: "a link",
    link_to_itself: "a link",
    os.mkfifo: "not an ordinary file",
    local_socket: "no such device",
    os.mkdir: "directory",
    giant: "at most 1 MB",
    one_byte_too_many: "at most 1 MB",
    missing: "no such file",
}


def demand_refusal(path, words):
    start = time.monotonic()
    with pytest.raises(ArgumentError) as caught:
        Submission.read(path)
    assert words in str(caught.value).lower()
    assert "\n" not in str(caught.value)
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("make", REFUSED, ids=lambda make: make.__name__)
def test_what_is_no_file_is_refused_at_once(tmp_path, make):
    make(tmp_path / "trust.py")
    demand_refusal(tmp_path / "trust.py", REFUSED[make].lower())


@pytest.mark.skipif(not ROOT, reason="only root makes devices")
def test_a_device_is_refused(tmp_path):
    try:
        os.mknod(tmp_path / "trust.py", 0o020666, os.makedev(1, 5))
    except PermissionError:  # a container's root may not
        return
    demand_refusal(tmp_path / "trust.py", "not an ordinary file")


@pytest.mark.skipif(ROOT, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_refused(tmp_path):
    closed(tmp_path / "trust.py")
    demand_refusal(tmp_path / "trust.py", "permission denied")


def test_a_hard_link_is_read_as_what_it_is_and_never_written(tmp_path):
    other = tmp_path / "other.py"
    other.write_text(RIGHT)
    os.link(other, tmp_path / "trust.py")
    assert Submission.read(tmp_path / "trust.py").sha256 == Submission.read(other).sha256
    assert other.read_text() == RIGHT


@pytest.mark.parametrize("name", ["a\0b.py", "trust.txt", "trust", "..", "trust.py\n", "x" * 300])
def test_names_that_are_none(tmp_path, name):
    with pytest.raises(ArgumentError):
        Submission.read(tmp_path / name)


# Notebooks


def notebook(*cells, **more):
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells, **more})


SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>"
CELL = {"cell_type": "code", "source": RIGHT, "metadata": {}, "outputs": []}


def test_markup_in_a_notebook_reaches_no_report(assignment, sandbox):
    output = {
        "output_type": "display_data",
        "data": {"text/html": SCRIPT},
        "metadata": {"x": SCRIPT},
    }
    cells = [
        {"cell_type": "markdown", "source": SCRIPT, "attachments": {SCRIPT: {}}},
        {**CELL, "id": SCRIPT, "metadata": {"name": SCRIPT, "tags": [SCRIPT]}, "outputs": [output]},
        {"cell_type": "code", "source": f"'{SCRIPT}' (", "outputs": []},
    ]
    text = notebook(*cells, metadata={"title": SCRIPT, "kernelspec": {"name": SCRIPT}})
    submission = Submission.of(f"{SCRIPT}.ipynb", text.encode())
    result = grade_submission(submission, assignment, KEY, sandbox)
    assert result.percent == 100
    page = to_html(result)
    assert "<script" not in page
    assert "<img" not in page
    assert "alert(1)" in page  # as text: it is the file's name


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "null", "3", "[]", "{}", '{"cells": null}', '{"cells": {"a": 1}}', "\0" * 100,
        '{"cells": [null]}', '{"cells": [[]]}', '{"cells": [{"cell_type": "code", "source": [1]}]}',
        '{"cells": [{"cell_type": "code", "source": {"a": 1}}]}', '{"cells": ["code"]}',
        '{"cells": ' + "[" * 100_000, '{"a":' * 100_000, '{"cells": ' + "9" * 100_000 + "}",
        '{"worksheets": [{"cells": []}]}', notebook(), "NaN", '{"cells": [{"cell_type": NaN}]}',
        notebook({**CELL, "source": "\ud800"}), notebook({**CELL, "source": "a\0b"}),
        notebook({**CELL, "source": "def f(): pass\n" * 80_000}),
        notebook({**CELL, "source": "f'" + "{1}" * 100_000 + "'"}),
        notebook({**CELL, "source": "f'{1}'\n" * 30_000}),
    ],
    ids=range(26),
)  # fmt: skip
def test_what_is_no_notebook_says_so_quickly(text):
    start = time.monotonic()
    with pytest.raises(NoNotebook):
        notebook_source(text)
    submission = Submission.of("trust.ipynb", text.encode("utf-8", "surrogatepass"))
    assert submission.reason
    assert not submission.source
    assert time.monotonic() - start < 20


GIANTS = {
    "cells": [{**CELL, "source": ""}] * 20_000 + [CELL],
    "broken cells": [{**CELL, "source": "def ("}] * 5_000 + [CELL],
    "functions": [{**CELL, "source": "def f(): pass\n" * 4_000}, CELL],
    "a chain backwards": [
        {**CELL, "source": f"a{i} = a{i + 1}"} for i in range(3_000)
    ] + [CELL],
    "never defined": [{**CELL, "source": "@nowhere\ndef f(): pass\n" * 3_000}, CELL],
    "calls": [{**CELL, "source": "\n".join(f"b{i} = g(b{i - 1})" for i in range(3_000))}, CELL],
    "outputs": [{**CELL, "outputs": ["x" * 10**6] * 10}],
    "methods": [
        {**CELL, "source": "class A:\n" + "".join(f" def f{i}(x): q{i}\n" for i in range(25_000))},
        CELL,
    ],
    "deep code": [{**CELL, "source": "x = " + "-" * 100_000 + "1"}, CELL],
}  # fmt: skip


@pytest.mark.parametrize("cells", GIANTS.values(), ids=GIANTS)
def test_giants_are_read_in_time(cells):
    start = time.monotonic()
    source, notes = notebook_source(notebook(*cells))
    assert "def squash" in source
    assert len(notes) <= MOST_NOTES
    assert time.monotonic() - start < 20


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ([{**CELL, "source": "a = 1\n" * 25_000}], "more than 20000 statements"),
        ([{**CELL, "source": "("}] * 60_000, "more than 50000 code cells"),
    ],
)
def test_more_than_anybody_writes_is_refused(cells, said):
    with pytest.raises(NoNotebook, match=said):
        notebook_source(notebook(*cells, CELL))


@pytest.mark.parametrize("text", ["f'" + "{1}" * 100_000 + "'", "f'{1}'\n" * 30_000], ids=[0, 1])
def test_scripts_that_take_hours_to_parse_are_refused(text):
    assert "braces" in Submission.of("trust.py", text.encode()).reason


@pytest.mark.parametrize("coding", ["Punycode", "UNDEFINED", "IDNA", "U7", "Unicode-Escape"])
def test_no_spelling_of_a_coding_that_is_no_text_is_followed(coding):
    """Punycode would be at work for hours, and the undefined one raises what no other does."""
    data = b"# coding: %s\n%s-%s\n" % (coding.encode(), b"a" * 400_000, b"z9" * 200_000)
    start = time.monotonic()
    assert "not UTF-8 text" in Submission.of("trust.py", data).reason
    assert time.monotonic() - start < 5


# Names and texts that lie

LIE = "\x1b[2J\x1b]0;title\x07evil\u202eyp.\u2066\u200b[red]{{7*7}}**_`|\n# 100 %"


def unclean(text):
    return {c for c in text if c not in "\n\t" and unicodedata.category(c) in ("Cc", "Cf", "Cs")}


def test_a_name_that_lies_is_cleaned_everywhere(assignment):
    submission = Submission(LIE, "0" * 64, b"", f"because {LIE}")
    result = grade_submission(submission, assignment, None, LocalSandbox())
    result = replace(result, notes=(LIE,))
    console = Console(width=100, record=True, file=io.StringIO())
    show(result, console)
    for text in (headline(result), to_html(result), to_markdown(result), console.export_text()):
        assert not unclean(text)
    assert "49" not in to_html(result)
    assert "\n# 100" not in to_markdown(result)


def test_the_command_cleans_a_path_that_lies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = LIE.replace("/", "").replace("\n", "") + ".py"
    Path(name).mkdir()
    done = CliRunner().invoke(
        main, ["grade", "--public", "--assignment", "batch_norm", f"./{name}"]
    )
    assert not unclean(done.output)
    assert "\x1b" not in done.output
