"""What README.md, CONTRIBUTING.md and CHANGELOG.md say is so: snippets run, paths and names exist.

Blocks marked `bash` and `python` are executed. Blocks marked `console` hold what sets up a machine
or takes minutes: they are checked against the Makefile, pyproject.toml and the command's own
options, and what they run has tests of its own (`make demo` runs `minidl demo`: test_demo.py).
"""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

from minidl import random
from minidl.cli import main

ROOT = Path(__file__).parent.parent
DOCUMENTS = {name: (ROOT / name).read_text() for name in ("README.md", "CONTRIBUTING.md")}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXITS = re.compile(r"# exits with (\d+)")
FILE = re.compile(r"# (\S+/\S+\.\w+)\n")
SYSTEM = {"python3", "python3-venv", "python3-dev", "gcc", "make"}


def blocks(document, language):
    """The blocks of one language, in order."""
    return [text for kind, text in FENCE.findall(DOCUMENTS[document]) if kind == language]


def environment(folder, **more):
    """A shell whose `minidl` is this one, and whose home is a fresh folder."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    home = folder / "home"
    home.mkdir(exist_ok=True)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "COV_", "MINIDL_"))}
    return {**kept, "PATH": path, "HOME": str(home), **more}


def run_lines(text, folder, env):
    """Run a block line by line; each must exit with what its comment announces."""
    for line in text.strip().splitlines():
        announced = EXITS.search(line)
        done = subprocess.run(
            ["bash", "-c", line], cwd=folder, env=env, capture_output=True, text=True, timeout=120
        )
        wanted = int(announced[1]) if announced else 0
        assert done.returncode == wanted, f"{line}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, f"{line}\n{done.stderr}"


# -- every block is one of the kinds that are tested ---------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_block_is_of_a_kind_that_is_tested(document):
    kinds = [kind for kind, _ in FENCE.findall(DOCUMENTS[document])]
    assert set(kinds) <= {"bash", "python", "console", "toml"}
    assert DOCUMENTS[document].count("```") == 2 * len(kinds)
    assert "toml" not in kinds or document == "CONTRIBUTING.md"


def test_readme_shell_snippets_run_in_order(tmp_path):
    found = blocks("README.md", "bash")
    assert len(found) >= 2
    env = environment(tmp_path)
    for text in found:
        run_lines(text, tmp_path, env)
    reports = sorted(path.suffix for path in (tmp_path / "reports").iterdir())
    assert {".html", ".json"} <= set(reports)


@pytest.mark.parametrize("number", range(len(blocks("README.md", "python"))))
def test_readme_python_snippets_run(number, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(random._Source, "generator", random._Source.generator)
    exec(compile(blocks("README.md", "python")[number], "README.md", "exec"), {})
    assert capsys.readouterr().out


def check_console(line):
    """Check a line that is not run: what it names must exist."""
    words = shlex.split(line, comments=True)
    if words[:3] == ["sudo", "apt-get", "install"]:
        assert set(words[3:]) == SYSTEM
    elif words[0] == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert words[1] in targets
    elif words[:2] == ["pip", "install"]:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        extra = re.fullmatch(r"\.(?:\[(\w+)\])?", words[-1])
        assert extra, line
        assert extra[1] is None or extra[1] in project["optional-dependencies"]
    elif words[0] == "minidl":
        command = main.commands[words[1]]
        command.make_context(words[1], words[2:])  # parses the options, runs nothing
    else:
        raise AssertionError(f"no test for the console line {line!r}")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_console_lines_name_what_exists(document):
    for text in blocks(document, "console"):
        for line in text.strip().splitlines():
            check_console(line)


@pytest.mark.parametrize(
    "line",
    ["make everything", "pip install '.[nothing]'", "minidl sing", "minidl demo --fast", "ls"],
)
def test_console_check_notices_what_does_not_exist(line):
    with pytest.raises((AssertionError, KeyError, click.ClickException)):
        check_console(line)


def test_make_demo_runs_what_test_demo_tests():
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^demo: \$\(READY\)\n\t@\$\(BIN\)/minidl demo$", makefile, re.MULTILINE)
    assert "demo.run(" in (ROOT / "tests" / "test_demo.py").read_text()


# -- what the texts name exists ------------------------------------------------------------------


@pytest.mark.parametrize("document", [*DOCUMENTS, "CHANGELOG.md"])
def test_links_and_paths_lead_somewhere(document):
    text = FENCE.sub("", (ROOT / document).read_text())
    links = [t for t in re.findall(r"\]\(([^)]+)\)", text) if "://" not in t and t[0] != "#"]
    made = {"minidl-report/report.html"} | {name for name, _ in followed_files()}
    paths = set(links) | set(re.findall(r"`([\w./-]+/[\w./-]*)`", text))
    for path in paths - made:
        assert (ROOT / path).exists() or list(ROOT.glob(f"*/{path}")), path


@pytest.mark.parametrize("document", [*DOCUMENTS, "CHANGELOG.md"])
def test_texts_speak_of_the_project_alone(document):
    text = (ROOT / document).read_text()
    machine = re.compile(r"(?<![\w.])/(work|tmp|root|home|usr)\b|pypi|pythonhosted|issue #", re.I)
    assert not machine.findall(text)


def test_readme_and_the_command_agree_on_exit_codes():
    from minidl.cli import EXIT_CODES

    text = " ".join(DOCUMENTS["README.md"].split())
    codes = re.findall(r"^  (\d+)\s", EXIT_CODES, re.MULTILINE)
    section = text[text.index("Exit codes, for all commands") :]
    for code in codes:
        assert re.search(rf"\b{code}\b", section)


def test_changelog_names_the_version_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"## [{project['version']}]" in (ROOT / "CHANGELOG.md").read_text()


# -- CONTRIBUTING: "Where is ...?" ---------------------------------------------------------------


def where_is():
    """(question, path, symbol) of every row of the table."""
    text = DOCUMENTS["CONTRIBUTING.md"]
    section = text[text.index("## Where is") :]
    return re.findall(r"^\| (.+?) \| `([^`]+)` \| `([^`]+)` \|$", section, re.MULTILINE)


def test_where_is_has_answers():
    assert len(where_is()) >= 20


@pytest.mark.parametrize(("question", "path", "symbol"), where_is())
def test_where_is_is_true(question, path, symbol):
    text = (ROOT / path).read_text()
    if path.endswith(".py"):
        assert symbol in symbols(ast.parse(text))
    else:
        assert symbol in text


def symbols(tree, prefix=""):
    """Names defined in a syntax tree: `function`, `Class`, `Class.method`, `CONSTANT`."""
    found = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(prefix + node.name)
            if isinstance(node, ast.ClassDef):
                found |= symbols(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {prefix + t.id for t in targets if isinstance(t, ast.Name)}
    return found


# -- CONTRIBUTING: followed to the letter --------------------------------------------------------


def followed_files():
    """(path, text) of every block that begins with the path of a file to write."""
    texts = [text for kind, text in FENCE.findall(DOCUMENTS["CONTRIBUTING.md"]) if kind != "bash"]
    return [(match[1], text) for text in texts if (match := FILE.match(text))]


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the project in which CONTRIBUTING's files are written, and its environment."""
    folder = tmp_path_factory.mktemp("copy")
    leave = shutil.ignore_patterns("__pycache__", "*.c")
    for part in ("minidl", "tests", "kernels", "assignments"):
        # Installed, kernels and assignments lie inside the package: so do they here.
        target = folder / (f"minidl/{part}" if part in ("kernels", "assignments") else part)
        shutil.copytree(ROOT / part, target, ignore=leave)
        if target.parent != folder:
            (folder / part).symlink_to(target)
    shutil.copy(ROOT / "pyproject.toml", folder)
    for name, text in followed_files():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            text = path.read_text() + "\n\n" + text
        path.write_text(text)
    return folder, environment(folder, PYTHONPATH=str(folder))


@pytest.mark.parametrize("number", range(len(blocks("CONTRIBUTING.md", "bash"))))
def test_contributing_followed_to_the_letter_works(number, copy):
    folder, env = copy
    run_lines(blocks("CONTRIBUTING.md", "bash")[number], folder, env)


def test_contributing_writes_a_kernel_a_layer_and_an_assignment():
    names = [name for name, _ in followed_files()]
    for part in ("kernels/", "minidl/functional/", "minidl/nn/", "tests/", "assignments/"):
        assert any(name.startswith(part) for name in names), part
    assert len(blocks("CONTRIBUTING.md", "bash")) >= 3
