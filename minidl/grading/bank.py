"""Read the files of an assignment's folder, each fault in them one clear line."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from minidl.errors import ArgumentError, MinidlError, expected
from minidl.grading.check import Recorder
from minidl.grading.example import ExampleDraft
from minidl.grading.mistake import (
    Alternative,
    Collected,
    Draft,
    Mistake,
    definitions,
    paired,
    patched,
    undecorated,
)
from minidl.grading.mutant import Equivalent
from minidl.grading.scenario import Scenario, ScenarioDraft, demand_self_contained
from minidl.grading.starter import Reference
from minidl.grading.syntax import parse

ATTRIBUTES = {"calls", "damaged", "inputs"}  # of a Recorder


def read_toml(path: Path) -> dict[str, Any]:
    """Return a TOML file's values; raises ArgumentError."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArgumentError(expected(str(path), "a TOML file", error)) from None


def build(cls: type, label: str, values: dict[str, Any]) -> Any:
    """Make a dataclass, naming any field that is missing or unknown."""
    names = {field.name for field in fields(cls)}
    if set(values) != names:
        missing, unknown = sorted(names - set(values)), sorted(set(values) - names)
        got = f"{', '.join(missing) or 'none'} missing, {', '.join(unknown) or 'none'} unknown"
        raise ArgumentError(expected(label, f"the entries of {cls.__name__}", got))
    return cls(**values)


def load_module(path: Path) -> ModuleType:
    """Execute a file of an assignment, which may import its neighbours: `from .definitions`."""
    if not path.is_file():
        raise ArgumentError(expected("assignment", f"a file {path.name}", f"none in {path.parent}"))
    package = "_minidl_assignment"
    spec = ModuleSpec(package, None, is_package=True)
    spec.submodule_search_locations = [str(path.parent)]
    sys.modules[package] = importlib.util.module_from_spec(spec)
    try:
        importlib.invalidate_caches()
        return importlib.import_module(f"{package}.{path.stem}")
    except MinidlError:
        raise
    except Exception as error:
        got = f"{type(error).__name__}: {error}"
        raise ArgumentError(expected(str(path), "Python that runs", got)) from None
    finally:
        # Forgotten again, so that another folder of the same name is not taken for this one.
        for name in [name for name in sys.modules if name.partition(".")[0] == package]:
            del sys.modules[name]


def collect(path: Path, kind: type) -> list[Any]:
    """Execute a file of an assignment and return its values of one kind, in order."""
    return [value for value in vars(load_module(path)).values() if isinstance(value, kind)]


def patches(path: Path, targets: Mapping[str, str], reference: Reference) -> list[Mistake]:
    """Return the mistakes of a mistakes.toml, none where there is no such file.

    Parameters
    ----------
    path : the file.
    targets : the name in the code of each task, by the task's short name.
    reference : what the patches are applied to.
    """
    if not path.is_file():
        return []
    found = []
    for values in read_toml(path).get("mistake", []):
        label = f"{path}: mistake {values.get('id')}"
        replace, by = values.pop("replace", None), values.pop("by", None)
        target = targets.get(str(values.get("target")))
        if target is None or replace is None or by is None:
            raise ArgumentError(expected(label, "a task as target, replace and by", values))
        source = patched(label, reference.functions[target], replace, by)
        made = {"source": source, "patches": paired(label, replace, by)}
        found.append(build(Mistake, label, {**values, **made}))
    return found


def _drafts(path: Path, targets: Mapping[str, str]) -> Iterator[tuple[str, str, Draft]]:
    """Yield name, source under the target's name, and draft of each marked function or class."""
    if not path.is_file():
        return
    texts = definitions(path.read_text(encoding="utf-8"))
    for draft in collect(path, Draft):
        name = draft.made.__name__
        if draft.target not in targets:
            raise ArgumentError(expected(f"{path}: {name}", "a task as target", draft.target))
        yield name, undecorated(texts.get(name, ""), name, targets[draft.target]), draft


def mistakes(path: Path, targets: Mapping[str, str]) -> list[Mistake]:
    """Return the mistakes of a mistakes.py, none where there is no such file."""
    return [
        Mistake(name, draft.target, draft.says, draft.question, source)
        for name, source, draft in _drafts(path, targets)
    ]


