#!/usr/bin/env python3
"""docs/benchmarks.md and its plot from podbench's JSON.

usage: tools/bench_report.py FIGURES.json MACHINE DOCS_DIRECTORY
"""

import json
import sys

OURS = "crisp"
# Name in the JSON, what the table calls it.
TARGETS = [
    ("crisp", "crisp"),
    ("crisp-cni", "crisp, CNI plugins"),
    ("runc", "containerd, runc"),
    ("crun", "containerd, crun"),
]
LIVES = [("pod start", "pod start"), ("ExecSync", "ExecSync of `true`"), ("pod end", "pod stop and remove")]
# In the table of one call each.
CALLS = [
    "RunPodSandbox",
    "CreateContainer",
    "StartContainer",
    "ExecSync",
    "StopContainer",
    "RemoveContainer",
    "StopPodSandbox",
    "RemovePodSandbox",
]


class Figure:
    """One line of the summary: a value for each target, and ours over the best of theirs."""

    def __init__(self, title, unit, values, lower_is_better, ours=OURS):
        self.title, self.unit, self.values = title, unit, values
        self.lower_is_better, self.ours = lower_is_better, ours

    def factor(self):
        theirs = [self.values[name] for name in ("runc", "crun") if name in self.values]
        if not theirs or self.ours not in self.values:
            return None
        if self.lower_is_better:
            return min(theirs) / max(self.values[self.ours], 1e-9)
        return self.values[self.ours] / max(theirs)


def summary(data):
    figures = []
    for network, of_network in data.get("latency", {}).items():
        for operation, title in LIVES:
            if network == "pod" and operation == "ExecSync":
                continue
            values = {n: of_network[n][operation]["p50_ms"] for n, _ in TARGETS if n in of_network}
            if network == "host":
                values.pop("crisp-cni", None)
                figures.append(Figure(f"{title}, host network", "ms", values, True))
                continue
            figures.append(Figure(f"{title}, built-in network against CNI plugins", "ms",
                                  {n: v for n, v in values.items() if n != "crisp-cni"}, True))
            figures.append(Figure(f"{title}, the same CNI plugins", "ms",
                                  {n: v for n, v in values.items() if n != "crisp"}, True, "crisp-cni"))
    for network, entry in data.get("throughput", {}).items():
        values = dict(entry["lives_per_second"])
        if network == "host":
            values.pop("crisp-cni", None)
        figures.append(Figure(f"pod lives a second, {entry['parallel']} at a time, {network} network",
                              "1/s", values, False))
    for row in data.get("figures", []):
        values = dict(row["values"])
        values.pop("crisp-cni", None)
        figures.append(Figure(row["title"], row["unit"], values, row["lower_is_better"]))
    return figures


def number(value):
    if value is None:
        return ""
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"


