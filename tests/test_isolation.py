"""The sandbox where the kernel gives less: as a user, without capabilities, in a container."""

import errno
import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from minidl.grading import confine, landlock
from minidl.grading.sandbox import Sandbox

ROOT = getattr(os, "getuid", lambda: -1)() == 0
DOCKERS = "chown,dac_override,fowner,fsetid,kill,setgid,setuid,setpcap,net_raw,sys_chroot,mknod"
AS_ROOT = "needs root to become somebody else"

SCRIPT = """
import ctypes, os, platform, site, struct, sys
sys.path.insert(0, sys.argv[1])
site.addsitedir(sys.argv[3])
from minidl.grading import seccomp
from minidl.grading.landlock import libc

if sys.argv[2] == "contained":
    # As Docker's own filter: no new namespaces, no mounting.
    column = seccomp.ARCHITECTURES[platform.machine()][0]
    calls = [call[column] for call in ((272, 97), (165, 40), (155, 41))]
    code = [struct.pack("=HBBI", 0x20, 0, 0, 0)]
    for place, call in enumerate(calls):
        code.append(struct.pack("=HBBI", 0x15, len(calls) - place, 0, call))
    code += [struct.pack("=HBBI", 6, 0, 0, value) for value in (0x7FFF0000, 0x50001)]
    text = ctypes.create_string_buffer(b"".join(code))
    header = struct.pack("@HP", len(code), ctypes.addressof(text))
    libc().prctl(38, *map(ctypes.c_ulong, (1, 0, 0, 0)))
    assert libc().prctl(22, ctypes.c_ulong(2), header, ctypes.c_ulong(0), ctypes.c_ulong(0)) == 0

from minidl.grading.sandbox import Sandbox
SOURCE = b'''
import ctypes, os
def f():
    return os.getuid()
def make():
    os.mkdir("made")
    open("made/file", "w").close()
    return True
def other():
    return open("/etc/passwd").read()[:4]
def swarm():
    libc, thread = ctypes.CDLL(None), ctypes.c_ulong()
    smallest = ctypes.create_string_buffer(256)
    libc.pthread_attr_init(smallest)
    libc.pthread_attr_setstacksize(smallest, ctypes.c_size_t(16384))
    start = lambda: libc.pthread_create(ctypes.byref(thread), smallest, libc.pause, None)
    return all(start() == 0 for _ in range(4000))
'''
with Sandbox() as sandbox:
    with sandbox.student(SOURCE, functions=["f", "make", "other", "swarm"]) as student:
        print(sandbox.isolation)
        for function in (student.f, student.make, student.other, student.swarm):
            try:
                print(function())
            except Exception as error:
                print(str(error).partition(":")[0])
"""


