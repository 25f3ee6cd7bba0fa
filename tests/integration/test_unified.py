"""cgroup v2 alone, as kubelet finds it on today's hosts: limits, delegation, what a container
sees, and how it ends. tests/vm/run boots such a host; where cgroup v1 is, all of it is skipped.

crispd runs in a cgroup of its own, as a service of systemd's does.
"""

import math
import os
import unittest

import harness
from harness import RUNTIME, eventually

TOP = "/sys/fs/cgroup"
IDLE = "exec tail -f /dev/null"
# What takes memory until it is killed.
HUNGRY = "x=a; while :; do x=$x$x; done"


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read().strip()


def weight_of(shares):
    """cpu.weight, as runc and crun have it since 2025."""
    log = math.log2(shares)
    return math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34))


def move_here(path):
    """This process, and so what it starts."""
    with open(f"{path}/cgroup.procs", "w", encoding="ascii") as f:
        f.write(str(os.getpid()))


class Unified(harness.NodeTest):
    @classmethod
    def setUpClass(cls):
        if not os.path.exists(f"{TOP}/cgroup.controllers"):
            raise unittest.SkipTest("this host has cgroup v1 at /sys/fs/cgroup")
        cls.before = TOP + read("/proc/self/cgroup").split("::")[1]
        cls.service = f"{TOP}/crisp-service-{os.getpid()}"
        os.mkdir(cls.service)
        cls.addClassCleanup(cls.leave)
        move_here(cls.service)
        super().setUpClass()

    @classmethod
    def leave(cls):
        move_here(cls.before)
        eventually(lambda: not read(f"{cls.service}/cgroup.procs"), what="the service's end")
        os.rmdir(cls.service)

    def started(self, name, container, handler="", pod=None):
        """The id of a running container and its cgroup's directory."""
        pod = pod or self.pod(name)
        pod_id = self.node.runp(pod, *(["--runtime", handler] if handler else []))
        container_id = self.node.create(pod_id, container, pod)
        self.node.start_container(container_id)
        return container_id, self.cgroup(container_id)

    def cgroup(self, container_id):
        (path,) = [p for p in harness.leaks.cgroups({container_id}) if p.endswith(container_id)]
        return path

    def sleeping(self, resources, script=IDLE, **security):
        linux = {"resources": resources}
        if security:
            linux["security_context"] = security
        return self.container(command=["sh", "-c", script], linux=linux)

    def state(self, container_id):
        return self.node.call(RUNTIME + "ContainerStatus", {"container_id": container_id})["status"]

    def ended(self, container_id, seconds=30):
        status = eventually(
            lambda: (s := self.state(container_id)).get("state") == "CONTAINER_EXITED" and s, seconds, "the exit"
        )
        return status.get("exit_code", 0), status["reason"]

    # --- a pod's life

    def test_a_pod_from_its_start_to_its_end(self):
        container_id, path = self.started("life", self.container())
        pods, pod_id = os.path.dirname(path), self.node.pod_ids()[0]
        # Every controller of the host's reaches the container, and processes are in leaves alone.
        everything = read(f"{TOP}/cgroup.controllers")
        self.assertIn("memory", everything.split())
        self.assertEqual(set(read(f"{path}/cgroup.controllers").split()), set(everything.split()))
        inner = pods
        while inner != TOP:
            self.assertEqual(read(f"{inner}/cgroup.procs"), "", inner)
            self.assertEqual(set(read(f"{inner}/cgroup.subtree_control").split()), set(everything.split()), inner)
            inner = os.path.dirname(inner)
        self.assertEqual(len(read(f"{pods}/{pod_id}/cgroup.procs").split()), 1)
        # The example's limits.
        self.assertEqual(read(f"{path}/memory.max"), "67108864")
        self.assertEqual(read(f"{path}/memory.swap.max"), "0")
        self.assertEqual(read(f"{path}/cpu.max"), "50000 100000")
        self.assertEqual(read(f"{path}/cpu.weight"), str(weight_of(256)))
        # It sees its own cgroup as the root, and cannot write there.
        view = self.node.sh(container_id, "cat /proc/self/cgroup; cd /sys/fs/cgroup; cat memory.max; echo 1 2>&1 >memory.max; ls -d pod* kubepods 2>/dev/null | wc -l")  # fmt: skip
        self.assertEqual(view.splitlines()[:2], ["0::/", "67108864"])
        self.assertIn("Read-only file system", view)
        self.assertEqual(view.splitlines()[-1], "0")
        # Statistics, pressure among them.
        stats = self.node.call(RUNTIME + "ContainerStats", {"container_id": container_id})["stats"]
        self.assertGreater(int(stats["memory"]["usage_bytes"]["value"]), 0)
        self.assertEqual(int(stats["swap"].get("swap_available_bytes", {}).get("value", 0)), 0)
        for part in ("cpu", "memory", "io"):
            self.assertIn("psi", stats[part], part)
        (metrics,) = self.node.call(RUNTIME + "ListPodSandboxMetrics", {})["pod_metrics"]
        names = {metric["name"] for metric in metrics["container_metrics"][0]["metrics"]}
        self.assertIn("container_pressure_memory_waiting_seconds_total", names)
        # The end takes the cgroups along.
        self.node.crictl("stop", "-t", "0", container_id)
        self.node.remove_all_pods()
        self.assertFalse(os.path.exists(pods))

    # --- limits

    def test_what_kubelet_asks_for(self):
        """MemoryQoS, swap, singleProcessOOMKill, CPU and hugepages, through either handler."""
        resources = {
            "cpu_shares": 512,
            "cpu_quota": 30000,
            "cpu_period": 100000,
            "cpuset_cpus": "0",
            "memory_limit_in_bytes": 64 << 20,
            "memory_swap_limit_in_bytes": 64 << 20,
            "hugepage_limits": [{"page_size": "2MB", "limit": 4 << 20}],
            "unified": {
                "memory.min": str(8 << 20),
                "memory.low": str(12 << 20),
                "memory.high": str(48 << 20),
                "memory.oom.group": "1",
                "memory.swap.max": str(16 << 20),
                "pids.max": "77",
                "io.weight": "default 50",
            },
        }
        for handler in ("", "runc"):
            with self.subTest(handler=handler):
                container_id, path = self.started(f"kubelet-{handler}", self.sleeping(resources), handler)
                expected = {**resources["unified"], "cpu.max": "30000 100000", "memory.max": str(64 << 20),
                            "cpuset.cpus": "0", "cpuset.cpus.effective": "0", "hugetlb.2MB.max": str(4 << 20)}  # fmt: skip
                found = {name: read(f"{path}/{name}").split("\n")[0] for name in expected}
                self.assertEqual(found, expected)
                if not handler:
                    self.assertEqual(read(f"{path}/cpu.weight"), str(weight_of(512)))
                told = self.state(container_id)["resources"]["linux"]
                self.assertEqual(told["unified"], resources["unified"])
                # In place, as kubelet resizes.
                self.node.call(RUNTIME + "UpdateContainerResources", {"container_id": container_id, "linux": {
                    "memory_limit_in_bytes": str(96 << 20), "cpu_shares": "1024", "cpu_quota": "-1",
                    "unified": {"memory.high": str(80 << 20)}}})  # fmt: skip
                self.assertEqual(read(f"{path}/memory.max"), str(96 << 20))
                self.assertEqual(read(f"{path}/memory.high"), str(80 << 20))
                self.assertEqual(read(f"{path}/memory.min"), str(8 << 20))
                self.assertEqual(read(f"{path}/memory.swap.max"), str(16 << 20))
                self.assertEqual(read(f"{path}/cpu.max"), "max 100000")
                self.assertEqual(int(self.state(container_id)["resources"]["linux"]["cpu_shares"]), 1024)
                self.node.remove_all_pods()

    def test_a_refused_update_leaves_everything(self):
        resources = {"memory_limit_in_bytes": 64 << 20, "cpu_shares": 512, "unified": {"memory.high": str(48 << 20)}}
        container_id, path = self.started("refused", self.sleeping(resources))
        names = ("memory.max", "memory.high", "memory.swap.max", "cpu.weight", "pids.max")
        before = [read(f"{path}/{name}") for name in names]
        told = self.state(container_id)["resources"]
        for unified, words in (
            ({"memory.high": "1000000", "pids.max": "many"}, ["pids.max"]),
            ({"memory.none": "1"}, ["memory.none"]),
            ({"nothing.max": "1"}, ["nothing.max"]),
            ({"cgroup.procs": "1"}, ["cgroup.procs"]),
        ):
            request = {"container_id": container_id, "linux": {"memory_limit_in_bytes": str(32 << 20), "unified": unified}}
            codes = ("INVALID_ARGUMENT", "FAILED_PRECONDITION")
            self.assertRpcFails(codes, words, RUNTIME + "UpdateContainerResources", request)
            self.assertEqual([read(f"{path}/{name}") for name in names], before, unified)
        self.assertEqual(self.state(container_id)["resources"], told)

    # --- memory that runs out

    def test_memory_runs_out(self):
        limit = {"memory_limit_in_bytes": 16 << 20, "unified": {}}
        script = f"({HUNGRY}); {IDLE}"
        with self.subTest("memory.oom.group takes all of them"):
            group = {**limit, "unified": {"memory.oom.group": "1"}}
            container_id, _ = self.started("group", self.sleeping(group, script))
            self.assertEqual(self.ended(container_id), (137, "OOMKilled"))
        with self.subTest("without it a child's end is a child's"):
            container_id, path = self.started("child", self.sleeping(limit, script))
            eventually(lambda: "oom_kill 1" in read(f"{path}/memory.events").split("\n"), 30, "the kill")
            self.assertEqual(self.node.sh(container_id, "echo alive"), "alive\n")
            self.assertEqual(self.state(container_id)["state"], "CONTAINER_RUNNING")

    def test_a_pods_own_limit(self):
        """kubelet makes the pod's cgroup; a container without a limit ends by that of its pod."""
        parent = f"{self.node.name}/kubepods/pod-limited-uid"
        os.makedirs(f"{TOP}/{parent}")
        for inner in (self.node.name, f"{self.node.name}/kubepods"):
            with open(f"{TOP}/{inner}/cgroup.subtree_control", "w", encoding="ascii") as f:
                f.write("+memory +cpu +pids")
        for name, value in (("memory.max", str(24 << 20)), ("memory.swap.max", "0")):
            with open(f"{TOP}/{parent}/{name}", "w", encoding="ascii") as f:
                f.write(value)
        try:
            pod = self.pod("limited", linux={"cgroup_parent": f"/{parent}"})
            container_id, path = self.started("limited", self.sleeping({}, f"sleep 1; {HUNGRY}"), pod=pod)
            self.assertEqual(os.path.dirname(path), f"{TOP}/{parent}")
            self.assertEqual(self.ended(container_id), (137, "OOMKilled"))
            self.node.remove_all_pods()
            self.assertEqual(read(f"{TOP}/{parent}/memory.max"), str(24 << 20))
        finally:
            self.node.remove_all_pods()
            os.rmdir(f"{TOP}/{parent}")
            os.rmdir(f"{TOP}/{self.node.name}/kubepods")

    # --- cgroups of a container's own

    def test_a_container_with_cgroups_of_its_own(self):
        """What systemd, kind or a builder in a container does: the kernel lets no process into
        a cgroup that shares out to those below it, so an exec goes where init is."""
        script = (
            "own=/sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup); mkdir $own/init && echo 0 >$own/init/cgroup.procs && "
            f"echo +memory +pids >$own/cgroup.subtree_control && touch /ready; {IDLE}"
        )
        def options():
            return [line.split(" - ")[1] for line in open("/proc/self/mountinfo", encoding="utf-8") if f" {TOP} " in line]

        before = options()
        for handler in ("", "runc"):
            with self.subTest(handler=handler):
                pod = self.pod(f"nested-{handler}", "pod-privileged.json")
                container = self.sleeping({"memory_limit_in_bytes": 64 << 20}, script, privileged=True)
                container_id, path = self.started("nested", container, handler, pod)
                eventually(lambda p=path: "memory" in read(f"{p}/cgroup.subtree_control"), what="its cgroups")
                seen = self.node.sh(container_id, "cat /proc/self/cgroup")
                self.assertEqual(seen, f"0::{path[len(TOP):]}/init\n")
                stats = self.node.call(RUNTIME + "ContainerStats", {"container_id": container_id})["stats"]
                self.assertGreater(int(stats["memory"]["usage_bytes"]["value"]), 0)
                self.node.call(RUNTIME + "UpdateContainerResources",
                               {"container_id": container_id, "linux": {"memory_limit_in_bytes": str(80 << 20)}})  # fmt: skip
                self.assertEqual(read(f"{path}/memory.max"), str(80 << 20))
                self.node.crictl("stop", "-t", "0", container_id)
                self.assertEqual(self.ended(container_id)[0], 137)
                self.node.remove_all_pods()
                self.assertFalse(os.path.exists(path))
        # A mount of the host's tree takes no option from the host.
        self.assertEqual(options(), before)

    def test_a_frozen_container_is_stopped(self):
        container_id, path = self.started("frozen", self.sleeping({}))
        with open(f"{path}/cgroup.freeze", "w", encoding="ascii") as f:
            f.write("1")
        eventually(lambda: "frozen 1" in read(f"{path}/cgroup.events"), what="the freeze")
        self.node.crictl("stop", "-t", "0", container_id)
        self.assertEqual(self.ended(container_id)[0], 137)


if __name__ == "__main__":
    unittest.main()
