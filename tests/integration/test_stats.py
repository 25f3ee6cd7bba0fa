"""What pods and containers use: crictl's stats, statsp and metricsp, and the raw replies."""

import time
import unittest

import harness
from harness import RUNTIME, eventually

BUSY = ["sh", "-c", "dd if=/dev/zero of=/written bs=1024 count=2048 2>/dev/null; while :; do :; done"]


def number(value):
    return int(value.get("value", 0))


class Stats(harness.NodeTest):
    def busy_pod(self, name):
        pod = self.pod(name)
        pod_id, (container_id,) = self.node.run(pod, self.container(command=BUSY))
        eventually(lambda: self.node.exec(container_id, "ls", "/written", check=False).returncode == 0)
        return pod_id, container_id

    def container_stats(self, container_id):
        return self.node.call(RUNTIME + "ContainerStats", {"container_id": container_id})["stats"]

    def test_a_containers_stats(self):
        pod_id, container_id = self.busy_pod("stats")
        first = self.container_stats(container_id)
        self.assertEqual(first["attributes"]["id"], container_id)
        self.assertEqual(first["attributes"]["metadata"]["name"], "main")
        self.assertEqual(first["attributes"]["labels"], {"tier": "main"})
        time.sleep(1)
        second = self.container_stats(container_id)
        self.assertGreater(
            number(second["cpu"]["usage_core_nano_seconds"]), number(first["cpu"]["usage_core_nano_seconds"])
        )
        # Half a CPU is what the example allows it.
        self.assertGreater(number(second["cpu"]["usage_nano_cores"]), 1_000_000)
        self.assertLess(number(second["cpu"]["usage_nano_cores"]), 800_000_000)
        memory = second["memory"]
        self.assertGreater(number(memory["working_set_bytes"]), 0)
        self.assertGreaterEqual(number(memory["usage_bytes"]), number(memory["working_set_bytes"]))
        self.assertEqual(
            number(memory["available_bytes"]) + number(memory["working_set_bytes"]), 67108864
        )
        layer = second["writable_layer"]
        self.assertTrue(layer["fs_id"]["mountpoint"].startswith("/"))

        def written():
            usage = number(self.container_stats(container_id)["writable_layer"]["used_bytes"])
            return usage if usage >= 2 << 20 else None

        eventually(written, 30, "the writable layer to be measured anew")

    def test_lists_and_their_filters(self):
        pod_a, a = self.busy_pod("list-a")
        pod_b, b = self.busy_pod("list-b")
        listed = lambda f: [
            s["attributes"]["id"]
            for s in self.node.call(RUNTIME + "ListContainerStats", {"filter": f}).get("stats", [])
        ]
        self.assertEqual(set(listed({})), {a, b})
        self.assertEqual(listed({"id": a[:20]}), [a])
        self.assertEqual(listed({"pod_sandbox_id": pod_b}), [b])
        self.assertEqual(listed({"label_selector": {"tier": "other"}}), [])
        self.node.crictl("stop", "-t", "0", a)
        self.assertEqual(listed({}), [b])
        stopped = self.container_stats(a)
        self.assertNotIn("cpu", stopped)
        self.assertRpcFails("NOT_FOUND", [], RUNTIME + "ContainerStats", {"container_id": "f" * 64})
        streamed = self.node.call(RUNTIME + "StreamContainerStats", {})["container_stats"]
        self.assertEqual([s["attributes"]["id"] for s in streamed], [b])

    def test_a_pods_stats(self):
        pod_id, container_id = self.busy_pod("pod-stats")
        self.node.exec(container_id, "true")
        stats = self.node.call(RUNTIME + "PodSandboxStats", {"pod_sandbox_id": pod_id})["stats"]
        linux = stats["linux"]
        self.assertEqual(stats["attributes"]["id"], pod_id)
        self.assertGreater(number(linux["cpu"]["usage_core_nano_seconds"]), 0)
        self.assertGreater(number(linux["memory"]["usage_bytes"]), 0)
        # The container and pause.
        self.assertGreaterEqual(number(linux["process"]["process_count"]), 2)
        self.assertEqual([c["attributes"]["id"] for c in linux["containers"]], [container_id])
        self.assertEqual(linux["network"]["default_interface"]["name"], "eth0")
        self.assertIn("rx_bytes", linux["network"]["default_interface"])
        listed = self.node.call(RUNTIME + "ListPodSandboxStats", {})["stats"]
        self.assertEqual([s["attributes"]["id"] for s in listed], [pod_id])
        streamed = self.node.call(RUNTIME + "StreamPodSandboxStats", {})["pod_sandbox_stats"]
        self.assertEqual([s["attributes"]["id"] for s in streamed], [pod_id])
        self.node.crictl("stopp", pod_id)
        self.assertRpcFails("NOT_FOUND", [pod_id], RUNTIME + "PodSandboxStats", {"pod_sandbox_id": pod_id})
        self.assertEqual(self.node.call(RUNTIME + "ListPodSandboxStats", {}).get("stats", []), [])

    def test_every_metric_has_its_descriptors_labels(self):
        pod_id, container_id = self.busy_pod("metrics")
        descriptors = {
            d["name"]: d["label_keys"]
            for d in self.node.call(RUNTIME + "ListMetricDescriptors", {})["descriptors"]
        }
        self.assertEqual(len(descriptors), 56)
        (pod,) = self.node.call(RUNTIME + "ListPodSandboxMetrics", {})["pod_metrics"]
        self.assertEqual(pod["pod_sandbox_id"], pod_id)
        (container,) = pod["container_metrics"]
        self.assertEqual(container["container_id"], container_id)
        seen = {}
        for metric in pod["metrics"] + container["metrics"]:
            keys = descriptors[metric["name"]]
            self.assertEqual(len(metric["label_values"]), len(keys), metric["name"])
            seen.setdefault(metric["name"], []).append((dict(zip(keys, metric["label_values"])), metric))
        # What depends on the host: pages, devices and pressure that it may not have.
        optional = {n for n in descriptors if "hugetlb" in n or "pressure" in n or "blkio" in n}
        optional |= {n for n in descriptors if n.startswith(("container_fs_reads", "container_fs_writes"))}
        self.assertEqual(set(descriptors) - set(seen) - optional, set())
        labels, metric = seen["container_spec_memory_limit_bytes"][0]
        self.assertEqual(number(metric["value"]), 67108864)
        self.assertEqual((labels["container"], labels["pod"], labels["namespace"]), ("main", "metrics", "default"))
        labels, metric = seen["container_network_receive_bytes_total"][0]
        self.assertEqual(labels["interface"], "eth0")
        self.assertGreater(number(seen["container_processes"][0][1]["value"]), 0)

    def test_crictl_shows_them(self):
        pod_id, container_id = self.busy_pod("crictl")
        self.assertIn(container_id[:13], self.node.crictl("stats").stdout)
        self.assertIn(pod_id[:13], self.node.crictl("statsp").stdout)
        self.assertIn("container_cpu_usage_seconds_total", self.node.crictl("metricsp").stdout)


if __name__ == "__main__":
    unittest.main()
