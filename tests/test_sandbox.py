"""A submission in its own process: right answers pass, everything else is one StudentFailure."""

import os
import re
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from minidl.errors import ArgumentError
from minidl.grading import confine, landlock, seccomp
from minidl.grading import sandbox as sandbox_module
from minidl.grading.channel import clean
from minidl.grading.protocol import Rng
from minidl.grading.sandbox import Limits, Sandbox
from minidl.grading.student import StudentFailure
from minidl.grading.zygote import SandboxError, remove

ATTACKS = sorted(Path(__file__).parent.joinpath("attacks").glob("*.py"))
SHORT = Limits(call_seconds=3.0, load_seconds=3.0, memory_bytes=384 * 2**20)
PATIENCE = 30.0

HONEST = b"""
import numpy as np

calls = 0

def double(x):
    return 2 * x

def count():
    global calls
    calls += 1
    return calls

def damage(x, items, *, other):
    x[0] = 7
    other["y"][0] = 7
    return x

def same(value):
    return value

def draw(rng):
    return rng.random(3)

def fail(x):
    y = x + 1
    raise ValueError(f"the input was {x}")

def leak(x):
    raise type(f"Input{x}", (Exception,), {})("leak")

def say(text):
    print(text)

def hog():
    return np.ones(10**9)

def loop():
    while True:
        pass

def odd():
    return type("Input42", (), {})()

def stop(code):
    import os
    os._exit(code)

nothing = 3
"""
FUNCTIONS = [*re.findall(r"def (\w+)", HONEST.decode()), "nothing", "absent"]


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(SHORT) as opened:
        yield opened


@pytest.fixture
def honest(sandbox):
    return sandbox.student(HONEST, "batch_norm.py", FUNCTIONS)


def failure(student, function, *args):
    with pytest.raises(StudentFailure) as caught:
        getattr(student, function)(*args)
    return caught.value


def descendants(ancestor):
    """Return the ids of the processes below `ancestor`."""
    parents = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = Path(f"/proc/{entry}/stat").read_bytes()
        except OSError:
            continue
        parents[int(entry)] = int(stat.rpartition(b")")[2].split()[1])
    below, new = set(), {ancestor}
    while new:
        new = {pid for pid, parent in parents.items() if parent in new} - below
        below |= new
    return below


def alive(pid):
    try:
        return b") Z " not in Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False


# Honest submissions


def test_values_come_back_as_they_are(honest):
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    with honest as student:
        doubled = student.double(x)
        np.testing.assert_array_equal(doubled, 2 * x)
        assert doubled.dtype == np.float32
        value = {"a": [1, 2.5, None], "b": (True, "text"), "c": float("inf")}
        assert student.same(value) == value
        assert type(student.same((1, 2))) is tuple
        assert np.isnan(student.same(float("nan")))
        np.testing.assert_array_equal(student.draw(Rng(3)), np.random.default_rng(3).random(3))


def test_an_array_larger_than_any_buffer_comes_back(honest):
    x = np.random.default_rng(0).standard_normal(2_000_000)
    with honest as student:
        np.testing.assert_array_equal(student.double(x), 2 * x)


def test_each_with_is_a_fresh_process(honest):
    with honest as first:
        assert first.count() == 1
        assert first.count() == 2
        with honest as second:
            assert second.count() == 1
        assert first.count() == 3


def test_damage_to_arguments_is_noticed_and_ours_stay_whole(honest):
    x, y = np.zeros(3), np.zeros(2)
    with honest as student:
        student.damage(x, [1], other={"y": y})
        assert student.damaged == {0, "other"}
        assert not x.any()
        assert not y.any()
        student.double(x)
        assert student.damaged == set()


def test_what_is_printed_is_shown_without_control_characters(honest):
    with honest as student:
        student.say("red \x1b[31m \u202e and é")
        assert student.output == "red [31m  and é\n"


def test_output_is_capped(sandbox):
    source = b"def flood():\n    for _ in range(100):\n        print('x' * 10_000)"
    with sandbox.student(source, functions=["flood"]) as student:
        student.flood()
        assert 0 < len(student.output) <= SHORT.output_bytes


# Failures of honest submissions


