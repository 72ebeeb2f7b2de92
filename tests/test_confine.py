"""The layers of confinement, each tried from inside a worker; the filter also on paper."""

import os
import socket
import struct
import subprocess
import sys

import numpy as np
import pytest
from sandboxes import SHORT, alive, descendants, failure, outcome, refuse

from minidl.grading import confine, landlock, seccomp
from minidl.grading.sandbox import Sandbox
from minidl.grading.student import StudentFailure


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(SHORT) as opened:
        yield opened


def test_there_is_no_other_file(sandbox):
    source = b"""
import os
import numpy as np
def look():
    installed = os.path.dirname(os.path.dirname(np.__file__))
    places = ["/etc", "/tmp", "/proc", "/home", "/dev/shm", installed + "/pip"]
    found = [path for path in places if os.path.lexists(path)]
    return [path for path in found if not installed.startswith(path + "/")]
"""
    with sandbox.student(source, functions=["look"]) as student:
        assert student.look() == [] or confine.VIEW not in sandbox.isolation


@pytest.mark.skipif(landlock.abi() == 0, reason="this kernel has no Landlock")
def test_landlock_refuses_by_itself(monkeypatch):
    """In most containers there are no namespaces, and every file could be seen."""
    refuse(monkeypatch, "namespaces.leave", "confine._become_nobody_else")
    actions = [
        "open('/etc/passwd').read()",
        "open(np.__path__[0] + '/../pip/__init__.py').read()",
        "open('/tmp/minidl-written', 'w')",
        "open('written', 'w')",
        "os.mkdir('made')",
        "open(np.__file__, 'a')",
        "os.listdir('/proc')",
        "os.kill(os.getppid(), 0)",
        "os.execv('/bin/true', ['true'])",
        "open('/proc/self/oom_score_adj', 'w').write('0')",
    ]
    bodies = [f"def act_{i}():\n    {action}\n" for i, action in enumerate(actions)]
    source = "import os\nimport numpy as np\n" + "\n".join(bodies)
    functions = [f"act_{i}" for i in range(len(actions))]
    with Sandbox(SHORT) as weak, weak.student(source.encode(), functions=functions) as student:
        assert confine.VIEW not in weak.isolation
        assert confine.NETWORK not in weak.isolation
        for function, action in zip(functions, actions, strict=True):
            failed = failure(student, function)
            assert failed.message.startswith("PermissionError"), (action, failed.message)


def test_without_namespaces_and_landlock_the_filter_closes_the_disk(monkeypatch, tmp_path):
    refuse(monkeypatch, "namespaces.leave", "landlock.Rules.enforce")
    (tmp_path / "there").write_text("as it was")
    tmp_path.chmod(0o777)
    (tmp_path / "there").chmod(0o666)
    actions = [
        "open(folder + '/new', 'w')",
        "open(folder + '/there', 'r+')",
        "os.open(folder + '/there', os.O_RDONLY | os.O_TRUNC)",
        "os.mkdir(folder + '/new')",
        "os.symlink('there', folder + '/new')",
        "os.link(folder + '/there', folder + '/new')",
        "os.rename(folder + '/there', folder + '/new')",
        "os.unlink(folder + '/there')",
        "os.truncate(folder + '/there', 0)",
        "os.mkfifo(folder + '/new')",
    ]
    bodies = [f"def act_{i}(folder):\n    {action}\n" for i, action in enumerate(actions)]
    source = "import os\n" + "\n".join(bodies)
    functions = [f"act_{i}" for i in range(len(actions))]
    with Sandbox(SHORT) as weak, weak.student(source.encode(), functions=functions) as student:
        filtered = confine.SECCOMP in weak.isolation.split(", ")
        for function in functions if filtered else ():
            failed = failure(student, function, str(tmp_path))
            assert failed.message.startswith("PermissionError"), failed.message
    assert not filtered or os.listdir(tmp_path) == ["there"]
    assert not filtered or (tmp_path / "there").read_text() == "as it was"


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
    "fcntl.fcntl(0, fcntl.F_SETOWN, os.getppid())",
]


@pytest.fixture(scope="module")
def filtered(sandbox):
    """Whether this machine filters system calls; what must hold depends on it, never whether."""
    return confine.SECCOMP in sandbox.isolation.split(", ")


