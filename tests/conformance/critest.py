"""Runs critest, and reads what became of its specs."""

import os
import re
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

import tools

TIMEOUT = 900
PARALLEL = int(os.environ.get("CRITEST_PARALLEL", "4"))


def binary():
    path = os.environ.get("CRITEST") or os.path.join(os.path.dirname(tools.ours("crispd")), "critest")
    if not os.access(path, os.X_OK):
        why = os.environ.get("CRITEST_MISSING") or os.environ.get("CRICTL_MISSING")
        raise unittest.SkipTest(f"no critest: {why or 'tools/test builds it where the Go module proxy is reachable'}")
    return path


class Spec:
    """One spec: its name, "passed", "failed" or "skipped", and the reason or failure."""

    def __init__(self, name, outcome, text, seconds):
        self.name, self.outcome, self.text, self.seconds = name, outcome, text, seconds


def _read(path):
    specs = []
    for case in ElementTree.parse(path).iter("testcase"):
        # "[It] [k8s.io] Container runtime should ... [Conformance]"
        name = re.sub(r"^\[It\] ", "", case.get("name", ""))
        if name.startswith("["):
            name = re.sub(r"^\[k8s\.io\] ", "", name)
        if case.get("name", "").startswith(("[BeforeSuite]", "[AfterSuite]", "[Synchronized")):
            if case.find("failure") is None:
                continue
        failure = case.find("failure")
        if failure is None:
            failure = case.find("error")
        skipped = case.find("skipped")
        seconds = float(case.get("time") or 0)
        if failure is not None:
            text = f"{failure.get('message') or ''}\n{failure.text or ''}".strip()
            specs.append(Spec(name, "failed", text, seconds))
        elif skipped is not None:
            reason = re.sub(r"^skipped - ", "", skipped.get("message") or "").strip()
            specs.append(Spec(name, "skipped", reason, seconds))
        else:
            specs.append(Spec(name, "passed", "", seconds))
    return specs


def focus(names):
    """The flag that picks the specs with these names."""
    # ginkgo ends a serial spec's name in its report with a word that its focus does not know.
    return "-ginkgo.focus=" + "|".join(re.escape(name.removesuffix(" [Serial]")) for name in names)


def run(node, handler, directory, *flags):
    """Runs critest on the node's network and returns (specs, its output)."""
    os.makedirs(directory, exist_ok=True)
    # Without a file of ours it would read /etc/crictl.yaml.
    config = os.path.join(directory, "crictl.yaml")
    with open(config, "w", encoding="utf-8"):
        pass
    report = os.path.join(directory, "critest.xml")
    argv = [
        "nsenter", f"--net=/proc/{node.holder.pid}/ns/net", binary(),
        f"-config={config}", f"-runtime-endpoint={node.endpoint}", f"-image-endpoint={node.endpoint}",
        f"-runtime-handler={handler}", f"-ginkgo.junit-report={report}", "-ginkgo.no-color", *flags,
    ]  # fmt: skip
    if "-benchmark" not in flags and PARALLEL > 1:
        argv.append(f"-parallel={PARALLEL}")
    path = os.path.join(directory, "critest.log")
    # critest runs its specs beside each other with ginkgo, which it looks for on its path.
    scratch = tempfile.mkdtemp(prefix="crisp-critest.")
    environment = dict(
        os.environ, PATH=os.path.dirname(binary()) + ":" + os.environ.get("PATH", ""), TMPDIR=scratch
    )
    try:
        with open(path, "w", encoding="utf-8") as log:
            subprocess.run(
                argv, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=TIMEOUT, check=False
            )
    finally:
        # It leaves directories; what may still be mounted there is not ours to empty.
        subprocess.run(["rm", "-rf", "--one-file-system", scratch], check=False)
    with open(path, encoding="utf-8", errors="replace") as log:
        output = log.read()
    if not os.path.exists(report):
        raise AssertionError(f"critest left no report:\n{output[-4000:]}")
    return _read(report), output
