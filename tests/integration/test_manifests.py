"""The manifests of our first user, unedited, on one node, each in a namespace of its own.

Their images come from a registry under the names that they have: nginx and tomcat are
busybox's httpd on the ports of the real ones.
"""

import os
import shutil
import unittest

import harness
import registry
import tools
from harness import eventually, image_builder

MANIFESTS = os.path.join(tools.REPO, "agent", "testdata")
PORT = 5000


def path(name):
    return os.path.join(MANIFESTS, name + ".yaml")


class Manifests(harness.NodeTest):
    @classmethod
    def make_node(cls):
        node = harness.Node(images=False)
        try:
            cls.registry = registry.DockerRegistry(node, PORT)
            layer = image_builder.busybox_layer()

            def server(port):
                page = {"www/index.html": image_builder.regular("it works\n")}
                return image_builder.Image([layer, page], {"Cmd": ["httpd", "-f", "-p", str(port), "-h", "/www"]})

            registry.upload_all(
                node,
                PORT,
                {
                    "library/busybox:latest": image_builder.Image(),
                    "library/nginx:alpine": server(80),
                    "library/tomcat:latest": server(8080),
                },
            )
            folder = os.path.join(node.certs, "docker.io")
            os.makedirs(folder)
            shutil.copy(os.path.join(tools.EXAMPLES, "hosts.toml"), folder)
            cls.static_pods = f"{node.base}/manifests"
            os.makedirs(cls.static_pods)
            node.start_agent("--pod-manifest-path", cls.static_pods)
        except BaseException:
            node.destroy()
            raise
        return node

    @classmethod
    def tearDownClass(cls):
        cls.registry.stop()
        super().tearDownClass()

    def apply(self, name, namespace=None):
        namespace = namespace or name
        self.node.crisp("apply", "-n", namespace, "-f", path(name))
        return namespace

    def rolled_out(self, namespace, deployment="pod"):
        self.node.crisp("rollout", "status", "-n", namespace, f"deployment/{deployment}", "--timeout", "60s")

    def field(self, namespace, template, *what):
        return self.node.crisp("get", *what, "-n", namespace, "-o", f"jsonpath={template}").stdout

    def test_configmap(self):
        namespace = self.apply("configmap")
        self.assertEqual(self.field(namespace, "{.data.keydir}", "configmap", "configmap"), "/var/data")

    def test_deployments(self):
        for name, deployment, pods in (
            ("deployment-nginx", "nginx-deployment", 1),
            ("deployment-nginx-tomcat", "nginx-tomcat", 1),
            ("deployment-replicas", "pod", 3),
        ):
            with self.subTest(name):
                namespace = self.apply(name)
                self.rolled_out(namespace, deployment)
                ready = self.field(namespace, "{.status.readyReplicas}", "deployment", deployment)
                self.assertEqual(ready, str(pods))

    def test_variables(self):
        for name, lines in (
            ("env-configmapkeyref", ["configmapPod=test", "configmapDir=/var/data"]),
            ("envfrom", ["key=test", "dir=/var/data"]),
        ):
            with self.subTest(name):
                namespace = self.apply(name)
                self.node.crisp(
                    "wait", "-n", namespace, "pod/pod", "--for=jsonpath={.status.phase}=Succeeded", "--timeout", "60s"
                )
                printed = self.node.crisp("logs", "-n", namespace, "pod").stdout.splitlines()
                for line in lines:
                    self.assertIn(line, printed)

    def test_a_file_of_a_configmap_by_sub_path(self):
        for name in ("volume-subpath-items", "volume-subpath"):
            with self.subTest(name):
                namespace = self.apply("volume-subpath-items", name)
                if name != "volume-subpath-items":
                    self.apply(name)
                self.rolled_out(namespace)
                shown = self.node.crisp("exec", "-n", namespace, "deployment/pod", "--", "cat", "/tmp/server.xml").stdout
                self.assertIn('<Server port="8005" shutdown="SHUTDOWN">', shown)

    def test_a_node_selector_waits_for_the_label(self):
        namespace = self.apply("node-selector")
        eventually(
            lambda: "didn't match Pod's node affinity/selector" in self.node.crisp("events", "-n", namespace).stdout,
            what="the event FailedScheduling",
        )
        phases = self.field(namespace, "{.items[*].status.phase}", "pods")
        self.assertEqual(set(phases.split()), {"Pending"})
        self.node.crisp("label", "node", self.node.name, "key=aaa")
        self.addCleanup(self.node.crisp, "label", "node", self.node.name, "key-")
        self.rolled_out(namespace)

    def test_probes(self):
        for name in ("probe-exec", "probe-http", "probe-tcp"):
            self.apply(name)
        for name in ("probe-exec", "probe-http", "probe-tcp"):
            self.rolled_out(name)
        # Three failures, ten seconds apart, the first after fifteen; then the whole grace period,
        # because a server that is process 1 and handles no SIGTERM does not hear of it.
        for name, words in (
            ("probe-http", "Liveness probe failed: HTTP probe failed with statuscode: 404"),
            ("probe-tcp", "connect: connection refused"),
        ):
            with self.subTest(name):
                eventually(
                    lambda: self.field(name, "{.items[0].status.containerStatuses[0].restartCount}", "pods") == "1",
                    seconds=100,
                    what="the restart",
                )
                told = self.node.crisp("events", "-n", name).stdout
                self.assertIn(words, told)
                self.assertIn("Container nginx failed liveness probe, will be restarted", told)
        self.assertEqual(self.field("probe-exec", "{.items[0].status.containerStatuses[0].restartCount}", "pods"), "0")

    def test_a_static_pod(self):
        file = os.path.join(self.static_pods, "nginx.yaml")
        shutil.copy(path("static-pod-nginx"), file)
        name = f"nginx-{self.node.name}"
        try:
            eventually(
                lambda: self.node.crisp("get", "pod", name, check=False).stdout and
                self.field("default", "{.status.phase}", "pod", name) == "Running",
                seconds=30,
                what="the static pod",
            )
        finally:
            os.unlink(file)
        eventually(lambda: self.node.pod_ids() == [], seconds=40, what="its end")


if __name__ == "__main__":
    unittest.main()