def test_an_exception_names_its_type_text_and_line(honest):
    with honest as student:
        failed = failure(student, "fail", 42)
        assert (failed.kind, failed.line) == ("raised", 27)
        assert failed.message.startswith("ValueError: the input was 42 (line 27: `raise ValueE")
        assert student.double(2) == 4


@pytest.mark.parametrize(
    ("function", "args", "kind", "message"),
    [
        ("absent", (), "missing", "no function named absent"),
        ("nothing", (), "missing", "no function named nothing"),
        ("hog", (), "memory", r"ran out of memory \(line \d+: `return np.ones"),
        ("loop", (), "timeout", r"longer than 3 s.*\(line \d+: `"),
        ("stop", (3,), "crashed", "exit code 3"),
        ("double", (), "raised", "TypeError: double"),
    ],
)
def test_each_failure_has_its_kind(honest, function, args, kind, message):
    with honest as student:
        failed = failure(student, function, *args)
        assert failed.kind == kind
        assert re.search(message, failed.message)
    with honest as student:
        assert student.double(3) == 6


def test_after_a_crash_every_call_fails_alike(honest):
    with honest as student:
        first = failure(student, "stop", 1)
        assert failure(student, "double", 1) is first
    assert failure(student, "double", 1) is first


def test_a_closed_student_says_so(honest):
    with honest as student:
        pass
    assert failure(student, "double", 1).kind == "crashed"


@pytest.mark.parametrize(
    ("source", "kind", "message", "line"),
    [
        (b"x = 1\ndef f(:\n", "raised", "SyntaxError", 2),
        (b"def f():\nreturn 1\n", "raised", "IndentationError", 2),
        (b"x = 1\nimport minidl\n", "raised", "ModuleNotFoundError: No module named 'minidl'", 2),
        (b"x = 1\n1 / 0\n", "raised", "ZeroDivisionError", 2),
        (b"a\0b", "raised", "null bytes", None),
        (b"\xff\xfe\x00", "raised", "SyntaxError", None),
        (b"# coding: nonsense\n", "raised", "SyntaxError", None),
        (b"import sys\nsys.exit(0)\n", "raised", "SystemExit: 0", 2),
        (b"import os\nos._exit(0)\n", "crashed", "exit code 0", None),
    ],
)
def test_a_file_that_cannot_be_executed(sandbox, source, kind, message, line):
    with pytest.raises(StudentFailure) as caught, sandbox.student(source):
        pytest.fail("the file was executed")
    assert caught.value.kind == kind
    assert message in caught.value.message
    assert line in (None, caught.value.line)


def test_hidden_checks_redact_everything_but_type_and_line(sandbox):
    with sandbox.student(HONEST, "batch_norm.py", FUNCTIONS, hidden=True) as student:
        student.say("the input was 42")
        assert student.output == ""
        assert failure(student, "fail", 42).message == (
            'ValueError (line 27: `raise ValueError(f"the input was {x}")`)'
        )
        leaked = failure(student, "leak", 42)
        assert leaked.message.startswith("an exception of its own class (line 30: ")
        odd = failure(student, "odd")
        assert odd.kind == "protocol"
        assert "42" not in odd.message


def test_arguments_outside_the_vocabulary_are_the_callers_mistake(honest):
    with honest as student:
        with pytest.raises(ArgumentError, match="request to double"):
            student.double(object())
        assert student.double(1) == 2
        with pytest.raises(AttributeError):
            student.unknown(1)


# The sandbox itself


def test_the_isolation_reached_is_reported(sandbox):
    assert sandbox.isolation.startswith("separate process, deadline, ")
    assert confine.LIMITS in sandbox.isolation
    table = {layer.name: layer for layer in confine.layers()}
    reached = [name for name, layer in table.items() if layer.used]
    assert sorted(reached) == sorted(re.split(r", (?![^(]*\))", sandbox.isolation))


def test_elsewhere_than_on_linux_it_refuses_unless_told(monkeypatch):
    monkeypatch.setattr(sandbox_module.sys, "platform", "darwin")
    with pytest.raises(SandboxError, match=r"expected Linux.*got darwin"):
        Sandbox()
    with Sandbox(allow_unconfined=True) as sandbox:
        assert sandbox.isolation == f"separate process, deadline, {confine.LIMITS}"
        with sandbox.student(HONEST, functions=["double"]) as student:
            assert student.double(4) == 8


