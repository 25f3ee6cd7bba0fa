"""A pod as kubelet runs it: the same calls in the same order, with the same host paths.

An init container, a sidecar (an init container that stays), an application with exec
probes and a postStart hook, a ConfigMap whose key is mounted by subPath, log rotation, a
restart, and termination in good order.
"""

import base64
import glob
import os
import threading
import time
import unittest

import harness
import leaks
from harness import IMAGE, RUNTIME, RpcError, eventually

POD_UID = "5c6b1a0e-7f3d-4d0a-9a41-0c1e5a3b2f10"


class Kubelet:
    """What kubelet keeps on the node for one pod, and the requests that it makes of it."""

    def __init__(self, node, name="web", namespace="shop"):
        self.node, self.name, self.namespace, self.uid = node, name, namespace, POD_UID
        self.base = f"{node.base}/kubelet/pods/{self.uid}"
        self.log_directory = f"{node.base}/log/pods/{namespace}_{name}_{self.uid}"
        self.links = f"{node.base}/log/containers"
        for path in (self.base, self.log_directory, self.links):
            os.makedirs(path, exist_ok=True)
        self.etc_hosts = f"{self.base}/etc-hosts"
        with open(self.etc_hosts, "w", encoding="utf-8") as f:
            f.write("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n")
        self.labels = {
            "app": "web",
            "io.kubernetes.pod.name": name,
            "io.kubernetes.pod.namespace": namespace,
            "io.kubernetes.pod.uid": self.uid,
        }
        self.sandbox_config = {
            "metadata": {"name": name, "namespace": namespace, "uid": self.uid, "attempt": 0},
            "hostname": name,
            "log_directory": self.log_directory,
            "dns_config": {"servers": ["10.96.0.10"], "searches": [f"{namespace}.svc.cluster.local"],
                           "options": ["ndots:5"]},
            "labels": self.labels,
            "annotations": {"kubernetes.io/config.source": "api", "odd/one": "héllo \"x\" \\ y"},
            "linux": {
                "cgroup_parent": f"/{node.name}/kubepods/burstable/pod{self.uid}",
                "security_context": {
                    "namespace_options": {"pid": "CONTAINER"},
                    "seccomp": {"profile_type": "RuntimeDefault"},
                },
                "resources": {"cpu_period": "100000", "cpu_shares": "102"},
            },
        }  # fmt: skip

    def config_map(self, name, data):
        """A volume as kubelet's atomic writer lays it out; its path."""
        top = f"{self.base}/volumes/kubernetes.io~configmap/{name}"
        version = f"{top}/..2026_11_27_08_00_00.{time.monotonic_ns()}"
        os.makedirs(version)
        for key, value in data.items():
            with open(f"{version}/{key}", "w", encoding="utf-8") as f:
                f.write(value)
            if not os.path.islink(f"{top}/{key}"):
                os.symlink(f"..data/{key}", f"{top}/{key}")
        os.symlink(os.path.basename(version), f"{top}/..data_tmp")
        os.rename(f"{top}/..data_tmp", f"{top}/..data")
        return top

    def sub_path(self, volume, key, container, index):
        """kubelet binds the file itself and hands over where it did."""
        target = f"{self.base}/volume-subpaths/{os.path.basename(volume)}/{container}/{index}"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "w", encoding="utf-8"):
            pass
        harness.run("mount", "--bind", os.path.realpath(f"{volume}/{key}"), target)
        return target

    def unmount_sub_paths(self):
        for path in glob.glob(f"{self.base}/volume-subpaths/*/*/*"):
            harness.run("umount", path)
            os.unlink(path)

    def remove_cgroups(self):
        """The cgroups of pods are kubelet's to remove."""
        for path in sorted(leaks.cgroups({f"/{self.node.name}/kubepods"}), key=len, reverse=True):
            os.rmdir(path)

    def container_config(self, name, command, mounts=(), attempt=0, **more):
        termination_log = f"{self.base}/containers/{name}/{attempt:08x}"
        os.makedirs(os.path.dirname(termination_log), exist_ok=True)
        os.makedirs(f"{self.log_directory}/{name}", exist_ok=True)
        with open(termination_log, "w", encoding="utf-8"):
            pass
        image = self.node.call(IMAGE + "ImageStatus", {"image": {"image": harness.BUSYBOX}})["image"]
        return {
            "metadata": {"name": name, "attempt": attempt},
            "image": {"image": image["id"], "user_specified_image": harness.BUSYBOX},
            "command": command,
            "envs": [{"key": "KUBERNETES_SERVICE_HOST", "value": _b64("10.96.0.1")}],
            "mounts": [
                *mounts,
                {"container_path": "/etc/hosts", "host_path": self.etc_hosts},
                {"container_path": "/dev/termination-log", "host_path": termination_log},
            ],
            "labels": {**self.labels, "io.kubernetes.container.name": name},
            "annotations": {
                "io.kubernetes.container.hash": "5a3c7e1f",
                "io.kubernetes.container.restartCount": str(attempt),
                "io.kubernetes.container.terminationMessagePath": "/dev/termination-log",
                "io.kubernetes.container.terminationMessagePolicy": "File",
                "io.kubernetes.pod.terminationGracePeriod": "30",
            },
            "log_path": f"{name}/{attempt}.log",
            "linux": {
                "resources": {"cpu_period": "100000", "cpu_shares": "51", "memory_limit_in_bytes": "67108864",
                              "oom_score_adj": "987", "hugepage_limits": [{"page_size": "2MB", "limit": "0"}]},
                "security_context": {
                    "namespace_options": {"pid": "CONTAINER"},
                    "run_as_user": {"value": "0"},
                    "masked_paths": ["/proc/kcore", "/proc/keys", "/sys/firmware"],
                    "readonly_paths": ["/proc/sys", "/proc/sysrq-trigger"],
                    "seccomp": {"profile_type": "RuntimeDefault"},
                },
            },
            **more,
        }  # fmt: skip

    # --- calls, named as kubelet's steps

    def start_pod(self):
        sandbox = self.node.call(RUNTIME + "RunPodSandbox", {"config": self.sandbox_config})["pod_sandbox_id"]
        self.node.ids.add(sandbox)
        status = self.node.call(RUNTIME + "PodSandboxStatus", {"pod_sandbox_id": sandbox})["status"]
        return sandbox, status

    def start_container(self, sandbox, config):
        request = {"pod_sandbox_id": sandbox, "config": config, "sandbox_config": self.sandbox_config}
        container = self.node.call(RUNTIME + "CreateContainer", request)["container_id"]
        self.node.ids.add(container)
        self.node.call(RUNTIME + "StartContainer", {"container_id": container})
        name, attempt = config["metadata"]["name"], config["metadata"]["attempt"]
        link = f"{self.links}/{self.name}_{self.namespace}_{name}-{container}.log"
        os.symlink(f"{self.log_directory}/{name}/{attempt}.log", link)
        return container

    def status(self, container):
        return self.node.call(RUNTIME + "ContainerStatus", {"container_id": container})["status"]

    def relist(self):
        """What generic PLEG sees each second: {id: state}, of pods and of containers."""
        pods = self.node.call(RUNTIME + "ListPodSandbox", {}).get("items", [])
        containers = self.node.call(RUNTIME + "ListContainers", {}).get("containers", [])
        # A state of zero is left out of JSON.
        return (
            {pod["id"]: pod.get("state", "SANDBOX_READY") for pod in pods},
            {c["id"]: c.get("state", "CONTAINER_CREATED") for c in containers},
        )

    def wait_exited(self, container):
        def exited():
            status = self.status(container)
            return status if status.get("state") == "CONTAINER_EXITED" else None

        return eventually(exited, what=f"the end of {container}")

    def log(self, name, attempt=0, suffix=""):
        with open(f"{self.log_directory}/{name}/{attempt}.log{suffix}", encoding="utf-8") as f:
            return [line.split(" ", 3) for line in f.read().splitlines()]


