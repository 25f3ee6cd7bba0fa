"""Bad input gets a status that names the field and the reason, and changes nothing."""

import copy
import os
import unittest

import harness
import leaks
from harness import IMAGE, RUNTIME

INVALID = "INVALID_ARGUMENT"
REFUSED = ("INVALID_ARGUMENT", "FAILED_PRECONDITION", "NOT_FOUND")
NO_ID = "0" * 64


def changed(config, path, value):
    """A deep copy of `config` with the field at the dotted `path` set, or removed for None."""
    config = copy.deepcopy(config)
    at = config
    *parents, last = path.split(".")
    for name in parents:
        at = at.setdefault(name, {})
    if value is None:
        at.pop(last, None)
    else:
        at[last] = value
    return config


class Sandboxes(harness.NodeTest):
    def test_each_bad_field_is_named(self):
        good = self.pod("bad")
        cases = (
            ("metadata", None, "metadata"),
            ("metadata.name", None, "name"),
            ("metadata.namespace", None, "namespace"),
            ("metadata.uid", None, "uid"),
            ("metadata.name", "a/b", "name"),
            ("hostname", "x" * 65, "hostname"),
            ("hostname", "a b", "hostname"),
            ("log_directory", "relative/dir", "log_directory"),
            ("log_directory", "/tmp/../etc", "log_directory"),
            ("port_mappings", [{"container_port": 70000, "host_port": 80}], "port"),
            ("port_mappings", [{"container_port": 80, "host_port": -1}], "port"),
            ("port_mappings", [{"container_port": 80, "host_port": 80, "host_ip": "nonsense"}], "host_ip"),
            ("dns_config", {"servers": ["not-an-address\nnameserver 1.2.3.4"]}, "dns"),
            ("linux.sysctls", {"kernel.hostname": "x"}, "kernel.hostname"),
            ("linux.sysctls", {"net/../kernel/core_pattern": "x"}, "sysctl"),
            ("linux.sysctls", {"kernel.core_pattern": "|/bin/sh"}, "kernel.core_pattern"),
            ("linux.security_context", {"namespace_options": {"network": 1}}, "network"),
            ("linux.security_context", {"namespace_options": {"pid": 3}}, "pid"),
            ("linux.security_context", {"run_as_group": {"value": 5}}, "run_as_group"),
            ("linux.cgroup_parent", "../../escape", "cgroup_parent"),
        )
        for path, value, word in cases:
            with self.subTest(f"{path}={value!r}"):
                config = changed(good, path, value)
                self.assertRpcFails(REFUSED, [word], RUNTIME + "RunPodSandbox", {"config": config})
                self.assertEqual(self.node.pod_ids(), [])

    def test_no_config_at_all(self):
        self.assertRpcFails(INVALID, ["config"], RUNTIME + "RunPodSandbox", {})

    def test_an_unknown_runtime_handler(self):
        request = {"config": self.pod("handler"), "runtime_handler": "nonesuch"}
        self.assertRpcFails(REFUSED, ["nonesuch"], RUNTIME + "RunPodSandbox", request)

    def test_a_host_network_sandbox_takes_no_network_sysctls(self):
        linux = {"security_context": {"namespace_options": {"network": 2}}, "sysctls": {"net.ipv4.ip_forward": "1"}}
        self.assertRpcFails(REFUSED, ["net.ipv4.ip_forward"], RUNTIME + "RunPodSandbox", {"config": self.pod("h", linux=linux)})

    def test_the_same_name_and_attempt_with_another_config(self):
        pod_id = self.node.runp(self.pod("same"))
        other = self.pod("same", labels={"different": "yes"})
        self.assertRpcFails(
            ("ALREADY_EXISTS", "FAILED_PRECONDITION"), ["same"], RUNTIME + "RunPodSandbox", {"config": other}
        )
        self.assertEqual(self.node.pod_ids(), [pod_id])
        # Another attempt is another sandbox.
        other["metadata"]["attempt"] = 2
        self.node.runp(other)

    def test_a_failed_sandbox_leaves_nothing_and_frees_its_name(self):
        before = leaks.snapshot(self.node)
        bad = self.pod("retry", linux={"sysctls": {"net.ipv4.no_such_knob": "1"}})
        with self.assertRaises(harness.RpcError):
            self.node.call(RUNTIME + "RunPodSandbox", {"config": bad})
        self.assertEqual(self.node.pod_ids(), [])
        self.assertEqual(leaks.wait_clean(self.node, before), "")
        self.node.runp(self.pod("retry"))


