"""kill -9 of crispd at any moment: the next one knows every pod and can end it."""

import base64
import os
import random
import signal
import time
import unittest

import harness
from harness import RUNTIME, eventually


class Restart(harness.NodeTest):
    def test_a_running_pod_is_as_it_was(self):
        pod = self.pod("lasting")
        pod_id, (container_id,) = self.node.run(pod, self.container())
        before_pod, before = self.node.pod_status(pod_id), self.node.status(container_id)
        pid = self.node.sh(container_id, "cat /proc/self/stat").split()[0]
        self.assertTrue(pid)
        self.node.restart()
        self.assertEqual(self.node.pod_status(pod_id), before_pod)
        self.assertEqual(self.node.status(container_id), before)
        self.assertEqual(self.node.sh(container_id, "echo alive"), "alive\n")

    def test_a_graceful_end_leaves_pods_alone_too(self):
        pod_id, (container_id,) = self.node.run(self.pod("graceful"), self.container())
        self.node.restart(signal.SIGTERM)
        self.assertEqual(self.node.pod_ids(), [pod_id])
        self.assertEqual(self.node.sh(container_id, "echo alive"), "alive\n")

    def test_an_exit_while_crispd_is_away_keeps_its_code(self):
        script = "while [ ! -e /tmp/go ]; do sleep 0.05; done; exit 42"
        pod = self.pod("away")
        _, (container_id,) = self.node.run(pod, self.container(command=["sh", "-c", script]))
        # Something in the container ends it once crispd is gone.
        self.node.sh(container_id, "(sleep 1.5; touch /tmp/go) >/dev/null 2>&1 &")
        self.node.kill()
        time.sleep(3)
        self.node.start()
        status = eventually(
            lambda: (s := self.node.status(container_id))["state"] == "CONTAINER_EXITED" and s, what="the exit"
        )
        self.assertEqual(status["exitCode"], 42)

    def test_a_pod_that_died_meanwhile_is_not_ready(self):
        pod_id, (container_id,) = self.node.run(self.pod("killed"), self.container())
        pids = [
            int(entry.split()[0])
            for entry in harness.leaks.processes(self.node.base, {pod_id, container_id})
            if "containerd-shim" not in entry
        ]
        self.node.kill()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.5)
        self.node.start()
        eventually(lambda: self.node.pod_status(pod_id)["state"] == "SANDBOX_NOTREADY", what="NOTREADY")
        eventually(lambda: self.node.status(container_id)["state"] == "CONTAINER_EXITED", what="EXITED")

    def test_logs_go_on(self):
        chatter = self.container(command=["sh", "-c", "i=0; while :; do echo $i; i=$((i+1)); sleep 0.05; done"])
        _, (container_id,) = self.node.run(self.pod("chatter"), chatter)
        path = self.node.status(container_id)["logPath"]
        eventually(lambda: os.path.getsize(path) > 100, what="the first lines")
        self.node.restart()
        size = os.path.getsize(path)
        eventually(lambda: os.path.getsize(path) > size + 200, what="more lines")
        with open(path, encoding="utf-8") as f:
            numbers = [int(line.split()[3]) for line in f if line.endswith("\n")]
        self.assertEqual(numbers, list(range(len(numbers))))

    def test_configmaps_survive(self):
        self.node.apply_configmap("kept", {"a": "b"})
        volumes = '[{"name":"v","configMap":{"name":"kept"}}]'
        mounts = '[{"name":"v","mountPath":"/v"}]'
        pod = self.pod("kept", annotations={"io.crisp.volumes": volumes})
        container = self.container(annotations={"io.crisp.volume-mounts": mounts})
        _, (container_id,) = self.node.run(pod, container)
        self.node.restart()
        kept = self.node.call(harness.VOLUMES + "GetConfigMap", {"key": {"namespace": "default", "name": "kept"}})
        self.assertEqual(base64.b64decode(kept["config_map"]["data"]["a"]), b"b")
        self.node.apply_configmap("kept", {"a": "c"})
        eventually(lambda: self.node.sh(container_id, "cat /v/a") == "c", what="the update")
        self.node.delete_configmap("kept")

    def test_containerd_dies_and_comes_back(self):
        pod_id, (container_id,) = self.node.run(self.pod("engine"), self.container())
        victims = [
            pid
            for pid in self.node.own_processes()
            if os.path.basename(harness.tools.proc_cmdline(pid).split(" ")[0]) == "containerd"
        ]
        self.assertEqual(len(victims), 1)
        os.kill(victims[0], signal.SIGKILL)
        eventually(
            lambda: self.node.exec(container_id, "echo", "back", check=False).stdout == "back\n", 30, "containerd to be back"
        )
        self.assertEqual(self.node.pod_status(pod_id)["state"], "SANDBOX_READY")


