"""critest on containerd's own CRI with crisp's shim as its runtime: each spec does what it
does with runc.

containerd 2.x (third_party/containerd2) runs twice, once with each runtime for every pod.
CRITEST_FOCUS and CRITEST_PARALLEL are as in test_conformance.py.
"""

import os
import sys
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "integration"), os.path.join(HERE, "..", "images")]

import containerd_node  # noqa: E402
import critest  # noqa: E402
import harness  # noqa: E402
import images  # noqa: E402
import registry  # noqa: E402
import tools  # noqa: E402
from test_conformance import HOSTS  # noqa: E402

PORT = 5000

# What containerd 2.x's RemoveContainer answers if the container has ended by itself and its
# task is deleted, while the status that says so is still on its way to the disk. It is a
# race of containerd with itself, which kubelet ends by asking again; so does this test.
CONTAINERD_RACE = "container is still running, to stop first"


class ContainerdCri(unittest.TestCase):
    def run_critest(self, runtime, built):
        """What became of each spec, by name."""
        node = containerd_node.ContainerdNode(runtime)
        self.addCleanup(node.destroy)
        served = registry.DockerRegistry(node, PORT)
        self.addCleanup(served.stop)
        registry.upload_all(node, PORT, {name.split("/", 1)[1]: image for name, image in built.items()})
        for host in images.REGISTRIES:
            os.makedirs(f"{node.certs}/{host}")
            with open(f"{node.certs}/{host}/hosts.toml", "w", encoding="utf-8") as f:
                f.write(HOSTS.format(port=PORT))
        flags = []
        if focus := os.environ.get("CRITEST_FOCUS"):
            flags.append(f"-ginkgo.focus={focus}")
        directory = os.path.join(os.environ.get("CRISP_KEEP_LOGS") or node.base, f"containerd-{runtime}")
        specs, output = critest.run(node, "", directory, *flags)
        self.assertTrue(specs, output[-4000:])
        outcomes = {spec.name: spec for spec in specs}
        for _ in range(10):
            raced = [spec.name for spec in outcomes.values() if CONTAINERD_RACE in spec.text]
            if not raced:
                break
            print(f"      containerd raced with itself, once more: {raced}", flush=True)
            specs, output = critest.run(node, "", f"{directory}-again", critest.focus(raced))
            again = {spec.name: spec for spec in specs if spec.name in raced and spec.outcome != "skipped"}
            self.assertEqual(sorted(again), sorted(raced), output[-4000:])
            outcomes.update(again)
        if runtime == "crisp":
            self.assertEqual(node.call("ListPodSandbox").get("items", []), [], "critest left pods")
            harness.eventually(lambda: not node.shims(), 10, "the shims to end")
            harness.eventually(lambda: not node.mounts(), 10, "mounts to go")
        return outcomes, node.log_tail()

    def test_every_spec_does_what_it_does_with_runc(self):
        critest.binary()
        tools.containerd2()
        tools.theirs("runc")
        scratch = os.environ.get("CRISP_KEEP_LOGS") or "/tmp"
        os.makedirs(scratch, exist_ok=True)
        built = images.build(scratch)
        theirs, _ = self.run_critest("runc", built)
        ours, log = self.run_critest("crisp", built)
        for name, specs in (("runc", theirs), ("crisp", ours)):
            count = {word: sum(s.outcome == word for s in specs.values()) for word in ("passed", "failed", "skipped")}
            print(f"      containerd with {name}: {count}", flush=True)
        differences = []
        for name in sorted(theirs.keys() | ours.keys()):
            pair = [specs[name].outcome if name in specs else "missing" for specs in (theirs, ours)]
            # runc before 1.2 has no idmapped mounts, for which its specs are skipped.
            if pair[0] != pair[1] and pair != ["skipped", "passed"]:
                text = ours[name].text if name in ours else ""
                differences.append(f"{pair[0]} with runc, {pair[1]} with crisp: {name}\n    {text[:3000]}")
        if differences:
            self.fail(f"containerd's log ends:\n{log}\n" + "\n".join(differences))
        self.assertGreater(sum(s.outcome == "passed" for s in ours.values()), 90)


if __name__ == "__main__":
    unittest.main()