def _b64(text):
    return base64.b64encode(text.encode()).decode()


class Pod(harness.NodeTest):
    """The whole life of one pod."""

    node_options = {}

    def setUp(self):
        super().setUp()
        self.kubelet = Kubelet(self.node)

    def tearDown(self):
        self.kubelet.unmount_sub_paths()
        self.node.remove_all_pods()
        self.kubelet.remove_cgroups()
        harness.run("rm", "-rf", f"{self.node.base}/kubelet", f"{self.node.base}/log")
        super().tearDown()

    def probe(self, container, *command, timeout=1):
        """An exec probe: True, False, or "timeout"."""
        request = {"container_id": container, "cmd": list(command), "timeout": str(timeout)}
        try:
            reply = self.node.call(RUNTIME + "ExecSync", request, timeout=timeout + 120)
        except RpcError as e:
            self.assertEqual(e.code, "DEADLINE_EXCEEDED", e.message)
            return "timeout"
        return reply.get("exit_code", 0) == 0

    def test_boot(self):
        """What kubelet asks before it takes a pod."""
        version = self.node.call(RUNTIME + "Version", {})
        self.assertEqual((version["version"], version["runtime_api_version"]), ("0.1.0", "v1"))
        self.assertTrue(version["runtime_name"] and version["runtime_version"])
        usage = self.node.call(IMAGE + "ImageFsInfo", {})["image_filesystems"][0]
        self.assertTrue(os.path.isdir(usage["fs_id"]["mountpoint"]))
        self.assertEqual(
            self.node.call(RUNTIME + "RuntimeConfig", {})["linux"].get("cgroup_driver"), "CGROUPFS"
        )
        status = self.node.call(RUNTIME + "Status", {})
        conditions = {c["type"]: c.get("status", False) for c in status["status"]["conditions"]}
        self.assertEqual(conditions, {"RuntimeReady": True, "NetworkReady": True})
        self.assertIn("", [handler.get("name", "") for handler in status["runtime_handlers"]])
        self.node.call(RUNTIME + "UpdateRuntimeConfig",
                       {"runtime_config": {"network_config": {"pod_cidr": "10.244.0.0/24"}}})  # fmt: skip

    def test_a_pod_from_its_start_to_its_end(self):
        kubelet = self.kubelet
        config_map = kubelet.config_map("server", {"server.xml": "<Server port='8005'/>\n", "other": "x"})
        shared = f"{kubelet.base}/volumes/kubernetes.io~empty-dir/work"
        os.makedirs(shared, mode=0o777)
        os.chmod(shared, 0o777)
        work = {"container_path": "/work", "host_path": shared}

        sandbox, status = kubelet.start_pod()
        self.assertTrue(status["network"]["ip"])
        self.assertEqual(status["labels"], kubelet.labels)
        self.assertEqual(status["annotations"], kubelet.sandbox_config["annotations"])

        # The init container, to its end.
        init = kubelet.start_container(
            sandbox, kubelet.container_config("prepare", ["sh", "-c", "echo ready > /work/flag; echo prepared"], [work])
        )
        ended = kubelet.wait_exited(init)
        self.assertEqual((ended.get("exit_code", 0), ended["reason"]), (0, "Completed"))
        self.assertEqual(kubelet.log("prepare")[0][1:], ["stdout", "F", "prepared"])

        # The sidecar, which starts before the application and outlives it.
        sidecar = kubelet.start_container(
            sandbox,
            kubelet.container_config(
                "proxy",
                ["sh", "-c", "trap 'echo proxy ends >> /work/order; exit 0' TERM; touch /work/up; while :; do sleep 0.1; done"],
                [work],
            ),
        )
        eventually(lambda: self.probe(sidecar, "test", "-e", "/work/up"), what="the sidecar's startup probe")

        # The application: a ConfigMap whole and one key of it by subPath.
        application = (
            "trap 'echo application ends >> /work/order; echo bye; printf done > /dev/termination-log; exit 7' TERM;"
            " i=0; while :; do i=$((i+1)); echo line $i; sleep 0.01; done"
        )
        sub_path = kubelet.sub_path(config_map, "server.xml", "app", 0)
        config = kubelet.container_config(
            "app", ["sh", "-c", application],
            [work, {"container_path": "/conf", "host_path": config_map, "readonly": True},
             {"container_path": "/tmp/server.xml", "host_path": sub_path, "readonly": True}],
        )  # fmt: skip
        app = kubelet.start_container(sandbox, config)
        status = kubelet.status(app)
        # kubelet finds its termination message and its own labels again.
        self.assertEqual(status["mounts"], config["mounts"])
        self.assertEqual(status["labels"], config["labels"])
        self.assertEqual(status["annotations"], config["annotations"])
        self.assertEqual(status["image_id"], config["image"]["image"])
        self.assertEqual(status["log_path"], f"{kubelet.log_directory}/app/0.log")
        resources = status["resources"]["linux"]
        self.assertEqual((resources["cpu_shares"], resources["memory_limit_in_bytes"]), ("51", "67108864"))

        # Probes and the ConfigMap.
        self.assertTrue(self.probe(app, "cat", "/work/flag"))
        self.assertFalse(self.probe(app, "cat", "/work/none"))
        self.assertEqual(self.probe(app, "sleep", "30", timeout=1), "timeout")
        self.assertEqual(self.node.sh(app, "cat /tmp/server.xml /conf/server.xml"), "<Server port='8005'/>\n" * 2)
        self.assertFalse(self.probe(app, "sh", "-c", "echo x > /tmp/server.xml"))
        kubelet.config_map("server", {"server.xml": "<Server port='9005'/>\n", "other": "y"})
        self.assertEqual(self.node.sh(app, "cat /conf/server.xml"), "<Server port='9005'/>\n")
        self.assertEqual(self.node.sh(app, "cat /tmp/server.xml"), "<Server port='8005'/>\n")

        # An in-place resize, read back as kubelet does.
        update = {"linux": {"memory_limit_in_bytes": "134217728", "cpu_shares": "102"}, "container_id": app}
        self.node.call(RUNTIME + "UpdateContainerResources", update)
        resources = kubelet.status(app)["resources"]["linux"]
        self.assertEqual((resources["cpu_shares"], resources["memory_limit_in_bytes"]), ("102", "134217728"))

        self.rotate(app)

        # Termination: preStop, then every container at once, then the sandbox.
        self.assertTrue(self.probe(app, "sh", "-c", "echo prestop >> /work/order"))
        self.terminate([app], 20)
        self.terminate([sidecar], 20)
        ended = kubelet.wait_exited(app)
        self.assertEqual((ended["exit_code"], ended["reason"]), (7, "Error"))
        self.assertEqual(kubelet.wait_exited(sidecar).get("exit_code", 0), 0)
        with open(f"{shared}/order", encoding="utf-8") as f:
            self.assertEqual(f.read(), "prestop\napplication ends\nproxy ends\n")
        message = next(m["host_path"] for m in ended["mounts"] if m["container_path"] == "/dev/termination-log")
        with open(message, encoding="utf-8") as f:
            self.assertEqual(f.read(), "done")
        self.assertEqual(kubelet.log("app")[-1][3], "bye")
        self.node.call(RUNTIME + "StopPodSandbox", {"pod_sandbox_id": sandbox})
        pods, containers = kubelet.relist()
        self.assertEqual(pods, {sandbox: "SANDBOX_NOTREADY"})
        self.assertEqual(set(containers.values()), {"CONTAINER_EXITED"})
        # Volumes go while the pod is still listed; garbage collection comes later.
        kubelet.unmount_sub_paths()
        for container in (init, sidecar, app):
            self.node.call(RUNTIME + "RemoveContainer", {"container_id": container})
        self.node.call(RUNTIME + "RemovePodSandbox", {"pod_sandbox_id": sandbox})
        self.assertEqual(kubelet.relist(), ({}, {}))
        # The log is kubelet's.
        self.assertTrue(os.path.exists(f"{kubelet.log_directory}/app/0.log"))

    def rotate(self, container):
        """Rename, reopen: every line is in one of the files, whole and in order."""
        log = f"{self.kubelet.log_directory}/app/0.log"
        for suffix in (".1", ".2"):
            time.sleep(0.1)
            os.rename(log, log + suffix)
            self.node.call(RUNTIME + "ReopenContainerLog", {"container_id": container})
        time.sleep(0.2)
        lines = [line for suffix in (".1", ".2", "") for line in self.kubelet.log("app", 0, suffix)]
        numbers = [int(line[3].split()[1]) for line in lines if line[3].startswith("line ")]
        self.assertEqual(numbers, list(range(1, len(numbers) + 1)))
        self.assertTrue(all(line[2] == "F" for line in lines))

    def terminate(self, containers, grace):
        """As kubelet does, beside each other."""
        failures = []

        def stop(container):
            try:
                self.node.call(RUNTIME + "StopContainer", {"container_id": container, "timeout": str(grace)})
            except AssertionError as e:
                failures.append(e)

        threads = [threading.Thread(target=stop, args=(container,)) for container in containers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    def test_a_container_that_ends_is_started_anew(self):
        kubelet = self.kubelet
        sandbox, _ = kubelet.start_pod()
        for attempt in range(2):
            config = kubelet.container_config("app", ["sh", "-c", "echo try; exit 3"], attempt=attempt)
            ended = kubelet.wait_exited(kubelet.start_container(sandbox, config))
            self.assertEqual((ended["exit_code"], ended["reason"]), (3, "Error"))
            self.assertLess(0, int(ended["started_at"]))
            self.assertLessEqual(int(ended["started_at"]), int(ended["finished_at"]))
            self.assertEqual(kubelet.log("app", attempt)[0][3], "try")

    def test_a_grace_that_is_not_enough_ends_in_a_kill(self):
        kubelet = self.kubelet
        sandbox, _ = kubelet.start_pod()
        config = kubelet.container_config("app", ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"])
        app = kubelet.start_container(sandbox, config)
        time.sleep(0.3)
        began = time.monotonic()
        self.terminate([app], 1)
        self.assertGreater(time.monotonic() - began, 0.9)
        self.assertEqual(kubelet.wait_exited(app)["exit_code"], 137)

    def test_kubelet_restarts_and_knows_its_pods(self):
        """All that kubelet has then is what the runtime lists."""
        kubelet = self.kubelet
        sandbox, _ = kubelet.start_pod()
        app = kubelet.start_container(sandbox, kubelet.container_config("app", ["sleep", "1000"]))
        self.node.restart()
        pods, containers = kubelet.relist()
        self.assertEqual((pods, containers), ({sandbox: "SANDBOX_READY"}, {app: "CONTAINER_RUNNING"}))
        listed = self.node.call(RUNTIME + "ListContainers", {"filter": {"label_selector": {
            "io.kubernetes.pod.uid": POD_UID}}})["containers"][0]  # fmt: skip
        self.assertEqual(listed["labels"]["io.kubernetes.container.name"], "app")
        self.assertEqual(listed["annotations"]["io.kubernetes.container.restartCount"], "0")


if __name__ == "__main__":
    unittest.main()