class RandomKill(harness.NodeTest):
    """A pod's life, with a kill -9 somewhere in it."""

    rounds = int(os.environ.get("CRISP_KILL_ROUNDS", "12"))

    def life(self, pod, container, ids):
        """The whole life of a pod, as asynchronous calls that may be cut short."""
        reply = self.node.call(RUNTIME + "RunPodSandbox", {"config": pod}, timeout=20)
        ids["pod"] = reply["pod_sandbox_id"]
        container = dict(container, envs=[])
        reply = self.node.call(
            RUNTIME + "CreateContainer",
            {"pod_sandbox_id": ids["pod"], "config": container, "sandbox_config": pod}, timeout=20,
        )  # fmt: skip
        ids["container"] = reply["container_id"]
        self.node.call(RUNTIME + "StartContainer", {"container_id": ids["container"]}, timeout=20)
        self.node.call(RUNTIME + "StopContainer", {"container_id": ids["container"]}, timeout=20)
        self.node.call(RUNTIME + "StopPodSandbox", {"pod_sandbox_id": ids["pod"]}, timeout=20)
        self.node.call(RUNTIME + "RemovePodSandbox", {"pod_sandbox_id": ids["pod"]}, timeout=20)

    def test_at_random_moments(self):
        import threading

        seed = int(os.environ.get("CRISP_SEED", str(random.randrange(1 << 32))))
        print(f"CRISP_SEED={seed}")
        rng = random.Random(seed)
        pod, container = self.pod("random"), self.container()
        began = time.monotonic()
        self.life(pod, container, {})
        whole = time.monotonic() - began
        for number in range(self.rounds):
            moment = rng.uniform(0, whole)
            with self.subTest(f"round {number}, killed after {moment:.3f} s of {whole:.3f} s"):
                ids = {}

                def live():
                    try:
                        self.life(pod, container, ids)
                    except (AssertionError, ValueError):
                        pass  # The connection broke; that is the point.

                thread = threading.Thread(target=live)
                thread.start()
                time.sleep(moment)
                self.node.kill()
                thread.join()
                self.node.start()
                self.node.ids.update(ids.values())
                for pod_id in self.node.pod_ids():
                    status = self.node.call(RUNTIME + "PodSandboxStatus", {"pod_sandbox_id": pod_id})["status"]
                    self.assertEqual(status["metadata"]["name"], "random")
                for container_id in self.node.container_ids():
                    status = self.node.call(RUNTIME + "ContainerStatus", {"container_id": container_id})["status"]
                    # What it says is what is: a running container can be entered.
                    if status.get("state") == "CONTAINER_RUNNING":
                        self.assertEqual(self.node.sh(container_id, "echo ok"), "ok\n")
                self.node.remove_all_pods()
                self.assertEqual((self.node.pod_ids(), self.node.container_ids()), ([], []))
                left = harness.leaks.wait_clean(self.node, self.clean)
                if left:
                    type(self).clean = harness.leaks.snapshot(self.node)
                    self.fail(f"left behind:\n{left}\n--- crispd\n{self.node.log_tail()}")
                # And the name can be used again.
                ids = {}
                self.life(pod, container, ids)
                self.node.ids.update(ids.values())


if __name__ == "__main__":
    unittest.main()