def test_nothing_is_left_behind():
    before = descendants(os.getpid())
    with Sandbox(SHORT) as sandbox:
        root = sandbox._root
        with sandbox.student(HONEST, functions=FUNCTIONS) as student:
            assert len(list(root.iterdir())) == 1
            assert len(descendants(os.getpid()) - before) == 2
        assert list(root.iterdir()) == []
        assert len(descendants(os.getpid()) - before) == 1
    assert not root.exists()
    assert descendants(os.getpid()) <= before
    assert failure(student, "double", 1).kind == "crashed"


def test_a_dead_zygote_is_started_again(honest):
    with Sandbox(SHORT) as sandbox:
        submission = sandbox.student(HONEST, functions=FUNCTIONS)
        with submission as student:
            sandbox._zygote._process.kill()
            sandbox._zygote._process.wait()
            assert failure(student, "double", 1).kind == "crashed"
        with submission as student:
            assert student.double(1) == 2


def test_a_zygote_that_cannot_start_says_why(monkeypatch):
    monkeypatch.setattr(confine, "BOOT", "raise SystemExit('no such luck')")
    with pytest.raises(SandboxError, match="did not start: no such luck"), Sandbox():
        pytest.fail("a sandbox without a zygote")


def test_a_grader_that_dies_takes_its_workers_along(tmp_path):
    script = tmp_path / "grader.py"
    script.write_text(
        "import os, sys\n"
        "from minidl.grading.sandbox import Sandbox\n"
        "with Sandbox() as sandbox, sandbox.student(b'', functions=[]) as student:\n"
        "    print(sandbox._zygote._process.pid, student._worker._pid, sandbox._root, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    zygote, worker, root = done.stdout.split()
    until = time.monotonic() + PATIENCE
    while (alive(zygote) or alive(worker)) and time.monotonic() < until:
        time.sleep(0.01)
    assert not alive(zygote)
    assert not alive(worker)
    remove(Path(root))


def test_it_works_for_an_ordinary_user():
    """As root, give up every capability: a change of user could lock us out of our interpreter."""
    script = (
        "import os, sys\n"
        "from minidl.grading.sandbox import Sandbox\n"
        "with Sandbox() as sandbox:\n"
        "    with sandbox.student(b'def f(): return 2', functions=['f']) as student:\n"
        "        print(student.f(), sandbox.isolation)\n"
    )
    weak = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all", "--"]
    command = [*(weak if os.getuid() == 0 else ()), sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("2 separate process, deadline, "), done.stderr
    assert confine.LIMITS in done.stdout


@pytest.mark.skipif(landlock.abi() == 0, reason="this kernel has no Landlock")
@pytest.mark.parametrize(
    "action",
    [
        "open('/etc/passwd').read()",
        "open(np.__path__[0] + '/../pip/__init__.py').read()",
        "open('/tmp/minidl-written', 'w')",
        "open(np.__file__, 'a')",
        "os.listdir('/proc')",
        "os.kill(os.getppid(), 0)",
        "os.execv('/bin/true', ['true'])",
        "open('/proc/self/oom_score_adj', 'w').write('0')",
    ],
)
def test_landlock_refuses(sandbox, action):
    source = f"import os\nimport numpy as np\ndef act():\n    {action}\n".encode()
    with sandbox.student(source, functions=["act"]) as student:
        failed = failure(student, "act")
    assert failed.message.startswith("PermissionError"), failed.message


SECCOMP_CASES = [
    "os.fork()",
    "subprocess.run(['true'])",
    "multiprocessing.get_context('fork').Process(target=print).start()",
    "socket.socket()",
    "os.kill(os.getppid(), 0)",
    "os.pidfd_open(os.getppid())",
    "resource.prlimit(os.getppid(), resource.RLIMIT_AS)",
    "os.sched_setaffinity(os.getppid(), {0})",
    "os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)",
    "os.chmod('/tmp', 0o777)",
    "os.utime('/tmp')",
    "os.setxattr('.', 'user.x', b'')",
    "os.memfd_create('m')",
]


@pytest.fixture(scope="module")
def filtered(sandbox):
    """Whether this machine filters system calls; what must hold depends on it, never whether."""
    return confine.SECCOMP in sandbox.isolation.split(", ")


@pytest.mark.parametrize("action", SECCOMP_CASES)
def test_seccomp_refuses(sandbox, filtered, action):
    source = f"""
import multiprocessing, os, resource, socket, subprocess
def act():
    try:
        {action}
    except PermissionError:
        return "refused"
    return "allowed"
"""
    with sandbox.student(source.encode(), functions=["act"]) as student:
        assert student.act() == "refused" or not filtered


def test_seccomp_leaves_a_process_to_itself(sandbox):
    source = b"""
import os, resource, signal, threading
def act():
    threads = [threading.Thread(target=list) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    resource.prlimit(0, resource.RLIMIT_NOFILE)
    signal.signal(signal.SIGUSR2, lambda *_: None)
    os.kill(os.getpid(), signal.SIGUSR2)
    signal.raise_signal(signal.SIGUSR2)
    return len(threads)
"""
    with sandbox.student(source, functions=["act"]) as student:
        assert student.act() == 8


def verdict(code, machine, number, argument=0):
    """Interpret a filter as the kernel would."""
    data = {seccomp.NUMBER: number, seccomp.FIRST_ARGUMENT: argument}
    data[seccomp.ARCHITECTURE] = seccomp.ARCHITECTURES[machine][1]
    here = accumulator = 0
    while True:
        what, yes, no, operand = struct.unpack_from("=HBBI", code, 8 * here)
        here += 1
        if what == seccomp.RETURN:
            return operand
        if what == seccomp.LOAD:
            accumulator = data[operand]
            continue
        tests = {
            seccomp.EQUAL: accumulator == operand,
            seccomp.AT_LEAST: accumulator >= operand,
            seccomp.ANY_BIT: bool(accumulator & operand),
        }
        here += yes if tests[what] else no


@pytest.mark.parametrize("machine", seccomp.ARCHITECTURES)
def test_the_filter_says_what_its_table_says(machine):
    column, pid = seccomp.ARCHITECTURES[machine][0], 4321
    code = seccomp.program(machine, pid)
    refused, missing = (seccomp.RETURNS[label] for label in ("deny", "no such call"))
    denied = {call[column] for calls in seccomp.DENIED.values() for call in calls} - {None}
    special = {
        (seccomp.CLONE, 0): refused,
        (seccomp.CLONE, seccomp.CLONE_THREAD | 0x100): seccomp.ALLOW,
        (seccomp.CLONE3, 0): missing,
        (seccomp.PRCTL, seccomp.PR_SET_PDEATHSIG): refused,
        (seccomp.PRCTL, 4): seccomp.ALLOW,
        (seccomp.PRLIMIT64, 0): seccomp.ALLOW,
        (seccomp.PRLIMIT64, pid): seccomp.ALLOW,
        (seccomp.PRLIMIT64, 1): refused,
        **{(call, target): refused for call in seccomp.SIGNALS for target in (0, 1, 2**32 - 1)},
        **{(call, pid): seccomp.ALLOW for call in seccomp.SIGNALS},
    }
    for (call, argument), wanted in special.items():
        assert verdict(code, machine, call[column], argument) == wanted
    plain = set(range(600)) - {call[column] for call, _ in special}
    assert {n for n in plain if verdict(code, machine, n) == refused} == denied
    assert {verdict(code, machine, n) for n in plain - denied} == {seccomp.ALLOW}
    assert verdict(code, machine, seccomp.X32 + 1) == refused
    other = "aarch64" if machine == "x86_64" else "x86_64"
    assert verdict(code, other, 0) == seccomp.KILL_PROCESS


def test_a_machine_without_a_table_has_no_filter():
    with pytest.raises(OSError, match="no table"):
        seccomp.program("riscv64", 1)


def test_a_weaker_kernel_is_reported_and_its_strays_are_swept(monkeypatch):
    weaken = (
        "def refuse(*_): raise OSError\n"
        "confine = importlib.import_module('grading.confine')\n"
        "confine.seccomp.enforce = confine.landlock.Rules.enforce = refuse\n"
        "function("
    )
    monkeypatch.setattr(confine, "BOOT", confine.BOOT.replace("function(", weaken, 1))
    attack = Path(__file__).parent / "attacks" / "small_fork_bomb.py"
    with Sandbox(SHORT) as sandbox:
        assert confine.SECCOMP not in sandbox.isolation
        assert confine.LANDLOCK not in sandbox.isolation
        before = descendants(os.getpid())
        with sandbox.student(attack.read_bytes(), attack.name, ["answer"]) as student:
            end, pids = outcome(student, np.ones(3))
            assert end == "wrong"
        assert not any(alive(int(pid)) for pid in pids)
        assert descendants(os.getpid()) <= before


@pytest.mark.parametrize(
    "action",
    [
        "resource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
        "os.setuid(12345)",
        "os.mknod('node', 0o060600, 0x0800)",
    ],
)
def test_there_are_no_capabilities(sandbox, action):
    source = f"import os, resource\ndef act():\n    {action}\n".encode()
    with sandbox.student(source, functions=["act"]) as student:
        assert failure(student, "act").kind == "raised"


def test_the_scratch_folder_may_be_written_within_limits(sandbox):
    source = b"""
import tempfile
def write(n):
    with tempfile.TemporaryFile() as file, open("here", "wb") as other:
        file.write(b"x" * n); file.flush()
        return other.write(b"y" * 10)
"""
    with sandbox.student(source, functions=["write"]) as student:
        assert student.write(1000) == 10
        assert failure(student, "write", SHORT.file_bytes + 1).kind == "raised"


def test_the_network_is_out_of_reach(sandbox):
    source = b"""
import socket
def connect(port):
    socket.create_connection(("127.0.0.1", port), 2).close()
    return "connected"
"""
    submission = sandbox.student(source, functions=["connect"])
    with socket.create_server(("127.0.0.1", 0)) as server, submission as student:
        try:
            reached = student.connect(server.getsockname()[1])
        except StudentFailure as error:
            reached = error.kind
    confined = confine.NETWORK in sandbox.isolation or "TCP" in sandbox.isolation
    assert reached == ("raised" if confined else "connected")


def test_datagrams_do_not_leave_either(sandbox):
    source = b"""
import socket
def send(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        return sender.sendto(b"hello", ("127.0.0.1", port))
"""
    submission = sandbox.student(source, functions=["send"])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, submission as student:
        server.bind(("127.0.0.1", 0))
        server.setblocking(False)
        try:
            sent = student.send(server.getsockname()[1])
        except StudentFailure as error:
            sent = error.kind
    assert sent == ("raised" if confine.NETWORK in sandbox.isolation else 5)


def test_the_environment_says_nothing(monkeypatch):
    monkeypatch.setenv("SECRET", "42")
    source = (
        b"import os, sys\ndef look(): return [sorted(os.environ), sys.argv, __name__, __file__]"
    )
    with Sandbox(SHORT) as sandbox, sandbox.student(source, "batch_norm.py", ["look"]) as student:
        environment, arguments, name, file = student.look()
    assert "SECRET" not in environment
    assert (arguments, name, file) == (["batch_norm.py"], "batch_norm", "batch_norm.py")


# Attacks


def ends_as(path):
    """Return the kinds of end that the docstring of an attack names."""
    kinds = re.search(r"^Ends as: (.*)\.$", path.read_text(), re.MULTILINE)
    return set(re.findall(r"\w+", kinds[1])) - {"or"}


def outcome(student, x):
    """Return how a check ends that wants 2 * x, and the value if there was one."""
    try:
        value = student.answer(x)
    except StudentFailure as error:
        return error.kind, None
    right = isinstance(value, np.ndarray) and np.array_equal(value, 2 * x)
    return ("right" if right else "wrong"), value


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


# Small parts


def test_removal_copes_with_depth_links_and_permissions(tmp_path):
    folder = tmp_path / "scratch"
    (folder / "closed" / "inside").mkdir(parents=True)
    (folder / "closed" / "inside" / "file").write_text("x")
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("x")
    (folder / "link").symlink_to(kept)
    here = os.open(".", os.O_RDONLY)
    os.chdir(folder)
    for _ in range(1500):
        os.mkdir("d")
        os.chdir("d")
    os.fchdir(here)
    os.close(here)
    (folder / "closed" / "inside").chmod(0)
    (folder / "closed").chmod(0)
    remove(folder)
    assert not folder.exists()
    assert (kept / "file").exists()


def test_text_for_display_is_cleaned_and_cut():
    assert clean("a\tb\n\x00\x07\u200f\ud800c") == "a\tb\nc"
    assert clean("x" * 50, 10) == "x" * 7 + "..."
