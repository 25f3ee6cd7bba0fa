"""What a node has in the kernel and on disk, so that two moments can be compared.

Only what belongs to the node under test is looked at: its directories, its network
namespace, and cgroups, processes and records that carry an id of one of its pods.
"""

import os
import re
import time

import tools

ID = re.compile(r"[0-9a-f]{64}")


def _walk(top, max_depth=6):
    """Every path below `top`, without following links, crossing what is mounted there, or
    descending beyond what a record would need."""
    found = []
    stack = [(top, 0)]
    while stack:
        path, depth = stack.pop()
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    found.append(entry.path)
                    if depth < max_depth and entry.is_dir(follow_symlinks=False):
                        stack.append((entry.path, depth + 1))
        except OSError:
            continue
    return found


def mounts(base):
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as f:
        points = [line.split()[4] for line in f]
    return {point for point in points if point.startswith(base + "/")}


def cgroups(ids):
    """Cgroup directories whose path names one of `ids`."""
    found = set()
    for top, dirs, _ in os.walk("/sys/fs/cgroup", followlinks=False):
        for name in dirs:
            path = os.path.join(top, name)
            if any(i in path + "/" for i in ids):
                found.add(path)
    return found


def processes(base, ids):
    """Processes that serve or are a pod: named on the command line, or by their cgroup."""
    found = set()
    for pid in tools.pids():
        if pid == os.getpid():
            continue
        command = tools.proc_cmdline(pid)
        try:
            with open(f"/proc/{pid}/cgroup", encoding="utf-8") as f:
                groups = f.read()
        except OSError:
            continue
        if any(i in command or i in groups for i in ids) or (
            "containerd-shim" in command and base in command
        ):
            found.add(f"{pid} {command}")
    return found


def links(node):
    # "7: veth1@if2: <...": the name up to '@'.
    out = node.in_netns("ip", "-o", "link", check=False).stdout
    return {line.split(":")[1].strip().split("@")[0] for line in out.splitlines()}


def firewall(node):
    """Rules without what changes by itself: handles and counters."""
    out = node.in_netns("nft", "list", "ruleset", check=False).stdout
    out += node.in_netns("iptables-save", check=False).stdout
    lines = set()
    for line in out.splitlines():
        if line.startswith("#") or line.startswith("COMMIT"):
            continue
        line = re.sub(r"counter packets \d+ bytes \d+|\[\d+:\d+\]|# handle \d+", "", line)
        lines.add(line.strip())
    return lines


def netns_files(node):
    """Names in every directory called netns below the node's, mounted on or not."""
    return {
        path
        for path in _walk(node.base)
        if "/netns/" in path and not path.endswith("/netns") and "/cni/" not in path
    }


def records(node, ids):
    """Files and directories named for a pod or container."""
    return {
        path
        for path in _walk(node.base)
        if any(i in os.path.basename(path) for i in ids) and "/logs/" not in path
    }


def containerd_objects(node):
    found = set()
    for what in ("containers ls -q", "tasks ls -q", "snapshots ls", "leases ls -q"):
        out = node.ctr(*what.split(), check=False).stdout
        for line in out.splitlines():
            words = line.split()
            if not words or words[0] == "KEY":
                continue
            # The view that pins an image's layers goes with the image.
            if words[-1] != "Committed" and not words[0].startswith("crisp-image-"):
                found.add(f"{what.split()[0]} {words[0]}")
    return found


def addresses(node):
    """Leases of host-local and whatever else keeps a file per address."""
    found = set()
    for path in _walk(node.base):
        name = os.path.basename(path)
        if re.fullmatch(r"\d+\.\d+\.\d+\.\d+", name):
            found.add(path)
    return found


def snapshot(node):
    ids = set(node.ids)
    return {
        "mounts": mounts(node.base),
        "cgroups": cgroups(ids | {node.name + "/"}),
        "processes": processes(node.base, ids),
        "links": links(node),
        "firewall": firewall(node),
        "netns": netns_files(node),
        "records": records(node, ids),
        "containerd": containerd_objects(node),
        "addresses": addresses(node),
    }


def difference(before, after):
    """What `after` has more than `before`, as text; "" if nothing."""
    lines = []
    for kind, had in before.items():
        for item in sorted(after[kind] - had):
            lines.append(f"{kind}: {item}")
    return "\n".join(lines)


def wait_clean(node, before, seconds=10):
    """Waits until nothing is left that was not there before; returns what is."""
    deadline = time.monotonic() + seconds * tools.SLOW
    while True:
        left = difference(before, snapshot(node))
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.2)