def alternatives(path: Path, targets: Mapping[str, str]) -> tuple[Alternative, ...]:
    """Return the right solutions of an alternatives.py, none where there is no such file."""
    return tuple(
        Alternative(name, draft.target, draft.says, source)
        for name, source, draft in _drafts(path, targets)
    )


def scenarios(path: Path, targets: Mapping[str, str], reference: Reference) -> tuple[Scenario, ...]:
    """Return the scenarios of a scenarios.py, none where there is no such file.

    Raises
    ------
    ArgumentError
        for a task that does not exist, a scenario without a parameter for the student's own class
        or function, one that bears a task's name, or one that is not self-contained.
    """
    if not path.is_file():
        return ()
    texts = definitions(path.read_text(encoding="utf-8"))
    found = []
    for draft in collect(path, ScenarioDraft):
        name = draft.function.__name__
        label = f"{path}: {name}"
        if draft.task not in targets:
            raise ArgumentError(expected(label, "an existing task", draft.task))
        if name in targets.values() or hasattr(Recorder, name) or name in ATTRIBUTES:
            wish = "a name that neither the student's code nor `student` itself has"
            raise ArgumentError(expected(label, wish, name))
        if not draft.function.__code__.co_argcount:
            wish = "a first parameter for what the student wrote"
            raise ArgumentError(expected(label, wish, "none"))
        source = undecorated(texts.get(name, ""), name, name)
        demand_self_contained(label, source)
        target = targets[draft.task]
        kind = reference.kind(target)
        found.append(Scenario(name, draft.task, target, kind, draft.returns, source))
    return tuple(found)


def examples(path: Path) -> dict[str, tuple[tuple[Any, ...], ...]]:
    """Return the calls of an examples.py by what is called, none where there is no such file.

    Raises
    ------
    ArgumentError
        for a generator that raises, or yields anything but tuples of arguments.
    """
    found: dict[str, tuple[tuple[Any, ...], ...]] = {}
    for draft in collect(path, ExampleDraft) if path.is_file() else []:
        try:
            calls = tuple(draft.make())
        except Exception as error:
            calls = (error,)
        if not all(type(call) is tuple for call in calls):
            got = next(repr(call) for call in calls if type(call) is not tuple)
            wish = "tuples, each of them the arguments of a call"
            raise ArgumentError(expected(f"{path}: {draft.make.__name__}", wish, got))
        found[draft.function] = found.get(draft.function, ()) + calls
    return found


def equivalents(path: Path, targets: Mapping[str, str]) -> tuple[Equivalent, ...]:
    """Return the mutants an equivalents.toml excuses, none where there is no such file.

    Raises
    ------
    ArgumentError
        for a task that does not exist, or an entry without a reason.
    """
    found = []
    for values in read_toml(path).get("equivalent", []) if path.is_file() else []:
        entry = build(Equivalent, f"{path}: equivalent {values.get('change')}", values)
        if entry.task not in targets or not entry.reason.strip():
            wish = "an existing task, and a reason"
            raise ArgumentError(expected(f"{path}: {entry.change}", wish, values))
        found.append(entry)
    return tuple(found)


def collected(folder: Path, targets: Mapping[str, str]) -> tuple[Collected, ...]:
    """Return the wrong solutions of a folder of Python files, none where there is no such folder.

    Each file has a docstring that says what was misunderstood, a line `# task: backward`, and the
    function or class under its own name; what the solution imports is there already.

    Raises
    ------
    ArgumentError
        for a file that lacks one of these.
    """
    found = []
    for path in sorted(folder.glob("*.py")):
        text = path.read_text(encoding="utf-8")
        try:
            tree = parse(text)
        except SyntaxError as error:
            raise ArgumentError(expected(str(path), "a Python file", error)) from None
        named = re.search(r"^# task: (?:\w+\.)?(\w+)\s*$", text, flags=re.M)
        if named is None or named[1] not in targets:
            wish = f"a line `# task: NAME` with one of {', '.join(targets)}"
            raise ArgumentError(expected(str(path), wish, named[1] if named else "none"))
        says, target = ast.get_docstring(tree), targets[named[1]]
        if not says:
            wish = "a docstring that says what was misunderstood"
            raise ArgumentError(expected(str(path), wish, "none"))
        if target not in {getattr(node, "name", "") for node in tree.body}:
            raise ArgumentError(expected(str(path), f"a definition of {target}", "none"))
        found.append(Collected(path.stem, named[1], says, text))
    return tuple(found)
