"""What becomes of critest's specs: expected.toml, and what docs/conformance.md says of it."""

import fnmatch
import os
import tomllib

import tools

PATH = os.path.join(os.path.dirname(os.path.realpath(__file__)), "expected.toml")
DOCUMENT = os.path.join(tools.REPO, "docs", "conformance.md")
HANDLERS = ("crisp", "runc")

INTRODUCTION = """# Conformance

<!-- Made by tests/conformance/document.py from tests/conformance/expected.toml. -->

`sudo tools/test --only conformance` runs critest {critest}, the CRI's own validation suite,
against crispd: once for the default runtime handler and once for the handler `runc`; then the
streaming specs again over WebSockets, and `critest -benchmark`. It is built from the Go module
pinned in `third_party/go`, and runs in a network namespace of its own on crispd's built-in
network. The images it asks for are built from Debian's packages
(`tests/conformance/images.py`) and served by Debian's docker-registry under their own names
through `hosts.toml` mirrors, so nothing comes from the internet.

The suite fails when a spec does what is not written here: one that fails or is skipped, and
also one that passes against expectation. It fails too when critest leaves pods, mounts,
cgroups, network namespaces or snapshots behind.

## Specs

Of {specs} specs:

| handler | pass | skipped | fail |
|---|---|---|---|
{totals}

All specs pass but these:
"""


class Group:
    def __init__(self, table):
        self.title, self.outcome, self.reason = table["title"], table["outcome"], table["reason"]
        self.handlers = table.get("handlers", list(HANDLERS))
        self.unless, self.only = table.get("unless"), table.get("only")
        self.patterns = table["specs"]
        self.count = table.get("count", len(self.patterns))

    def holds(self, handler, host):
        return handler in self.handlers and self.unless not in host and (not self.only or self.only in host)

    def has(self, name):
        return any(name == p or fnmatch.fnmatchcase(name, _escape(p)) for p in self.patterns)


def _escape(pattern):
    # Only the star means anything; names have brackets.
    return pattern.replace("[", "[[]")


class Expected:
    def __init__(self):
        with open(PATH, "rb") as f:
            table = tomllib.load(f)
        self.critest, self.specs = table["critest"], table["specs"]
        self.groups = [Group(group) for group in table["group"]]

    def outcome(self, name, handler, host):
        for group in self.groups:
            if group.holds(handler, host) and group.has(name):
                return group.outcome
        return "passed"

    def differences(self, results, handler, host):
        """One line for each spec that did what it was not expected to."""
        lines = []
        for spec in results:
            wanted = self.outcome(spec.name, handler, host)
            if spec.outcome != wanted:
                lines.append(f"{spec.outcome}, expected to be {wanted}: {spec.name}\n    {spec.text[:2000]}")
        for group in self.groups:
            if not group.holds(handler, host):
                continue
            matched = sum(group.has(spec.name) for spec in results)
            if matched != group.count:
                lines.append(f"{matched} specs, expected to be {group.count}: {group.title}")
        if len(results) != self.specs:
            lines.append(f"critest has {len(results)} specs, expected to be {self.specs}")
        return lines

    def document(self):
        rows = []
        for handler in HANDLERS:
            count = {"skipped": 0, "failed": 0}
            for group in self.groups:
                if group.holds(handler, ()):
                    count[group.outcome] += group.count
            passed = self.specs - sum(count.values())
            name = "`crisp` (default)" if handler == "crisp" else f"`{handler}`"
            rows.append(f"| {name} | {passed} | {count['skipped']} | {count['failed']} |")
        parts = [INTRODUCTION.format(critest=self.critest, specs=self.specs, totals="\n".join(rows))]
        for group in self.groups:
            word = "fail" if group.outcome == "failed" else "skipped"
            where = "" if set(group.handlers) == set(HANDLERS) else ", with " + " and ".join(f"`{h}`" for h in group.handlers)
            parts.append(f"### {group.title} ({group.count} {word}{where})\n\n{group.reason}\n")
            parts.append("".join(f"- {pattern}\n" for pattern in group.patterns))
        return "\n".join(parts)


def host_features():
    """What of the host decides which specs run."""
    features = set()
    try:
        with open("/sys/module/apparmor/parameters/enabled", encoding="ascii") as f:
            if f.read().startswith("Y"):
                features.add("apparmor")
    except OSError:
        pass
    with open("/proc/sys/user/max_user_namespaces", encoding="ascii") as f:
        none = int(f.read()) == 0
    # Layers below an overlay can be idmapped since 5.19, a tmpfs since 6.3.
    if none or tuple(int(n) for n in os.uname().release.split("-")[0].split(".")[:2]) < (6, 3):
        features.add("no-user-namespaces")
    return features
