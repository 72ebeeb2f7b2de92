"""The layers of confinement, each tried from inside a worker; the filter also on paper."""

import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sandboxes import SHORT, alive, descendants, failure, outcome

from minidl.grading import confine, landlock, seccomp
from minidl.grading.sandbox import Sandbox
from minidl.grading.student import StudentFailure


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(SHORT) as opened:
        yield opened


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


@pytest.mark.skipif(landlock.abi() == 0, reason="this kernel has no Landlock")
def test_installed_packages_inside_the_standard_library_stay_unreadable(tmp_path):
    for name in ("site-packages", "json"):
        tmp_path.joinpath(name).mkdir()
        tmp_path.joinpath(name, "it.py").write_text("x = 1")
    script = (
        "import sys\n"
        "from minidl.grading import confine\n"
        "rules = confine.readable([sys.argv[1]], [])\n"
        "confine.prctl(confine.PR_SET_NO_NEW_PRIVS, 1)\n"
        "rules.enforce()\n"
        "for name in ('json', 'site-packages'):\n"
        "    try:\n"
        "        print(open(f'{sys.argv[1]}/{name}/it.py').read())\n"
        "    except PermissionError:\n"
        "        print('refused')\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.split("\n") == ["x = 1", "refused", ""], done.stderr


def test_a_worker_leaves_no_dump(sandbox):
    source = b"import ctypes\ndef act(): return ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)"
    with sandbox.student(source, functions=["act"]) as student:
        assert student.act() == (0 if confine.UNDUMPABLE in sandbox.isolation else 1)


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