@pytest.mark.parametrize("action", SECCOMP_CASES)
def test_seccomp_refuses(sandbox, filtered, action):
    source = f"""
import fcntl, multiprocessing, os, resource, socket, subprocess
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


def verdict(code, machine, number, *arguments):
    """Interpret a filter as the kernel would."""
    places = [seccomp.ARGUMENTS + 8 * place for place in range(6)]
    data = dict.fromkeys(places, 0) | dict(zip(places, arguments, strict=False))
    data |= {seccomp.NUMBER: number, seccomp.ARCHITECTURE: seccomp.ARCHITECTURES[machine][1]}
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


ALLOWED = seccomp.ALLOW
REFUSED, MISSING = (seccomp.RETURNS[label] for label in ("deny", "no such call"))
PID = 4321
BY_ARGUMENT = [
    (seccomp.CLONE, (0,), REFUSED),
    (seccomp.CLONE, (seccomp.CLONE_THREAD | 0x100,), ALLOWED),
    (seccomp.CLONE3, (0,), MISSING),
    (seccomp.PRCTL, (seccomp.PR_SET_PDEATHSIG,), REFUSED),
    (seccomp.PRCTL, (4,), ALLOWED),
    (seccomp.PRLIMIT64, (0,), ALLOWED),
    (seccomp.PRLIMIT64, (PID,), ALLOWED),
    (seccomp.PRLIMIT64, (1,), REFUSED),
    *[(call, (target,), REFUSED) for call in seccomp.SIGNALS for target in (0, 1, 2**32 - 1)],
    *[(call, (PID,), ALLOWED) for call in seccomp.SIGNALS],
    (seccomp.FCNTL, (8, 0), ALLOWED),
    *[(seccomp.FCNTL, (0, command), REFUSED) for command in seccomp.OWNERS_BY_FCNTL],
    (seccomp.IOCTL, (0x8901, 0), ALLOWED),
    *[(seccomp.IOCTL, (0, command), REFUSED) for command in seccomp.OWNERS_BY_IOCTL],
]
OPENING = [
    (seccomp.OPEN, (0, os.O_RDONLY), ALLOWED),
    (seccomp.OPEN, (0, os.O_RDONLY | os.O_CREAT), REFUSED),
    (seccomp.OPENAT, (os.O_RDWR, os.O_RDWR, os.O_RDONLY | os.O_CLOEXEC), ALLOWED),
    (seccomp.OPENAT, (0, 0, os.O_RDWR), REFUSED),
    (seccomp.OPENAT, (0, 0, os.O_RDONLY | os.O_TRUNC), REFUSED),
    (seccomp.OPENAT2, (0,), MISSING),
]


@pytest.mark.parametrize("files", [True, False])
@pytest.mark.parametrize("machine", seccomp.ARCHITECTURES)
def test_the_filter_says_what_its_table_says(machine, files):
    column = seccomp.ARCHITECTURES[machine][0]
    code = seccomp.program(machine, PID, files)
    special = [*BY_ARGUMENT, *([] if files else OPENING)]
    groups = [*seccomp.DENIED.values(), *([] if files else [seccomp.CHANGES])]
    denied = {call[column] for calls in groups for call in calls} - {None}
    for call, arguments, wanted in special:
        if call[column] is not None:
            assert verdict(code, machine, call[column], *arguments) == wanted, (call, arguments)
    plain = set(range(600)) - {call[column] for call, _, _ in special}
    assert {n for n in plain if verdict(code, machine, n) == REFUSED} == denied
    assert {verdict(code, machine, n) for n in plain - denied} == {ALLOWED}
    assert verdict(code, machine, seccomp.X32 + 1) == REFUSED
    other = "aarch64" if machine == "x86_64" else "x86_64"
    assert verdict(code, other, 0) == seccomp.KILL_PROCESS


@pytest.mark.parametrize("machine", seccomp.ARCHITECTURES)
def test_threads_are_refused_where_nothing_else_bounds_them(machine):
    code = seccomp.program(machine, PID, threads=False)
    clone = seccomp.CLONE[seccomp.ARCHITECTURES[machine][0]]
    assert verdict(code, machine, clone, seccomp.CLONE_THREAD | 0x100) == REFUSED


def test_a_machine_without_a_table_has_no_filter():
    with pytest.raises(OSError, match="no table"):
        seccomp.program("riscv64", 1)


FORKS = b"""
import os, signal, time
import numpy as np

def answer(x):
    children = []
    for _ in range(6):
        child = os.fork()
        if child == 0:
            os.setsid()
            if os.fork() == 0:
                signal.pthread_sigmask(signal.SIG_SETMASK, set(signal.Signals))
            time.sleep(120)
            os._exit(0)
        children.append(child)
    return np.array(children)
"""


def test_a_weaker_kernel_is_reported_and_its_strays_are_swept(monkeypatch):
    refuse(monkeypatch, "seccomp.enforce", "landlock.Rules.enforce")
    with Sandbox(SHORT) as sandbox:
        assert confine.SECCOMP not in sandbox.isolation
        assert confine.LANDLOCK not in sandbox.isolation
        before = descendants(os.getpid())
        with sandbox.student(FORKS, functions=["answer"]) as student:
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