def sandboxed(*prefix, python=sys.executable, contained=False):
    """Run the script in a process made weaker by `prefix`; return all lines but the last.

    That one says that the machine's process ids cannot be used up, however little there is.
    """
    library, installed = Path(__file__).parent.parent, Path(np.__file__).parent.parent
    kind = "contained" if contained else "free"
    command = [*prefix, python, "-c", SCRIPT, str(library), kind, str(installed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stderr
    *lines, swarm = done.stdout.splitlines()
    assert swarm == "False"
    return lines


def test_as_it_is():
    isolation, uid, made, other = sandboxed()
    if confine.OWN_USER in isolation:
        assert int(uid) >= confine.OWN_USERS[1][0]
    else:
        assert int(uid) == os.getuid()
    if confine.level(isolation) == "full":
        assert (made, other) == ("True", "FileNotFoundError")


def kernel_offers():
    """Return the layers that others' tools and files say this kernel has."""
    spaces = ["--mount", "--net", *([] if ROOT else ["--user"])]
    tool = shutil.which("unshare")
    offers = []
    if tool and subprocess.run([tool, *spaces, "true"], check=False).returncode == 0:
        offers += [confine.NETWORK, confine.VIEW, *([confine.OWN_USER] if ROOT else [])]
    if Path("/proc/sys/kernel/seccomp/actions_avail").exists():
        offers.append(confine.SECCOMP)
    with suppress(OSError):
        modules = Path("/sys/kernel/security/lsm").read_text().split(",")
        offers += [confine.LANDLOCK] if "landlock" in modules else []
    return offers


def test_what_the_kernel_offers_is_used():
    with Sandbox() as sandbox:
        for layer in kernel_offers():
            assert layer in sandbox.isolation


@pytest.mark.skipif(not ROOT, reason=AS_ROOT)
def test_root_without_capabilities_is_an_ordinary_user():
    weak = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all", "--"]
    isolation, uid, _, other = sandboxed(*weak)
    assert int(uid) in (0, 65534)  # nobody, in a user namespace that it may not be mapped into
    assert confine.OWN_USER not in isolation
    assert other in ("FileNotFoundError", "PermissionError") or landlock.abi() == 0


@pytest.mark.skipif(not ROOT, reason=AS_ROOT)
def test_in_a_container_as_root():
    """Docker's default: some capabilities, no namespaces; the disk is closed instead."""
    kept = ",".join(f"+{name}" for name in DOCKERS.split(","))
    weak = ["setpriv", f"--bounding-set=-all,{kept}", "--"]
    isolation, uid, made, other = sandboxed(*weak, contained=True)
    assert confine.VIEW not in isolation
    assert confine.NETWORK not in isolation
    assert made == "PermissionError"
    if landlock.abi():
        assert confine.level(isolation) == "good"
        assert other == "PermissionError"
    readable = all(os.access(p, os.X_OK) and p.stat().st_mode & 1 for p in above(sys.executable))
    assert (confine.OWN_USER in isolation) == (int(uid) != 0) == readable


def above(path):
    """Return the folders that lead to an interpreter and to NumPy, links followed."""
    return [*Path(path).resolve().parents, *Path(np.__file__).resolve().parents]


def for_all():
    """Return an interpreter of this version that every user can run, or None."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for path in (sys.executable, f"/usr/bin/{name}", f"/usr/local/bin/{name}"):
        if Path(path).exists() and all(p.stat().st_mode & 1 for p in above(path)):
            return path
    return None


@pytest.mark.skipif(not ROOT, reason=AS_ROOT)
@pytest.mark.skipif(for_all() is None, reason="every interpreter lies in a closed folder")
@pytest.mark.parametrize("contained", [False, True], ids=["free", "in a container"])
def test_as_a_user(contained):
    weak = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", "--"]
    found = sandboxed(*weak, python=for_all(), contained=contained)
    isolation, uid, made, other = found
    assert int(uid) == 12345
    assert confine.OWN_USER not in isolation
    if confine.VIEW in isolation:
        assert not contained
        assert (made, other) == ("True", "FileNotFoundError")
    else:
        assert made == "PermissionError"
        assert other == "PermissionError" or not landlock.abi()


# In this process


def test_levels():
    everything = ", ".join(confine.NOTES)
    assert confine.level(everything) == "full"
    assert confine.level(everything.replace(confine.OWN_USER, "")) == "full"
    for lost in (confine.VIEW, confine.NETWORK):
        assert confine.level(everything.replace(lost, "")) == "good"
    assert confine.level(everything.replace(confine.SECCOMP, "")) == "weak"
    without = everything.replace(confine.VIEW, "").replace(confine.LANDLOCK, "")
    assert confine.level(without) == "weak"
    assert set(confine.LEVELS) == {"full", "good", "weak"}


def test_the_grader_is_shut_while_a_sandbox_is_open():
    def dumpable():
        return landlock.libc().prctl(confine.PR_GET_DUMPABLE, 0, 0, 0, 0)

    before = dumpable()
    with Sandbox():
        assert dumpable() == 0
        with confine.Shut():
            assert dumpable() == 0
        assert dumpable() == 0
    assert dumpable() == before


def test_a_view_shows_what_it_is_told_and_hides_installed_packages(tmp_path):
    (tmp_path / "lib" / "site-packages" / "kept").mkdir(parents=True)
    (tmp_path / "lib" / "site-packages" / "hidden").mkdir()
    (tmp_path / "lib" / "site-packages" / "kept" / "it.py").write_text("x = 1")
    (tmp_path / "lib" / "os.py").write_text("x = 2")
    (tmp_path / "secret").write_text("x = 3")
    (tmp_path / "root").mkdir()
    script = (
        "import json, os, sys\n"
        "from minidl.grading import namespaces\n"
        "top, root = sys.argv[1:]\n"
        "try:\n"
        "    namespaces.leave()\n"
        "except OSError:\n"
        "    sys.exit('refused')\n"
        "kept = f'{top}/lib/site-packages/kept'\n"
        "namespaces.enter(root, [f'{top}/lib', kept, kept + '/it.py', '/dev/null'])\n"
        "namespaces.scratch(4096, 4)\n"
        "seen = [p for p in ('lib/os.py', 'lib/site-packages/hidden', 'secret') "
        "if os.path.exists(f'{top}/{p}')]\n"
        "written = 0\n"
        "try:\n"
        "    while True:\n"
        "        open(f'{namespaces.SCRATCH}/{written}', 'x').close()\n"
        "        written += 1\n"
        "except OSError:\n"
        "    pass\n"
        "try:\n"
        "    open(f'{top}/lib/new', 'x')\n"
        "except OSError as error:\n"
        "    refused = error.errno\n"
        "open('/dev/null', 'w').write('x')\n"
        "print(json.dumps([seen, os.listdir(kept), written, refused]))\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path), str(tmp_path / "root")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.stderr.strip() != "refused":
        assert json.loads(done.stdout) == [["lib/os.py"], ["it.py"], 3, errno.EROFS], done.stderr
    assert list((tmp_path / "root").iterdir()) == []
