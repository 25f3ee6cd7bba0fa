"""critest on crispd: each spec does what expected.toml says, which docs/conformance.md repeats.

By hand: CRITEST_FOCUS=REGEX runs only some specs and shows them; CRITEST_PARALLEL=1 runs
them one by one.
"""

import glob
import json
import os
import sys
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "integration"), os.path.join(HERE, "..", "images")]

import critest  # noqa: E402
import expected  # noqa: E402
import harness  # noqa: E402
import images  # noqa: E402
import leaks  # noqa: E402
import registry  # noqa: E402

PORT = 5000
HOSTS = """server = "http://127.0.0.1:{port}"
[host."http://127.0.0.1:{port}"]
  capabilities = ["pull", "resolve"]
"""
BENCHMARKS = """containersNumber: 3
podsNumber: 3
imagesNumber: 2
"""

_node = None


def node():
    """One node with a registry for all tests here."""
    global _node
    if _node:
        return _node
    critest.binary()
    made = harness.Node(images=False)
    made.registry = None
    try:
        made.registry = registry.DockerRegistry(made, PORT)
        built = images.build(made.base)
        registry.upload_all(made, PORT, {name.split("/", 1)[1]: image for name, image in built.items()})
        for host in images.REGISTRIES:
            folder = os.path.join(made.certs, host)
            os.makedirs(folder)
            with open(os.path.join(folder, "hosts.toml"), "w", encoding="utf-8") as f:
                f.write(HOSTS.format(port=PORT))
        # The first pod makes what all pods share (a bridge, a cgroup): not a leak.
        pod = harness.example("pod-host-port.json")
        pod["log_directory"] = f"{made.logs}/warm-up"
        made.call(harness.RUNTIME + "RunPodSandbox", {"config": pod})
        made.remove_all_pods()
        made.clean = leaks.snapshot(made)
    except BaseException:
        _stop(made)
        raise
    _node = made
    return _node


def _stop(made):
    made.destroy()
    if made.registry:
        made.registry.stop()


def tearDownModule():
    global _node
    if _node:
        _stop(_node)
        _node = None


class Critest(unittest.TestCase):
    """What its subclasses share; it has no tests itself."""

    def directory(self, name):
        path = os.path.join(os.environ.get("CRISP_KEEP_LOGS") or node().base, name)
        os.makedirs(path, exist_ok=True)
        return path

    def clean_run(self, name, handler, *flags):
        """Runs critest and fails if it left anything behind."""
        on, focus = node(), os.environ.get("CRITEST_FOCUS")
        if focus:
            flags = (*flags, f"-ginkgo.focus={focus}")
        specs, output = critest.run(on, handler, self.directory(name), *flags)
        if focus:
            for spec in specs:
                if spec.outcome != "skipped":
                    print(f"{spec.outcome:8} {spec.seconds:6.1f} {spec.name}\n{spec.text[:2000]}")
            self.skipTest("CRITEST_FOCUS is set")
        self.assertEqual(on.pod_ids(), [], "critest left pods")
        left = leaks.wait_clean(on, on.clean)
        if left:
            on.clean = leaks.snapshot(on)
            self.fail(f"left behind:\n{left}\n--- crispd\n{on.log_tail()}")
        return specs, output


class Specs(Critest):
    def check(self, name, handler, *flags):
        specs, _ = self.clean_run(name, handler, *flags)
        differences = expected.Expected().differences(specs, name, expected.host_features())
        passed = sum(spec.outcome == "passed" for spec in specs)
        print(f"{name}: {passed} of {len(specs)} specs pass", flush=True)
        if differences:
            self.fail("\n".join(differences) + f"\n--- crispd\n{node().log_tail(20)}")

    def test_default_handler(self):
        self.check("crisp", "")

    def test_runc(self):
        self.check("runc", "runc")


    def test_streaming_over_websockets(self):
        """The other of the two transports that clients have."""
        flags = [f"-websocket-{what}" for what in ("exec", "attach", "portforward")]
        specs, output = self.clean_run("websocket", "", *flags, "-ginkgo.focus=Streaming")
        ran = [spec for spec in specs if spec.name.startswith("Streaming ")]
        self.assertEqual([f"{spec.name}: {spec.text}" for spec in ran if spec.outcome != "passed"], [], output[-4000:])
        self.assertEqual(len(ran), 5)


class Benchmark(Critest):
    def test_benchmarks(self):
        directory = self.directory("benchmark")
        parameters = os.path.join(directory, "parameters.yaml")
        with open(parameters, "w", encoding="utf-8") as f:
            f.write(BENCHMARKS)
        specs, output = self.clean_run(
            "benchmark", "", "-benchmark", f"-benchmarking-params-file={parameters}",
            f"-benchmarking-output-dir={directory}",
        )  # fmt: skip
        ran = [spec for spec in specs if "benchmark" in spec.name]
        self.assertEqual([spec.name for spec in ran if spec.outcome != "passed"], [], output[-4000:])
        self.assertEqual(len(ran), 5)
        for path in glob.glob(os.path.join(directory, "*_benchmark_data.json")):
            with open(path, encoding="utf-8") as f:
                data = json.load(f)
            for point in data["datapoints"]:
                spans = dict(zip(data["operationsNames"], point["operationsDurationsNs"]))
                text = ", ".join(f"{name} {ns / 1e6:.1f} ms" for name, ns in spans.items())
                print(f"{os.path.basename(path)}: {text}")


class Document(unittest.TestCase):
    def test_document_is_current(self):
        with open(expected.DOCUMENT, encoding="utf-8") as f:
            text = f.read()
        self.assertEqual(text, expected.Expected().document(), "run tests/conformance/document.py")


if __name__ == "__main__":
    unittest.main()
