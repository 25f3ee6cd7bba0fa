#!/usr/bin/env python3
"""What the agent's pods cost and how soon they run; prints figures, passes and fails nothing.

  sudo tests/perf/agent_bench.py [--rounds 30] [--pods 100] [--seconds 20]

Programs are those of .crisp/test-bin (tools/test puts them there), or of CRISP_BIN. Needs a
machine that does nothing else.
"""

import argparse
import os
import resource
import statistics
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "integration"))
import harness  # noqa: E402

TWO_CONTAINERS = """
apiVersion: v1
kind: Pod
metadata: {name: two}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: one, image: busybox, imagePullPolicy: Never, command: [sleep, "100000"]}
  - {name: two, image: busybox, imagePullPolicy: Never, command: [sleep, "100000"]}
"""

PROBED = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: probed}
spec:
  replicas: %d
  strategy: {type: Recreate}
  selector: {matchLabels: {app: probed}}
  template:
    metadata: {labels: {app: probed}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: main
        image: busybox
        imagePullPolicy: Never
        command: [sleep, "100000"]
        livenessProbe: {exec: {command: ["true"]}, periodSeconds: 1}
"""


def milliseconds(node, *argv, **kwargs):
    begin = time.monotonic()
    node.crisp(*argv, **kwargs)
    return (time.monotonic() - begin) * 1000


def show(what, values):
    values = sorted(values)
    print(f"{what:<58} {statistics.median(values):7.1f} {values[int(len(values) * 0.9)]:7.1f}")


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
        fields = f.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def child(pid, name):
    """`pid`, or the process below it that runs `name` (nsenter executes, so it is `pid`)."""
    with open(f"/proc/{pid}/comm", encoding="utf-8") as f:
        assert f.read().strip() == name
    return pid


def start_times(node, rounds):
    print(f"{'ms':<58} {'p50':>7} {'p90':>7}")
    node.crisp("version")
    show("a command that only asks (crisp version)", [milliseconds(node, "version") for _ in range(rounds)])
    waits = []
    for _ in range(rounds):
        waits.append(milliseconds(node, "apply", "--wait", "-f", "-", input=TWO_CONTAINERS))
        node.crisp("delete", "pod", "two", "--wait")
    show("crisp apply --wait of a pod of two containers", waits)


def probes(node, pods, seconds):
    node.crisp("apply", "--wait", "--timeout", "300s", "-f", "-", input=PROBED % pods, timeout=320)
    time.sleep(5)
    processes = {"crispd": child(node.daemon.pid, "crispd"), "agent": child(node.agent.pid, "crisp")}
    before = {name: cpu_seconds(pid) for name, pid in processes.items()}
    begin = time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - begin
    print(f"\n{pods} pods with an exec probe each second, {seconds} s: cores")
    total = 0
    for name, pid in processes.items():
        used = (cpu_seconds(pid) - before[name]) / passed
        total += used
        print(f"{name:<58} {used:7.3f}")
    print(f"{'together':<58} {total:7.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--pods", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=20)
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    node = harness.Node()
    try:
        start_times(node, args.rounds)
        probes(node, args.pods, args.seconds)
        node.remove_all_pods()
    finally:
        node.destroy()


if __name__ == "__main__":
    main()
