"""What CRI has beyond the life of a pod: image volumes, CDI devices, mount options, updates
in place, what the node says of itself."""

import json
import os
import signal
import time
import unittest

import harness
import image_builder
import leaks
import tools
from harness import IMAGE, RUNTIME, RpcError, eventually, within

IDLE = ["sh", "-c", "exec tail -f /dev/null"]
CDI = {
    "cdiVersion": "0.6.0",
    "kind": "vendor.example/thing",
    "containerEdits": {"env": ["DRIVER=1"]},
    "devices": [
        {
            "name": "zero",
            "containerEdits": {
                "env": ["THING=zero"],
                "deviceNodes": [{"path": "/dev/thing0", "hostPath": "/dev/zero", "permissions": "rw"}],
                "mounts": [{"hostPath": "/etc/hostname", "containerPath": "/etc/thing", "options": ["ro", "bind"]}],
                "additionalGids": [4321],
            },
        }
    ],
}
CDI_YAML = """cdiVersion: "0.5.0"
kind: vendor.example/yaml
devices:
- name: "1"
  containerEdits:
    env: ["YAML=yes"]
"""


class Features(harness.NodeTest):
    node_options = {"config": '[devices]\ncdi_dirs = ["@BASE@/cdi-none", "@BASE@/cdi"]\n'}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = image_builder.Image(
            [
                {
                    "dir": image_builder.directory(),
                    "dir/file": image_builder.regular("from the image\n"),
                    "dir/run": image_builder.regular("#!/bin/sh\necho runs\n", 0o755),
                    "top": image_builder.regular("top\n"),
                    "out": image_builder.symlink("/etc"),
                    "in": image_builder.symlink("/dir"),
                },
                {"second": image_builder.regular("second layer\n")},
            ]
        )
        cls.node.import_busybox(["docker.io/library/data:1"], cls.data)

    def started(self, container, handler=""):
        pod = self.pod("features")
        pod_id = self.node.runp(pod, *(["--runtime", handler] if handler else []))
        container_id = self.node.create(pod_id, container, pod)
        self.node.start_container(container_id)
        return container_id

    def image_mount(self, path="/image", sub_path="", **more):
        mount = {"container_path": path, "readonly": True, "image": {"image": "docker.io/library/data:1"}}
        if sub_path:
            mount["image_sub_path"] = sub_path
        return {**mount, **more}

    def refused(self, container, words, code="INVALID_ARGUMENT"):
        self.node.remove_all_pods()
        pod = self.pod("refused")
        pod_id = self.node.runp(pod)
        container.pop("envs")  # crictl's JSON has text there, protobuf's has bytes.
        request = {"pod_sandbox_id": pod_id, "config": container, "sandbox_config": pod}
        message = self.assertRpcFails(code, words, RUNTIME + "CreateContainer", request)
        self.assertEqual(self.node.container_ids(), [])
        self.node.remove_all_pods()
        return message

    # --- image volumes

    def test_an_image_as_a_volume(self):
        mounts = [self.image_mount(), self.image_mount("/sub", "dir"), self.image_mount("/linked", "in")]
        container_id = self.started(self.container(command=IDLE, mounts=mounts))
        # In the container's own mount namespace and nowhere else.
        with open("/proc/self/mountinfo", encoding="utf-8") as f:
            self.assertNotIn("image-volumes", f.read())
        sh = lambda script: self.node.sh(container_id, script)  # noqa: E731
        self.assertEqual(sh("cat /image/top /image/second /image/dir/file"), "top\nsecond layer\nfrom the image\n")
        options = sh("grep ' /image ' /proc/self/mountinfo").split()[5].split(",")
        self.assertLessEqual({"ro", "nosuid", "nodev"}, set(options))
        self.assertEqual(sh("ls /sub; /sub/run"), "file\nrun\nruns\n")
        self.assertEqual(sh("cat /linked/file"), "from the image\n")
        for path in ("/image/new", "/sub/file"):
            self.assertNotEqual(self.node.exec(container_id, "touch", path, check=False).returncode, 0)
        status = self.node.call(RUNTIME + "ContainerStatus", {"container_id": container_id})["status"]
        self.assertEqual([m["image"]["image_ref"] for m in status["mounts"]], [self.data.id] * 3)
        # The image may go while it is mounted.
        self.node.call(IMAGE + "RemoveImage", {"image": {"image": self.data.id}})
        self.assertEqual(sh("cat /image/dir/file"), "from the image\n")
        self.node.import_busybox(["docker.io/library/data:1"], self.data)
        # Mounts outlive crispd and go with the container.
        self.node.restart()
        self.assertEqual(sh("cat /image/dir/file"), "from the image\n")

    def test_an_image_as_a_volume_by_runc(self):
        mounts = [self.image_mount(), self.image_mount("/sub", "dir"), self.image_mount("/linked", "in")]
        container_id = self.started(self.container(command=IDLE, mounts=mounts), "runc")
        self.assertEqual(
            self.node.sh(container_id, "cat /image/top /sub/file /linked/file; touch /sub/x 2>&1 || true").splitlines()[:3],
            ["top", "from the image", "from the image"],
        )

    def test_an_image_among_the_pods_volumes(self):
        """The annotations of docs/volumes.md, with an image of one layer and one of two."""
        single = image_builder.Image([{"only/file": image_builder.regular("alone\n")}])
        self.node.import_busybox(["docker.io/library/single:1"], single)
        volumes = [
            {"name": "data", "image": {"reference": "docker.io/library/data:1", "pullPolicy": "IfNotPresent"}},
            {"name": "single", "image": {"reference": "docker.io/library/single:1"}},
            {"name": "absent", "image": {"reference": "docker.io/library/absent:1"}},
        ]
        mounts = [
            {"name": "data", "mountPath": "/data"},
            {"name": "data", "mountPath": "/dir", "subPathExpr": "$(WHERE)"},
            {"name": "single", "mountPath": "/single", "readOnly": True},
            {"name": "single", "mountPath": "/only", "subPath": "only"},
        ]
        for handler in ("", "runc"):
            with self.subTest(handler=handler):
                pod = self.pod(f"images-{handler}", annotations={"io.crisp.volumes": json.dumps(volumes)})
                pod_id = self.node.runp(pod, *(["--runtime", handler] if handler else []))

                def container(name, mounts):
                    annotations = {"io.crisp.volume-mounts": json.dumps(mounts)}
                    return self.container(
                        name, command=IDLE, annotations=annotations, envs=[{"key": "WHERE", "value": "dir"}]
                    )

                made = []
                for name in ("one", "two"):
                    made.append(self.node.create(pod_id, container(name, mounts), pod))
                    self.node.start_container(made[-1])
                out = self.node.sh(made[1], "cat /data/second /dir/file /single/only/file /only/file")
                self.assertEqual(out, "second layer\nfrom the image\nalone\nalone\n")
                for path in ("/data/x", "/dir/x", "/single/x", "/only/x"):
                    self.assertNotEqual(self.node.exec(made[0], "touch", path, check=False).returncode, 0)
                # Once the containers are there the image may go, and crispd may be another.
                self.node.call(IMAGE + "RemoveImage", {"image": {"image": single.id}})
                self.node.restart()
                self.assertEqual(self.node.sh(made[0], "cat /only/file"), "alone\n")
                self.node.import_busybox(["docker.io/library/single:1"], single)
                for wrong, words in (
                    ({"name": "absent"}, ["ImageVolumeMountFailed", "volumeMounts[0]", "absent:1"]),
                    ({"name": "data", "subPath": "none"}, ["ImageVolumeMountFailed", "none"]),
                    ({"name": "data", "subPath": "top"}, ["ImageVolumeMountFailed", "top"]),
                    ({"name": "data", "subPath": "out"}, ["ImageVolumeMountFailed", "out"]),
                    ({"name": "data", "mountPropagation": "Bidirectional"}, ["mountPropagation"]),
                ):
                    result = self.node.create(pod_id, container("bad", [{**wrong, "mountPath": "/x"}]), pod, check=False)
                    self.assertNotEqual(result.returncode, 0, wrong)
                    for word in words:
                        self.assertIn(word, result.stderr)
                self.node.remove_all_pods()
        self.node.call(IMAGE + "RemoveImage", {"image": {"image": single.id}})

    def test_image_volumes_that_cannot_be(self):
        for mount, words in (
            (self.image_mount(readonly=False), ["config.mounts[0].readonly"]),
            (self.image_mount(host_path="/etc"), ["config.mounts[0].host_path"]),
            (self.image_mount(propagation="PROPAGATION_BIDIRECTIONAL"), ["propagation"]),
            (self.image_mount(sub_path="../etc"), ["image_sub_path", "../etc"]),
            (self.image_mount(sub_path="none"), ["image_sub_path none"]),
            (self.image_mount(sub_path="top"), ["image_sub_path top"]),
            (self.image_mount(sub_path="out"), ["image_sub_path out"]),
            (self.image_mount(image={"image": "docker.io/library/absent:1"}), ["absent:1"]),
        ):
            with self.subTest(words=words):
                message = self.refused(
                    self.container(command=IDLE, mounts=[mount]), words,
                    ("INVALID_ARGUMENT", "NOT_FOUND", "INTERNAL", "FAILED_PRECONDITION"),
                )  # fmt: skip
                # kubelet shows users what the message begins with.
                self.assertTrue(message.startswith("ImageVolumeMountFailed"), message)

    # --- mounts

    def test_mount_options(self):
        host = f"{self.node.base}/options"
        os.makedirs(host, exist_ok=True)
        with open(f"{host}/run", "w", encoding="utf-8") as f:
            f.write("#!/bin/sh\necho runs\n")
        os.chmod(f"{host}/run", 0o755)
        mounts = [
            {"container_path": "/plain", "host_path": host},
            {"container_path": "/strict", "host_path": host, "mount_options": ["noexec", "nodev", "nosuid"]},
        ]
        container_id = self.started(self.container(command=IDLE, mounts=mounts))
        self.assertEqual(self.node.sh(container_id, "/plain/run"), "runs\n")
        self.assertNotEqual(self.node.exec(container_id, "/strict/run", check=False).returncode, 0)
        options = self.node.sh(container_id, "grep ' /strict ' /proc/self/mountinfo").split()[5].split(",")
        self.assertLessEqual({"noexec", "nodev", "nosuid"}, set(options))
        self.refused(self.container(command=IDLE, mounts=[{**mounts[1], "mount_options": ["sync"]}]), ["mount_options"])

    def test_recursive_read_only(self):
        host = f"{self.node.base}/recursive"
        os.makedirs(f"{host}/below", exist_ok=True)
        harness.run("mount", "-t", "tmpfs", "tmpfs", f"{host}/below")
        try:
            mounts = [
                {"container_path": "/flat", "host_path": host, "readonly": True},
                {"container_path": "/deep", "host_path": host, "readonly": True, "recursive_read_only": True},
            ]
            container_id = self.started(self.container(command=IDLE, mounts=mounts))
            for path, writable in (("/flat/x", False), ("/flat/below/x", True), ("/deep/x", False), ("/deep/below/y", False)):
                result = self.node.exec(container_id, "touch", path, check=False)
                self.assertEqual(result.returncode == 0, writable, path)
            self.node.remove_all_pods()
        finally:
            harness.run("umount", f"{host}/below")
        self.refused(
            self.container(command=IDLE, mounts=[{**mounts[1], "readonly": False}]), ["recursive_read_only", "readonly"]
        )

    # --- devices

    def test_cdi_devices(self):
        for name, text in (("thing.json", json.dumps(CDI)), ("yaml.yaml", CDI_YAML)):
            os.makedirs(f"{self.node.base}/cdi", exist_ok=True)
            with open(f"{self.node.base}/cdi/{name}", "w", encoding="utf-8") as f:
                f.write(text)
        container = self.container(
            command=IDLE, CDI_devices=[{"name": "vendor.example/thing=zero"}],
            annotations={"cdi.k8s.io/plugin": "vendor.example/yaml=1"},
        )  # fmt: skip
        container_id = self.started(container)
        out = self.node.sh(container_id, 'echo $DRIVER $THING $YAML; head -c 4 /dev/thing0 | wc -c; id -G; cat /etc/thing')
        with open("/etc/hostname", encoding="utf-8") as f:
            hostname = f.read()
        lines = out.splitlines()
        self.assertEqual(lines[:2], ["1 zero yes", "4"])
        self.assertIn("4321", lines[2].split())
        self.assertEqual(lines[3] + "\n", hostname)
        self.node.remove_all_pods()
        self.refused(self.container(command=IDLE, CDI_devices=[{"name": "vendor.example/thing=one"}]),
                     ["config.CDI_devices[0]", "vendor.example/thing=one"])  # fmt: skip

    # --- limits

    def test_an_update_is_all_or_nothing(self):
        self.update("")

    def test_an_update_through_runc_is_so_too(self):
        """runc has written some limits when the kernel refuses another."""
        self.update("runc")

    def update(self, handler):
        container = self.container(command=IDLE)
        container["linux"]["resources"] = {"cpu_shares": 512, "memory_limit_in_bytes": 64 << 20}
        container_id = self.started(container, handler)

        def reported():
            status = self.node.call(RUNTIME + "ContainerStatus", {"container_id": container_id})["status"]
            return status["resources"]["linux"]

        def update(**values):
            request = {"container_id": container_id, "linux": values}
            return self.node.call(RUNTIME + "UpdateContainerResources", request)

        limits = self.kernel_limits(container_id)
        before = reported()
        # A CPU that the host does not have: the kernel refuses it, after the rest was fine.
        with self.assertRaises(RpcError):
            update(memory_limit_in_bytes=str(32 << 20), cpu_shares="100", cpuset_cpus="4000")
        self.assertEqual(self.kernel_limits(container_id), limits)
        self.assertEqual(reported(), before)

        update(memory_limit_in_bytes=str((32 << 20) + 17), cpu_quota="20000", cpu_period="100000", oom_score_adj="500")
        now = reported()
        self.assertEqual(now["memory_limit_in_bytes"], str(32 << 20))
        self.assertEqual((now["cpu_quota"], now["cpu_shares"]), ("20000", "512"))
        self.assertNotEqual(self.kernel_limits(container_id), limits)
        pid = json.loads(self.node.crictl("inspect", container_id).stdout)["info"]["pid"]
        with open(f"/proc/{pid}/oom_score_adj", encoding="ascii") as f:
            self.assertEqual(f.read().strip(), "500")

    def test_resources_of_a_whole_pod(self):
        pod = self.pod("resize")
        pod_id, (container_id,) = self.node.run(pod, self.container(command=IDLE))

        def update(**parts):
            request = {"pod_sandbox_id": pod_id, **parts}
            return self.node.call(RUNTIME + "UpdatePodSandboxResources", request)

        before = self.kernel_limits(pod_id, pods_own=True)
        update(resources={"memory_limit_in_bytes": str(64 << 20), "cpu_quota": "50000", "cpu_period": "100000"},
               overhead={"memory_limit_in_bytes": str(8 << 20)})  # fmt: skip
        after = self.kernel_limits(pod_id, pods_own=True)
        self.assertNotEqual(before, after)
        self.assertIn(str(72 << 20), {value.strip() for value in after.values()})
        info = json.loads(self.node.crictl("inspectp", pod_id).stdout)["info"]
        self.assertEqual(info["resources"]["held"]["memoryLimitInBytes"], str(72 << 20))
        with self.assertRaises(RpcError):
            update(resources={"memory_limit_in_bytes": str(32 << 20), "cpuset_cpus": "4000"})
        self.assertEqual(self.kernel_limits(pod_id, pods_own=True), after)
        self.node.restart()
        info = json.loads(self.node.crictl("inspectp", pod_id).stdout)["info"]
        self.assertEqual(info["resources"]["held"]["memoryLimitInBytes"], str(72 << 20))
        method = RUNTIME + "UpdatePodSandboxResources"
        self.assertRpcFails("INVALID_ARGUMENT", ["resources"], method, {"pod_sandbox_id": pod_id})
        self.assertRpcFails("NOT_FOUND", [], method, {"pod_sandbox_id": "f" * 64, "resources": {"cpu_shares": "2"}})
        self.node.crictl("stopp", pod_id)
        self.assertRpcFails("FAILED_PRECONDITION", [], method,
                            {"pod_sandbox_id": pod_id, "resources": {"cpu_shares": "2"}})  # fmt: skip

    def kernel_limits(self, container_id, pods_own=False):
        """The files of the container's cgroup that hold its limits."""
        found = {}
        paths = leaks.cgroups({container_id})
        if pods_own:  # crispd's own directory for the pod, above that of the pause process.
            paths = [path for path in paths if path.endswith(container_id) and path.count(container_id) == 1]
        for path in paths:
            for name in ("memory.limit_in_bytes", "memory.max", "cpu.shares", "cpu.weight", "cpu.cfs_quota_us",
                         "cpu.max", "cpuset.cpus"):  # fmt: skip
                if os.path.exists(f"{path}/{name}"):
                    with open(f"{path}/{name}", encoding="ascii") as f:
                        found[f"{path}/{name}"] = f.read()
        self.assertTrue(found)
        return found

    # --- what is reported

    def test_status_tells_what_the_node_can(self):
        reply = self.node.call(RUNTIME + "Status", {"verbose": True})
        self.assertTrue(reply["features"]["supplemental_groups_policy"])
        self.assertTrue(reply["features"]["mount_options"])
        handlers = {h.get("name", ""): h.get("features", {}) for h in reply["runtime_handlers"]}
        self.assertLessEqual({"", "runc"}, set(handlers))
        self.assertTrue(handlers[""]["recursive_read_only_mounts"])
        self.assertTrue(handlers["runc"]["recursive_read_only_mounts"])
        self.assertFalse(handlers["runc"].get("user_namespaces", False))
        config = json.loads(reply["info"]["config"])
        self.assertEqual((config["stateDir"], config["rootDir"]), (self.node.state, self.node.root))
        self.assertNotIn("info", self.node.call(RUNTIME + "Status", {}))

    def test_stop_signal_in_status(self):
        container_id = self.started(self.container(command=IDLE, stop_signal=29))
        status = self.node.call(RUNTIME + "ContainerStatus", {"container_id": container_id})["status"]
        self.assertEqual(status["stop_signal"], "SIGNAL_SIGUSR1")

    def test_image_fs_info_matches_the_disk(self):
        def used():
            return int(self.node.call(IMAGE + "ImageFsInfo", {})["image_filesystems"][0]["used_bytes"]["value"])

        before = used()
        noise = image_builder.Image([{"noise": image_builder.regular(os.urandom(3 << 20))}])
        self.node.import_busybox(["docker.io/library/noise:1"], noise)
        # Once unpacked and once as it came: random bytes do not compress.
        grown = used() - before
        self.assertGreater(grown, 6 << 20)
        self.assertLess(grown, 7 << 20)
        self.node.call(IMAGE + "RemoveImage", {"image": {"image": noise.id}})
        self.assertEqual(used(), before)

    def test_what_containers_write_is_on_the_disk_too(self):
        """container_filesystems, as du counts the directories."""

        def containers():
            reply = self.node.call(IMAGE + "ImageFsInfo", {})
            return {fs["fs_id"]["mountpoint"]: fs for fs in reply["container_filesystems"]}

        directory = f"{self.node.root}/containers"
        self.assertEqual(set(containers()), {directory})
        script = "dd if=/dev/urandom of=/big bs=1024 count=5000 2>/dev/null; ln /big /again; mkdir /d; touch /d/a /d/b; "
        written = self.container(command=["sh", "-c", script + "touch /done; exec tail -f /dev/null"])
        container_id = self.started(written)
        eventually(lambda: self.node.exec(container_id, "ls", "/done", check=False).returncode == 0)

        def du():
            upper = f"{directory}/{container_id}/fs"
            used = harness.run("du", "-s", "--block-size=1", upper).stdout.split()[0]
            return int(used), int(harness.run("du", "-s", "--inodes", upper).stdout.split()[0])

        def agrees():
            fs = containers()[directory]
            return (int(fs["used_bytes"]["value"]), int(fs["inodes_used"]["value"])) == du()

        self.assertGreater(du()[0], 5000 * 1024)
        eventually(agrees, 30, "ImageFsInfo to say what du says")
        images = self.node.call(IMAGE + "ImageFsInfo", {})["image_filesystems"][0]
        content = f"{self.node.root}/containerd"
        on_disk = sum(
            int(harness.run("du", "-s", "--block-size=1", f"{content}/{store}").stdout.split()[0])
            for store in ("io.containerd.content.v1.content", "io.containerd.snapshotter.v1.overlayfs/snapshots")
        )
        # Directories, and blobs rounded up to blocks.
        self.assertLess(abs(on_disk - int(images["used_bytes"]["value"])), 1 << 20)
        # A snapshot of containerd's counts where it is.
        self.node.remove_all_pods()
        by_runc = self.started(written, "runc")
        eventually(lambda: self.node.exec(by_runc, "ls", "/done", check=False).returncode == 0)
        eventually(
            lambda: any(
                mountpoint != directory and int(fs["used_bytes"]["value"]) > 5000 * 1024
                for mountpoint, fs in containers().items()
            ),
            30, "the snapshot to be counted",
        )  # fmt: skip

    def test_a_containerd_that_is_gone_shows(self):
        def ready():
            conditions = self.node.call(RUNTIME + "Status", {})["status"]["conditions"]
            return {c["type"]: c.get("status", False) for c in conditions}["RuntimeReady"]

        self.assertTrue(ready())
        (pid,) = [
            pid for pid in self.node.own_processes()
            if os.path.basename(tools.proc_cmdline(pid).split()[0]) == "containerd"
        ]  # fmt: skip
        os.kill(pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            eventually(lambda: not ready(), 20, "a containerd that hangs to be reported")
            self.assertLess(time.monotonic() - began, within(15))
        finally:
            os.kill(pid, signal.SIGCONT)
        eventually(ready, 20, "containerd to be well again")
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: not ready(), 10, "a containerd that is gone to be reported")
        eventually(ready, 30, "a new containerd")

    def test_checkpoints_are_not_implemented(self):
        request = {"container_id": "any", "location": "/tmp/none"}
        self.assertRpcFails("UNIMPLEMENTED", [], RUNTIME + "CheckpointContainer", request)


class PinnedImages(harness.NodeTest):
    node_options = {"config": 'pinned_images = ["docker.io/library/busybox:latest"]\n'}

    def test_a_pinned_image_says_so(self):
        images = self.node.call(IMAGE + "ListImages", {})["images"]
        self.assertEqual([image.get("pinned", False) for image in images], [True])


if __name__ == "__main__":
    unittest.main()
