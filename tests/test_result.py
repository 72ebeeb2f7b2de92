import json
import os
import stat
from dataclasses import replace

import pytest

from minidl.errors import ArgumentError
from minidl.grading.key import key_id, load_or_create_key
from minidl.grading.report import to_html
from minidl.grading.result import CheckResult, Result, TaskResult, write_results


def make_result(score=7.0):
    passed = CheckResult("a.b/first_check", "a.b", 4, 4, "passed", seconds=0.5)
    failed = CheckResult("a.b/second", "a.b", 6, 0, "failed", "y is zero.", "m_one", "Why?", "note")
    task = TaskResult("a.b", "B", 10, 4, (passed, failed, failed))
    return Result("a", 1, "b.py", "0" * 64, "public", "none", "0.1", (task,), score, 10.0)


@pytest.mark.parametrize(
    "part", [lambda r: r, lambda r: r.tasks[0], lambda r: r.tasks[0].checks[1]]
)
def test_json_and_back(part):
    result = part(make_result())
    assert type(result).from_json(result.to_json()) == result


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"assignment": "a"}', '{"tasks": [1]}', '"text"']
)
def test_json_that_is_no_result(text):
    with pytest.raises(ArgumentError, match="Result: expected"):
        Result.from_json(text)


def test_an_unknown_field_is_refused():
    text = make_result().to_json().replace('"version"', '"edition"')
    with pytest.raises(ArgumentError, match="version"):
        Result.from_json(text)


def test_a_file_of_an_older_version_is_read():
    values = json.loads(make_result().to_json())
    for name in ("environment", "notes"):
        del values[name]
    for check in values["tasks"][0]["checks"]:
        del check["example"]
    assert Result.from_json(json.dumps(values)) == make_result()
    del values["sha256"]
    with pytest.raises(ArgumentError, match="sha256"):
        Result.from_json(json.dumps(values))


def test_evidence_travels_along():
    evidence = {"environment": "Python 3.11.7, NumPy 2.4.6", "notes": ("code cell 3 was left out",)}
    result = replace(make_result(), isolation="separate process, deadline", **evidence)
    again = Result.from_json(result.to_json())
    assert again == result
    assert again.level == "weak"
    assert make_result().level == ""
    page = to_html(result)
    for words in ("Python 3.11.7", "weak (separate process", "0" * 64, "code cell 3", "0.50"):
        assert words in page


def test_percent_is_100_for_everything_only():
    assert make_result(9.9999).percent == 99.9
    assert make_result(10.0).percent == 100.0


def test_mistakes_are_named_once():
    result = make_result()
    assert result.mistakes == ["m_one"]
    assert not result.tasks[0].passed
    assert result.tasks[0].checks[0].name == "first check"


def test_results_are_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "results.json"
    write_results("first", path)
    with pytest.raises(UnicodeEncodeError):
        write_results("second \ud800", path)
    assert path.read_text() == "first"
    assert os.listdir(tmp_path) == ["results.json"]
    write_results("third", path)
    assert path.read_text() == "third"


@pytest.mark.parametrize("name", ["missing/results.json", "file/results.json", "folder"])
def test_results_that_cannot_be_written(tmp_path, name):
    (tmp_path / "file").write_text("a file")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ArgumentError, match="results: expected a file that can be written"):
        write_results("text", tmp_path / name)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_a_key_is_made_once_and_private(tmp_path):
    path = tmp_path / "config" / "grading.key"
    key = load_or_create_key(path)
    assert len(key) == 32
    assert load_or_create_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["grading.key"]
    assert load_or_create_key(tmp_path / "other") != key
    assert len(key_id(key)) == 8


@pytest.mark.parametrize("text", ["", "abcd", "not hexadecimal at all, but long enough", "é" * 40])
def test_a_damaged_key_is_refused_and_kept(tmp_path, text):
    path = tmp_path / "grading.key"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ArgumentError, match="at least 16 bytes in hexadecimal"):
        load_or_create_key(path)
    assert path.read_text(encoding="utf-8") == text


def test_a_key_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ArgumentError, match="key: expected a file"):
        load_or_create_key(tmp_path / "file" / "key")