class Containers(harness.NodeTest):
    def setUp(self):
        super().setUp()
        self.pod_config = self.pod("host-pod")
        self.pod_id = self.node.runp(self.pod_config)

    def request(self, config):
        config = copy.deepcopy(config)
        config["envs"] = []  # Values are bytes, base64 here.
        return {"pod_sandbox_id": self.pod_id, "config": config, "sandbox_config": self.pod_config}

    def test_each_bad_field_is_named(self):
        good = self.container()
        host = os.path.join(self.node.base, "data")
        os.makedirs(host, exist_ok=True)
        cases = (
            ("metadata", None, "metadata"),
            ("metadata.name", None, "name"),
            ("image", None, "image"),
            ("image.image", "nowhere.example/none:1", "nowhere.example/none:1"),
            ("image.image", "Not A Reference", "image"),
            ("log_path", "../../../etc/cron.d/x", "log_path"),
            ("log_path", "/etc/absolute", "log_path"),
            ("mounts", [{"container_path": "relative", "host_path": host}], "container_path"),
            ("mounts", [{"container_path": "", "host_path": host}], "container_path"),
            ("mounts", [{"container_path": "/x", "host_path": "relative"}], "host_path"),
            ("mounts", [{"container_path": "/x/../../y", "host_path": host}], "container_path"),
            ("mounts", [{"container_path": "/", "host_path": host}], "container_path"),
            ("mounts", [{"container_path": "/x", "host_path": host, "recursive_read_only": True}], "recursive"),
            ("devices", [{"container_path": "/dev/x", "host_path": "/dev/no-such", "permissions": "rw"}], "/dev/no-such"),
            ("devices", [{"container_path": "/dev/x", "host_path": "/dev/null", "permissions": "xyz"}], "permissions"),
            ("working_dir", "relative", "working_dir"),
            ("linux.security_context", {"run_as_group": {"value": 5}}, "run_as_group"),
            ("linux.security_context", {"run_as_username": "nobody-knows-me"}, "nobody-knows-me"),
            ("linux.security_context", {"capabilities": {"add_capabilities": ["CAP_NONSENSE"]}}, "NONSENSE"),
            ("linux.security_context", {"seccomp": {"profile_type": 2, "localhost_ref": "/no/such.json"}}, "/no/such.json"),
            ("linux.security_context", {"privileged": True}, "privileged"),
            ("linux.security_context", {"namespace_options": {"pid": 3, "target_id": NO_ID}}, "target"),
            ("linux.security_context", {"masked_paths": ["relative"]}, "masked_paths"),
            ("linux.resources", {"memory_limit_in_bytes": -5}, "memory"),
            ("linux.resources", {"oom_score_adj": 5000}, "oom_score_adj"),
            ("linux.resources", {"cpuset_cpus": "nonsense"}, "cpuset"),
        )
        for path, value, word in cases:
            with self.subTest(f"{path}={value!r}"):
                request = self.request(changed(good, path, value))
                self.assertRpcFails(REFUSED, [word], RUNTIME + "CreateContainer", request)
                self.assertEqual(self.node.container_ids(), [])

    def test_missing_messages_and_unknown_sandboxes(self):
        self.assertRpcFails(INVALID, ["config"], RUNTIME + "CreateContainer", {"pod_sandbox_id": self.pod_id})
        request = dict(self.request(self.container()), pod_sandbox_id=NO_ID)
        self.assertRpcFails("NOT_FOUND", [NO_ID[:12]], RUNTIME + "CreateContainer", request)
        for method, key in (
            ("StartContainer", "container_id"),
            ("ContainerStatus", "container_id"),
            ("UpdateContainerResources", "container_id"),
            ("ReopenContainerLog", "container_id"),
            ("PodSandboxStatus", "pod_sandbox_id"),
        ):
            with self.subTest(method):
                more = {"linux": {}} if method == "UpdateContainerResources" else {}
                self.assertRpcFails("NOT_FOUND", [], RUNTIME + method, {key: NO_ID, **more})
                self.assertRpcFails((INVALID, "NOT_FOUND"), [], RUNTIME + method, {})
        self.assertRpcFails("NOT_FOUND", [], RUNTIME + "ExecSync", {"container_id": NO_ID, "cmd": ["true"]})

    def test_ids_are_not_paths(self):
        for bad in ("../../etc", "a/b", "..", "\n"):
            with self.subTest(bad):
                self.assertRpcFails((INVALID, "NOT_FOUND"), [], RUNTIME + "ContainerStatus", {"container_id": bad})
                try:
                    self.node.call(RUNTIME + "RemoveContainer", {"container_id": bad})
                except harness.RpcError as e:
                    self.assertEqual(e.code, INVALID)

    def test_a_stopped_sandbox_takes_no_container(self):
        self.node.crictl("stopp", self.pod_id)
        self.assertRpcFails(
            ("FAILED_PRECONDITION",), [], RUNTIME + "CreateContainer", self.request(self.container())
        )

    def test_exec_without_a_command_or_in_a_stopped_container(self):
        container_id = self.node.create(self.pod_id, self.container(), self.pod_config)
        self.assertRpcFails(
            ("FAILED_PRECONDITION",), [], RUNTIME + "ExecSync", {"container_id": container_id, "cmd": ["true"]}
        )
        self.node.start_container(container_id)
        self.assertRpcFails(INVALID, ["cmd"], RUNTIME + "ExecSync", {"container_id": container_id})

    def test_a_log_path_through_a_symlink_does_not_escape(self):
        target = os.path.join(self.node.base, "outside")
        os.makedirs(target)
        os.makedirs(self.pod_config["log_directory"], exist_ok=True)
        os.symlink(target, os.path.join(self.pod_config["log_directory"], "link"))
        config = self.container(log_path="link/0.log")
        try:
            reply = self.node.call(RUNTIME + "CreateContainer", self.request(config))
            self.node.call(RUNTIME + "StartContainer", {"container_id": reply["container_id"]})
        except harness.RpcError:
            pass
        self.assertEqual(os.listdir(target), [])


class Images(harness.NodeTest):
    def test_references_that_cannot_be(self):
        for image in ("", "lower/UPPER:x", "a b", "x@sha256:short", "http://a/b"):
            with self.subTest(image):
                self.assertRpcFails((INVALID,), [], IMAGE + "PullImage", {"image": {"image": image}})

    def test_a_registry_that_is_not_there(self):
        with self.assertRaises(harness.RpcError) as caught:
            self.node.call(IMAGE + "PullImage", {"image": {"image": "127.0.0.1:1/none:1"}}, timeout=50)
        self.assertIn("127.0.0.1:1", caught.exception.message)

    def test_an_archive_that_is_none(self):
        path = os.path.join(self.node.base, "junk.tar")
        for data in (b"", b"not a tar at all" * 100):
            with open(path, "wb") as f:
                f.write(data)
            result = self.node.crisp("import", path, check=False)
            self.assertNotEqual(result.returncode, 0)
        os.unlink(path)


if __name__ == "__main__":
    unittest.main()
