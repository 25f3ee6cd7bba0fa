"""The default runtime handler: crisp's own shim, one a pod."""

import json
import os
import signal
import time
import unittest

import harness
import tools
from harness import IMAGE, RUNTIME, RpcError, eventually, within


setUpModule = tools.own_mounts


def mountinfo():
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        return f.read()


class NativeTest(harness.NodeTest):
    def shim_pid(self, pod_id):
        with open(f"{self.node.state}/shims/{pod_id}/process", encoding="utf-8") as f:
            return int(f.read().split()[0])

    def pause_pid(self, pod_id):
        return int(self.node.crictl_json("inspectp", pod_id)["info"]["pid"])

    def container_state(self, container_id):
        return self.node.call(RUNTIME + "ContainerStatus", {"container_id": container_id})["status"]

    def pod_state(self, pod_id):
        return self.node.call(RUNTIME + "PodSandboxStatus", {"pod_sandbox_id": pod_id})["status"].get("state", "SANDBOX_READY")


class Mounts(NativeTest):
    def test_the_hosts_mount_table_stays_as_it_is(self):
        for i in range(4):
            self.node.apply_configmap(f"cm{i}", {"key": f"value{i}"})
        volumes = [{"name": f"c{i}", "configMap": {"name": f"cm{i}"}} for i in range(4)]
        volumes += [{"name": f"m{i}", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}} for i in range(3)]
        volumes += [{"name": f"d{i}", "emptyDir": {}} for i in range(2)]
        volumes += [{"name": "down", "downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}}]
        mounts = [{"name": v["name"], "mountPath": f"/v/{v['name']}"} for v in volumes]
        mounts += [{"name": "c1", "mountPath": "/etc/one", "subPath": "key"}, {"name": "d0", "mountPath": "/sub", "subPath": "a/b"}]
        pod = self.pod("many", annotations={"io.crisp.volumes": json.dumps(volumes)})
        before = mountinfo()
        pod_id = self.node.runp(pod)
        containers = []
        for i in range(20):
            container = self.container(f"c{i}", annotations={"io.crisp.volume-mounts": json.dumps(mounts)})
            containers.append(self.node.create(pod_id, container, pod))
            self.node.start_container(containers[-1])
        # All of it is there, for every container.
        self.node.sh(containers[0], "echo shared > /v/m1/file; echo disk > /v/d1/file; echo below > /sub/file; echo shm > /dev/shm/file")
        self.assertEqual(
            self.node.sh(containers[19], "cat /v/c3/key /v/m1/file /v/d1/file /v/d0/a/b/file /etc/one /v/down/name /dev/shm/file"),
            "value3shared\ndisk\nbelow\nvalue1manyshm\n",
        )
        during = [line for line in mountinfo().splitlines() if f"{self.node.state}/netns/" not in line]
        self.assertEqual("\n".join(during) + "\n", before)
        self.node.remove_all_pods()
        self.assertEqual(mountinfo(), before)
        for i in range(4):
            self.node.delete_configmap(f"cm{i}")

    def test_shm_is_the_pods_and_bounded(self):
        _, (one, two) = self.node.run(self.pod("shm"), self.container("one"), self.container("two"))
        self.node.sh(one, "echo hello > /dev/shm/x")
        self.assertEqual(self.node.sh(two, "cat /dev/shm/x"), "hello\n")
        line = [l for l in self.node.sh(two, "cat /proc/mounts").splitlines() if l.split()[1] == "/dev/shm"]
        self.assertEqual(len(line), 1)
        self.assertIn("nosuid,nodev,noexec", line[0])
        self.assertIn("size=65536k", line[0])

    def test_a_container_sees_no_mount_of_its_pods_or_the_hosts(self):
        volumes = [{"name": "secret", "emptyDir": {"medium": "Memory"}}]
        pod = self.pod("hidden", annotations={"io.crisp.volumes": json.dumps(volumes)})
        _, (container_id,) = self.node.run(pod, self.container())
        seen = {line.split()[4] for line in self.node.sh(container_id, "cat /proc/self/mountinfo").splitlines()}
        for point in seen:
            self.assertTrue(point == "/" or point.split("/")[1] in ("proc", "dev", "sys", "etc"), seen)


class Deaths(NativeTest):
    def test_a_killed_shim_takes_its_pod_with_it_and_no_other(self):
        pod_id, (container_id,) = self.node.run(self.pod("shimless"), self.container())
        other, (survivor,) = self.node.run(self.pod("other"), self.container())
        began = time.monotonic()
        os.kill(self.shim_pid(pod_id), signal.SIGKILL)
        eventually(lambda: self.pod_state(pod_id) == "SANDBOX_NOTREADY", 5, "NOTREADY")
        status = eventually(lambda: (s := self.container_state(container_id)).get("state") == "CONTAINER_EXITED" and s, 5, "EXITED")
        self.assertLess(time.monotonic() - began, within(2))
        self.assertEqual(status["exit_code"], 137)
        self.assertEqual(status["reason"], "Unknown")
        # Whatever is left of it is a zombie, at most.
        eventually(lambda: not [p for p in harness.leaks.processes("/nonexistent", {container_id}) if p.split()[1:]], 5, "its processes' end")
        self.assertEqual(self.node.sh(survivor, "echo alive"), "alive\n")
        self.assertEqual(self.pod_state(other), "SANDBOX_READY")

    def test_an_exit_that_the_dead_shim_recorded_counts(self):
        script = "trap '' TERM; while [ ! -e /tmp/go ]; do sleep 0.05; done; exit 42"
        pod_id, (container_id, _) = self.node.run(
            self.pod("recorded"), self.container("ends", command=["sh", "-c", script]), self.container("stays")
        )
        self.node.sh(container_id, "touch /tmp/go")
        eventually(lambda: self.container_state(container_id).get("state") == "CONTAINER_EXITED", what="the exit")
        os.kill(self.shim_pid(pod_id), signal.SIGKILL)
        eventually(lambda: self.pod_state(pod_id) == "SANDBOX_NOTREADY", 5, "NOTREADY")
        self.assertEqual(self.container_state(container_id)["exit_code"], 42)

    def test_a_shim_that_dies_while_crispd_is_away(self):
        pod_id, (container_id,) = self.node.run(self.pod("both"), self.container())
        shim = self.shim_pid(pod_id)
        self.node.kill()
        os.kill(shim, signal.SIGKILL)
        began = time.monotonic()
        self.node.start()
        self.assertLess(time.monotonic() - began, within(8))
        self.assertEqual(self.pod_state(pod_id), "SANDBOX_NOTREADY")
        status = self.container_state(container_id)
        self.assertEqual((status["state"], status["exit_code"], status["reason"]), ("CONTAINER_EXITED", 137, "Unknown"))

    def test_without_pause_a_pod_is_not_ready_and_its_containers_run(self):
        pod = self.pod("pauseless")
        # In a pid namespace that pause is the init of, they end with it.
        container = self.container()
        container["linux"]["security_context"] = {"namespace_options": {"pid": 1}}
        pod_id, (container_id,) = self.node.run(pod, container)
        os.kill(self.pause_pid(pod_id), signal.SIGKILL)
        eventually(lambda: self.pod_state(pod_id) == "SANDBOX_NOTREADY", 5, "NOTREADY")
        self.assertEqual(self.node.sh(container_id, "echo alive"), "alive\n")
        refused = self.node.create(pod_id, self.container("late"), pod, check=False)
        self.assertIn("not ready", refused.stderr)

    def test_a_killed_init_is_told_with_its_signal(self):
        _, (container_id,) = self.node.run(self.pod("init"), self.container())
        pid = int(self.node.crictl_json("inspect", container_id)["info"]["pid"])
        os.kill(pid, signal.SIGKILL)
        status = eventually(lambda: (s := self.container_state(container_id)).get("state") == "CONTAINER_EXITED" and s, 5, "EXITED")
        self.assertEqual(status["exit_code"], 137)
        self.assertEqual(status["reason"], "Error")

    def test_a_hung_shim_delays_its_own_pod_only(self):
        pod_id, (container_id,) = self.node.run(self.pod("hung"), self.container())
        _, (survivor,) = self.node.run(self.pod("well"), self.container())
        os.kill(self.shim_pid(pod_id), signal.SIGSTOP)
        stop = self.node.call_later(RUNTIME + "StopPodSandbox", {"pod_sandbox_id": pod_id})
        began = time.monotonic()
        self.assertEqual(self.node.sh(survivor, "echo quick"), "quick\n")
        self.assertLess(time.monotonic() - began, within(3))
        # Killed through its cgroup, and let go of without the shim.
        stop()
        self.assertEqual(self.container_state(container_id)["exit_code"], 137)
        self.node.call(RUNTIME + "RemovePodSandbox", {"pod_sandbox_id": pod_id})

    def test_a_hung_shim_that_goes_on_is_taken_up_again(self):
        pod_id, (container_id,) = self.node.run(self.pod("nap"), self.container())
        shim = self.shim_pid(pod_id)
        os.kill(shim, signal.SIGSTOP)
        self.node.restart()
        self.assertEqual(self.pod_state(pod_id), "SANDBOX_READY")
        os.kill(shim, signal.SIGCONT)
        self.assertEqual(self.node.sh(container_id, "echo back"), "back\n")


class Images(NativeTest):
    def test_layers_are_pinned_for_containers_and_freed_with_the_last(self):
        def views():
            return [line for line in self.node.ctr("snapshots", "ls").stdout.splitlines() if line.startswith("crisp-image-")]

        pod = self.pod("pinned")
        before = len(views())
        pod_id, (one, two) = self.node.run(pod, self.container("one"), self.container("two"))
        self.assertLessEqual(len(views()), before + 1)
        self.assertEqual(self.node.ctr("containers", "ls", "-q").stdout, "")
        self.node.sh(one, "echo mine > /root-file")
        self.assertNotEqual(self.node.exec(two, "cat", "/root-file", check=False).returncode, 0)
        upper = f"{self.node.root}/containers/{one}/fs/root-file"
        with open(upper, encoding="utf-8") as f:
            self.assertEqual(f.read(), "mine\n")
        self.node.call(RUNTIME + "StopPodSandbox", {"pod_sandbox_id": pod_id})
        self.node.call(RUNTIME + "RemovePodSandbox", {"pod_sandbox_id": pod_id})
        eventually(lambda: os.listdir(f"{self.node.root}/containers/.trash") == [], what="an empty trash")
        self.assertEqual(os.listdir(f"{self.node.root}/containers"), [".trash"])

    def test_the_view_goes_with_the_image(self):
        self.node.run(self.pod("user"), self.container())
        self.assertIn("crisp-image-", self.node.ctr("snapshots", "ls").stdout)
        # In use: the image can go, its layers cannot yet.
        self.node.call(IMAGE + "RemoveImage", {"image": {"image": harness.BUSYBOX}})
        try:
            self.assertIn("crisp-image-", self.node.ctr("snapshots", "ls").stdout)
            self.node.restart()
            self.node.remove_all_pods()
            eventually(lambda: "crisp-image-" not in self.node.ctr("snapshots", "ls").stdout, what="the view to go")
        finally:
            self.node.import_busybox()


class OtherHandlers(NativeTest):
    def test_the_names_of_the_default_handler(self):
        for handler in ("", "crisp"):
            flags = ("--runtime", handler) if handler else ()
            pod_id = self.node.runp(self.pod(f"named-{handler}"), *flags)
            self.assertTrue(os.path.exists(f"{self.node.state}/shims/{pod_id}"))

    def test_runc_serves_beside_it(self):
        pod = self.pod("with-runc")
        pod_id = self.node.runp(pod, "--runtime", "runc")
        container_id = self.node.create(pod_id, self.container(), pod)
        self.node.start_container(container_id)
        self.assertFalse(os.path.exists(f"{self.node.state}/shims/{pod_id}"))
        self.assertEqual(self.node.sh(container_id, "echo by runc"), "by runc\n")
        self.node.restart()
        self.assertEqual(self.node.sh(container_id, "echo again"), "again\n")


if __name__ == "__main__":
    unittest.main()
