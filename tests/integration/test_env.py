"""Environment from ConfigMaps, Secrets and the pod itself, through the crisp CLI."""

import os
import unittest

import harness
import tools
from harness import eventually


class Environment(harness.NodeTest):
    def output(self, pod):
        """What a pod printed, once it is over."""
        self.node.crisp("wait", f"pod/{pod}", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=20s")
        self.assertIn("Completed", self.node.crisp("get", "pods").stdout)
        return self.node.crisp("logs", pod).stdout

    def tearDown(self):
        self.node.crisp("delete", "configmap", "configmap", check=False)
        self.node.crisp("delete", "secret", "secret", check=False)
        super().tearDown()

    def test_config_map_key_ref(self):
        self.node.crisp("apply", "-f", os.path.join(tools.EXAMPLES, "env-configmapkeyref.yaml"))
        lines = self.output("pod").splitlines()
        self.assertIn("configmapPod=test", lines)
        self.assertIn("configmapDir=/var/data", lines)

    def test_env_from(self):
        self.node.crisp("apply", "-f", os.path.join(tools.EXAMPLES, "envfrom.yaml"))
        lines = self.output("pod").splitlines()
        self.assertIn("key=test", lines)
        self.assertIn("dir=/var/data", lines)

    def test_prefix_order_secrets_fields_and_optional(self):
        manifest = """
apiVersion: v1
kind: ConfigMap
metadata: {name: configmap}
data: {a: from-config, b: from-config}
---
apiVersion: v1
kind: Secret
metadata: {name: secret}
stringData: {word: open-sesame}
---
apiVersion: v1
kind: Pod
metadata: {name: pod, labels: {app: env}}
spec:
  restartPolicy: Never
  containers:
  - name: main
    image: busybox
    imagePullPolicy: IfNotPresent
    command: [env]
    envFrom:
    - prefix: CM_
      configMapRef: {name: configmap}
    - configMapRef: {name: absent, optional: true}
    env:
    - {name: CM_b, value: from-env}
    - {name: COMBINED, value: "$(CM_a)/$$(CM_a)/$(nothing)"}
    - name: WORD
      valueFrom: {secretKeyRef: {name: secret, key: word}}
    - name: NAME
      valueFrom: {fieldRef: {fieldPath: metadata.name}}
    - name: MAYBE
      valueFrom: {configMapKeyRef: {name: configmap, key: nokey, optional: true}}
"""
        self.node.crisp("apply", "-f", "-", input=manifest)
        lines = self.output("pod").splitlines()
        for line in (
            "CM_a=from-config",
            "CM_b=from-env",
            "COMBINED=from-config/$(CM_a)/$(nothing)",
            "WORD=open-sesame",
            "NAME=pod",
        ):
            self.assertIn(line, lines)
        self.assertFalse([line for line in lines if line.startswith("MAYBE")])

    def test_a_missing_key_is_named_and_starts_nothing(self):
        manifest = """
apiVersion: v1
kind: ConfigMap
metadata: {name: configmap}
data: {a: b}
---
apiVersion: v1
kind: Pod
metadata: {name: pod}
spec:
  containers:
  - name: main
    image: busybox
    imagePullPolicy: IfNotPresent
    env:
    - name: X
      valueFrom: {configMapKeyRef: {name: configmap, key: nokey}}
"""
        self.node.crisp("apply", "-f", "-", input=manifest)
        eventually(
            lambda: "CreateContainerConfigError" in self.node.crisp("get", "pod", "pod").stdout, 20, "the pod's status",
        )  # fmt: skip
        events = self.node.crisp("describe", "pod", "pod").stdout.split("Events:")[-1]
        self.assertIn("nokey", events)
        self.assertIn("configmap", events.lower())
        self.assertEqual(self.node.container_ids(), [])


if __name__ == "__main__":
    unittest.main()
