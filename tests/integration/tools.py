"""Where the programs under test and the programs they are tested with are.

tools/test sets CRISP_BIN and CRICTL; by hand they are found in the build's output.
"""

import ctypes
import os
import shutil
import subprocess
import unittest

REPO = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
EXAMPLES = os.path.join(REPO, "examples")
# How many times slower than a processor this machine is: an emulated one, say (tests/vm).
# Every bound on a wait is so much wider, and what is promised in seconds, too.
SLOW = float(os.environ.get("CRISP_TEST_SLOW", "1"))


def _bin_dir():
    for candidate in (os.environ.get("CRISP_BIN"), os.path.join(REPO, ".crisp/test-bin")):
        if candidate and os.path.isdir(candidate):
            return candidate
    return os.path.join(REPO, ".crisp/bin")


def ours(name):
    """A program of this repository; its absence is a failure, not a reason to skip."""
    path = os.path.join(_bin_dir(), name)
    if not os.access(path, os.X_OK):
        raise RuntimeError(f"{path} is not built: tools/test builds it")
    return path


def theirs(name, *places):
    """A program of Debian's, or a skip that says what is missing."""
    search = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])
    path = shutil.which(name, path=search)
    for place in places:
        if not path and os.access(os.path.join(place, name), os.X_OK):
            path = os.path.join(place, name)
    if not path:
        raise unittest.SkipTest(f"{name} is not installed")
    return path


def crictl():
    path = os.environ.get("CRICTL") or os.path.join(_bin_dir(), "crictl")
    if not os.access(path, os.X_OK):
        raise unittest.SkipTest(
            "no crictl: " + os.environ.get("CRICTL_MISSING", "tools/test builds it where the Go module proxy is reachable")
        )
    return path


def containerd2():
    """containerd 2.x, with ctr and its runc shim beside it."""
    path = os.path.join(os.environ.get("CONTAINERD2") or os.path.join(_bin_dir(), "containerd2"), "containerd")
    if not os.access(path, os.X_OK):
        raise unittest.SkipTest(
            "no containerd 2.x: "
            + os.environ.get("CONTAINERD2_MISSING", "tools/test builds it where the Go module proxy is reachable")
        )
    return path


def need_root():
    if os.geteuid() != 0:
        raise unittest.SkipTest("needs root: it runs containers")


def own_mounts():
    """A mount table of this process's own, from here on, and of whatever it starts: for suites that
    compare the whole of it, which others on this machine change meanwhile. Everything in it is shared,
    as systemd's hosts have it, so that what is not kept from propagating shows. Without the mounts of
    others' containers and namespaces: who removes the place of one takes it away here as well."""
    need_root()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x00020000) != 0:  # CLONE_NEWNS
        raise OSError(ctypes.get_errno(), "unshare")
    run("mount", "--make-rprivate", "/")
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as f:
        points = [line.split()[4] for line in f]
    needed = [os.path.join(os.path.realpath(path), "") for path in (REPO, _bin_dir(), os.getcwd())]
    others = [
        point
        for point in points
        if point.startswith(("/tmp/", "/run/", "/var/lib/")) and not any(n.startswith(point + "/") for n in needed)
    ]
    if others:
        run("umount", "--lazy", *others, check=False)
    run("mount", "--make-rshared", "/")


class Failed(AssertionError):
    """A command that should have worked did not; the message holds what it said."""

    def __init__(self, argv, result):
        self.code, self.out, self.err = result.returncode, result.stdout, result.stderr
        super().__init__(
            f"{' '.join(argv)} exited with {result.returncode}\n{result.stdout}{result.stderr}"
        )


def run(*argv, check=True, timeout=120, **kwargs):
    """Runs a command and returns its CompletedProcess (text)."""
    argv = [str(a) for a in argv]
    kwargs.setdefault("stdin", subprocess.DEVNULL if "input" not in kwargs else None)
    if "input" in kwargs:
        kwargs.pop("stdin")
    result = subprocess.run(argv, capture_output=True, text=True, timeout=timeout * SLOW, **kwargs)
    if check and result.returncode != 0:
        raise Failed(argv, result)
    return result


def start(*argv, **kwargs):
    """A command in the background, for finish()."""
    return subprocess.Popen(
        [str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kwargs
    )


def finish(process, timeout):
    """Waits for it, and returns its CompletedProcess."""
    out, err = process.communicate(timeout=timeout * SLOW)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def proc_cmdline(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def pids():
    return [int(d) for d in os.listdir("/proc") if d.isdigit()]