def summary_table(figures):
    lines = ["| | " + " | ".join(title for _, title in TARGETS) + " | better than the best by |",
             "|---|" + "---:|" * (len(TARGETS) + 1)]
    for figure in figures:
        cells = [number(figure.values.get(name)) for name, _ in TARGETS]
        factor = figure.factor()
        cells.append("" if factor is None else f"{factor:.1f}×")
        lines.append(f"| {figure.title}, {figure.unit} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def calls_table(of_network):
    names = [(n, t) for n, t in TARGETS if n in of_network]
    lines = ["| p50 / p90, ms | " + " | ".join(title for _, title in names) + " |",
             "|---|" + "---:|" * len(names)]
    for call in CALLS:
        cells = [f"{number(of_network[n][call]['p50_ms'])} / {number(of_network[n][call]['p90_ms'])}"
                 for n, _ in names if call in of_network[n]]
        lines.append(f"| {call} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def plot(figures):
    """Horizontal bars: how many times better than the best of theirs, on a log scale."""
    import math

    shown = [(f.title, f.factor()) for f in figures if f.factor()]
    left, width, row, top = 400, 460, 26, 34
    height = top + row * len(shown) + 30
    limit = max(16.0, max((factor for _, factor in shown), default=16.0)) * 1.2

    def x(factor):
        return left + width * math.log(max(factor, 0.25) / 0.25) / math.log(limit / 0.25)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 90}" height="{height}" '
           'font-family="sans-serif" font-size="12">',
           '<rect width="100%" height="100%" fill="white"/>',
           f'<text x="{left}" y="16" font-weight="bold">times better than the best of '
           'containerd with runc and with crun</text>']
    tick = 0.25
    while tick <= limit:
        colour = "#444" if tick == 1 else "#ddd"
        out.append(f'<line x1="{x(tick):.0f}" y1="{top - 8}" x2="{x(tick):.0f}" y2="{height - 24}" '
                   f'stroke="{colour}"/>')
        out.append(f'<text x="{x(tick):.0f}" y="{height - 8}" text-anchor="middle" '
                   f'fill="#444">{tick:g}×</text>')
        tick *= 2
    for i, (title, factor) in enumerate(shown):
        y = top + i * row
        start, end = sorted((x(1), x(factor)))
        colour = "#2a7" if factor >= 1 else "#c54"
        out.append(f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{title}</text>')
        out.append(f'<rect x="{start:.0f}" y="{y + 3}" width="{max(end - start, 1):.0f}" '
                   f'height="{row - 9}" fill="{colour}"/>')
        out.append(f'<text x="{max(end, x(1)) + 5:.0f}" y="{y + 15}">{factor:.1f}×</text>')
    out.append("</svg>")
    return "\n".join(out) + "\n"


TEXT = """# Benchmarks

Made by `sudo tools/bench --write`, which starts crispd twice (with its built-in network, and with
the CNI plugins) and containerd with its own CRI (over runc, over crun) on one machine, and measures
them in one run.

Machine: {machine}.

![How many times better than the best of containerd with runc and with crun](benchmarks.svg)

{summary}

## How it is measured

- **A pod's life** is one sandbox with one busybox container: start is RunPodSandbox, CreateContainer
  and StartContainer; end is StopContainer (the program ends at once on SIGTERM), RemoveContainer,
  StopPodSandbox and RemovePodSandbox. The client is one C++ program with a warm gRPC connection to
  each server (`tests/perf/podbench`). In every round each server lives one pod, in random order;
  {rounds} rounds on each network. The table has medians.
- **The same for all**: image bytes, CNI configuration and plugins, default seccomp on neither side
  (podbench asks for none), cgroupfs driver, containerd's default snapshotter. Everything is on one
  ext4, `/run` too. containerd's pause image runs busybox's sleep.
- **An exit** is a SIGKILL from outside; the time runs from the readiness of the process's pidfd to
  the first ContainerStatus that says EXITED, asked in a loop.
- **Memory** is PSS, from `/proc/<pid>/smaps_rollup`, of the shims and their children that are not
  the workload, a pod, after three seconds of rest; then once more after ten ExecSyncs in every pod.
- **Logs**: a container writes a file of 100-byte lines with `cat`; CPU seconds are those of the
  daemon and the shim. The number of lines in the log is checked.
- **Many containers**: 1,000 of them in 100 pods, one of each ten started. One question is asked for
  five seconds, on four connections with sixteen calls under way on each. The client takes the bytes
  of an answer and does not decode them; it is no gRPC library but some 300 lines that write HTTP/2
  frames (`raw_client.h`), since it shares the processors with the server and should not be what is
  measured. By the clock it may still bound the faster server; the figure per CPU second of the
  daemon is without it. crispd's PodSandboxStatus has the statuses of the pod's ten containers in
  it, which containerd 1.6 does not give. Memory is what the daemon's RSS grew by while they were made.
- **Better than the best by** compares with the better of runc and crun, figure by figure.

## Each call

### Host network

{host}

### Pod network

{pod}
"""


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        data = json.load(file)
    figures = summary(data)
    latency = data["latency"]
    rounds = len(latency["host"][OURS]["pod start"]["samples_ms"])
    text = TEXT.format(machine=sys.argv[2], summary=summary_table(figures), rounds=rounds,
                       host=calls_table(latency["host"]), pod=calls_table(latency["pod"]))
    with open(f"{sys.argv[3]}/benchmarks.md", "w", encoding="utf-8") as file:
        file.write(text)
    with open(f"{sys.argv[3]}/benchmarks.svg", "w", encoding="utf-8") as file:
        file.write(plot(figures))


if __name__ == "__main__":
    main()
