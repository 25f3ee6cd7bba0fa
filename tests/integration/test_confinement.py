"""What a process in a container may do, read from inside."""

import json
import os
import unittest

import harness

# CAP_CHOWN … CAP_AUDIT_WRITE: the 14 that containers usually start with.
DEFAULT_CAPS = 0x00000000A80425FB


class Confinement(harness.NodeTest):
    def started(self, linux=None, pod_linux=None, **changes):
        pod = self.pod("confined", linux=pod_linux or {})
        container = self.container(linux=linux or {}, **changes)
        _, (container_id,) = self.node.run(pod, container)
        return container_id

    def proc_status(self, container_id):
        text = self.node.sh(container_id, "cat /proc/self/status")
        return {key: value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}

    def test_the_default(self):
        container_id = self.started()
        status = self.proc_status(container_id)
        self.assertEqual(int(status["CapBnd"], 16), DEFAULT_CAPS)
        self.assertEqual(int(status["CapEff"], 16), DEFAULT_CAPS)
        self.assertEqual(int(status["CapAmb"], 16), 0)
        self.assertEqual(status["Uid"].split(), ["0"] * 4)
        # CRI: a nil profile means unconfined.
        self.assertEqual(status["Seccomp"], "0")

    def test_the_confined_example(self):
        pod = self.pod("confined")
        _, (container_id,) = self.node.run(pod, self.container("confined", "container-confined.json"))
        status = self.proc_status(container_id)
        bind_service = 1 << 10
        self.assertEqual(status["Uid"].split(), ["1000"] * 4)
        self.assertEqual(status["Gid"].split(), ["1000"] * 4)
        self.assertEqual(int(status["CapBnd"], 16), bind_service)
        self.assertEqual(int(status["CapEff"], 16), 0)
        self.assertEqual(status["NoNewPrivs"], "1")
        self.assertEqual(status["Seccomp"], "2")
        # alice is in the image's group crew (50000): the default policy merges.
        self.assertEqual(set(status["Groups"].split()) - {"1000"}, {"2000", "3000", "50000"})
        self.assertNotEqual(self.node.exec(container_id, "touch", "/file", check=False).returncode, 0)
        self.assertEqual(self.node.sh(container_id, "head -c 1 /proc/kcore | wc -c").strip(), "0")
        self.assertEqual(self.node.sh(container_id, "ls -A /sys/firmware"), "")
        for path in ("/proc/sys", "/proc/irq"):
            self.assertRegex(self.node.sh(container_id, f"grep ' {path} ' /proc/self/mounts"), r" ro[, ]")

    def test_seccomp_default_blocks_what_it_should(self):
        profile = {"seccomp": {"profile_type": 0}, "capabilities": {}}
        container_id = self.started({"security_context": profile})
        self.assertEqual(self.proc_status(container_id)["Seccomp"], "2")
        result = self.node.exec(container_id, "unshare", "-n", "true", check=False)
        self.assertIn("Operation not permitted", result.stderr + result.stdout)
        self.assertNotEqual(self.node.exec(container_id, "mount", "-t", "tmpfs", "x", "/mnt", check=False).returncode, 0)

    def test_a_localhost_profile_decides(self):
        path = f"{self.node.base}/seccomp.json"
        rules = {
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}],
        }
        with open(path, "w", encoding="utf-8") as f:
            json.dump(rules, f)
        container_id = self.started({"security_context": {"seccomp": {"profile_type": 2, "localhost_ref": path}}})
        result = self.node.exec(container_id, "mkdir", "/x", check=False)
        self.assertIn("Function not implemented", result.stderr + result.stdout)
        self.assertEqual(self.node.sh(container_id, "echo fine"), "fine\n")

    def test_capabilities_are_added_and_dropped(self):
        caps = {"capabilities": {"add_capabilities": ["net_admin"], "drop_capabilities": ["CHOWN", "CAP_MKNOD"]}}
        status = self.proc_status(self.started({"security_context": caps}))
        self.assertEqual(int(status["CapBnd"], 16), DEFAULT_CAPS & ~(1 << 0) & ~(1 << 27) | 1 << 12)

    def test_ambient_capabilities(self):
        security = {
            "run_as_user": {"value": 1000},
            "capabilities": {"add_capabilities": ["NET_ADMIN"], "add_ambient_capabilities": ["NET_ADMIN"]},
        }
        status = self.proc_status(self.started({"security_context": security}))
        self.assertEqual(int(status["CapAmb"], 16), 1 << 12)
        self.assertEqual(int(status["CapEff"], 16), 1 << 12)

    def test_strict_supplemental_groups(self):
        security = {
            "run_as_user": {"value": 1000},
            "run_as_group": {"value": 1000},
            "supplemental_groups": [7000],
            "supplemental_groups_policy": 1,
        }
        status = self.proc_status(self.started({"security_context": security}))
        self.assertEqual(set(status["Groups"].split()) - {"1000"}, {"7000"})

    def test_a_user_by_name(self):
        container_id = self.started({"security_context": {"run_as_username": "www-data"}})
        self.assertEqual(self.node.sh(container_id, "id -u; id -g"), "33\n33\n")

    def test_privileged(self):
        pod = self.pod("privileged", "pod-privileged.json")
        _, (container_id,) = self.node.run(pod, self.container("privileged", "container-privileged.json"))
        status = self.proc_status(container_id)
        with open("/proc/self/status", encoding="utf-8") as f:
            ours = next(line.split()[1] for line in f if line.startswith("CapBnd"))
        self.assertEqual(int(status["CapEff"], 16), int(ours, 16))
        self.assertEqual(status["Seccomp"], "0")
        self.assertNotIn(" ro", self.node.sh(container_id, "grep ' /sys sysfs' /proc/self/mounts").split(",")[0])
        self.assertIn("null", self.node.sh(container_id, "ls /dev"))
        self.node.sh(container_id, "mkdir -p /mnt && mount -t tmpfs x /mnt && umount /mnt")

    def test_devices(self):
        # Not one of the devices that every container has: the rules are by number.
        devices = [{"host_path": "/dev/fuse", "container_path": "/dev/ours", "permissions": "r"}]
        if not os.path.exists("/dev/fuse"):
            self.skipTest("this kernel has no /dev/fuse to hand out")
        container_id = self.started(devices=devices)
        self.node.sh(container_id, "test -c /dev/ours && exec 3</dev/ours")
        result = self.node.exec(container_id, "sh", "-c", "echo x >/dev/ours", check=False)
        self.assertIn("Operation not permitted", result.stderr + result.stdout)
        result = self.node.exec(container_id, "sh", "-c", "mknod /tmp/mem c 1 1 && cat /tmp/mem", check=False)
        self.assertNotEqual(result.returncode, 0)

    def test_host_mounts_read_only_and_propagation(self):
        top = f"{self.node.base}/data"
        os.makedirs(f"{top}/sub", exist_ok=True)
        with open(f"{top}/file", "w", encoding="utf-8") as f:
            f.write("from the host\n")
        mounts = [
            {"host_path": top, "container_path": "/rw"},
            {"host_path": top, "container_path": "/ro", "readonly": True},
            {"host_path": top, "container_path": "/rro", "readonly": True, "recursive_read_only": True},
            {"host_path": f"{top}/file", "container_path": "/deep/er/file", "readonly": True},
            {"host_path": f"{top}/made", "container_path": "/made"},
        ]
        container_id = self.started(mounts=mounts)
        self.assertEqual(self.node.sh(container_id, "cat /deep/er/file"), "from the host\n")
        self.node.sh(container_id, "echo x >/rw/new && echo y >/made/new")
        self.assertTrue(os.path.exists(f"{top}/new") and os.path.exists(f"{top}/made/new"))
        for path in ("/ro/no", "/rro/no", "/rro/sub/no", "/deep/er/file"):
            result = self.node.exec(container_id, "sh", "-c", f"echo x >{path}", check=False)
            self.assertIn("Read-only file system", result.stderr + result.stdout)
        shown = self.node.call(harness.RUNTIME + "ContainerStatus", {"container_id": container_id})["status"]["mounts"]
        self.assertEqual(
            [(m["host_path"], m["container_path"]) for m in shown],
            [(m["host_path"], m["container_path"]) for m in mounts],
        )

    def test_resources_reach_the_kernel(self):
        linux = {"resources": {"memory_limit_in_bytes": 64 << 20, "cpu_period": 100000, "cpu_quota": 25000, "oom_score_adj": 500}}
        container_id = self.started(linux)
        self.assertEqual(self.node.sh(container_id, "cat /proc/self/oom_score_adj").strip(), "500")
        values = {}
        for path in harness.leaks.cgroups({container_id}):
            for name in os.listdir(path):
                if name in ("memory.limit_in_bytes", "memory.max", "cpu.cfs_quota_us", "cpu.max"):
                    with open(f"{path}/{name}", encoding="utf-8") as f:
                        values[name] = f.read().strip()
        self.assertIn(str(64 << 20), values.values())
        self.assertTrue({"25000", "25000 100000"} & set(values.values()), values)

    def test_a_container_cannot_see_or_signal_the_node(self):
        container_id = self.started()
        self.assertLess(int(self.node.sh(container_id, "ls -d /proc/[0-9]* | wc -l")), 9)
        self.assertNotIn(self.node.socket, self.node.sh(container_id, "cat /proc/net/unix"))


if __name__ == "__main__":
    unittest.main()
