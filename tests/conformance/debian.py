"""Debian packages as parts of images: fetched with apt, never installed.

The packages that the images are made of (nginx, apache2, the busybox with a shell that
executes its commands) would start services or replace one of the host's own if they were
installed. They are unpacked under .crisp/conformance instead, once; what is already on the
host is taken from there.
"""

import fcntl
import glob
import os
import re
import shutil
import subprocess
import unittest

import image_builder
import tools

CACHE = os.path.join(tools.REPO, ".crisp", "conformance")
PACKAGES = ("busybox", "nginx", "nginx-common", "apache2-bin", "libapr1", "libaprutil1")


def _fetch(into):
    debs = os.path.join(into, "debs")
    os.makedirs(debs)
    # apt would drop to the user _apt, who cannot write here.
    apt = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=2"]
    download = [*apt, "download", *PACKAGES]
    if subprocess.run(download, cwd=debs, capture_output=True, check=False).returncode != 0:
        # The lists name versions that the archive no longer has.
        tools.run(*apt, "update", timeout=300)
        tools.run(*download, cwd=debs, timeout=300)
    for deb in glob.glob(os.path.join(debs, "*.deb")):
        tools.run("dpkg-deb", "-x", deb, os.path.join(into, "root"))


def unpacked():
    """The directory with the packages' files; fetched when it is missing or incomplete."""
    os.makedirs(CACHE, exist_ok=True)
    done = os.path.join(CACHE, "packages-" + "-".join(sorted(PACKAGES)))
    with open(os.path.join(CACHE, "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(done):
            scratch = done + ".new"
            shutil.rmtree(scratch, ignore_errors=True)
            try:
                _fetch(scratch)
            except tools.Failed as e:
                raise unittest.SkipTest(f"Debian's archive is out of reach: {e}") from e
            os.rename(scratch, done)
    return os.path.join(done, "root")


def _libraries(program, root):
    """What the dynamic linker loads for a program: {path in the image: file}."""
    folders = [os.path.dirname(path) for path in glob.glob(f"{root}/usr/lib/*/lib*.so*")]
    environment = dict(os.environ, LD_LIBRARY_PATH=":".join(sorted(set(folders))))
    listed = tools.run("ldd", program, env=environment).stdout
    found = {}
    for line in listed.splitlines():
        match = re.search(r"(?:=> )?(/\S+) \(0x", line)
        if not match:
            if "not found" in line:
                raise RuntimeError(f"{program}: {line.strip()}")
            continue
        path = match.group(1)
        inside = path[len(root):] if path.startswith(root) else path
        found[inside] = path
    return found


def add_file(layer, path, source, mode=None):
    """Adds a file of the host, and the directories above it."""
    with open(source, "rb") as f:
        data = f.read()
    add_parents(layer, path)
    mode = mode if mode is not None else os.stat(source).st_mode & 0o7777
    layer[path.lstrip("/")] = image_builder.regular(data, mode)


def add_parents(layer, path):
    parent = os.path.dirname(path.lstrip("/"))
    while parent:
        layer.setdefault(parent, image_builder.directory())
        parent = os.path.dirname(parent)


def add_program(layer, path, source, root):
    """Adds a dynamic program with its libraries."""
    add_file(layer, path, source, 0o755)
    for inside, library in _libraries(source, root).items():
        add_file(layer, inside, library, 0o755)
