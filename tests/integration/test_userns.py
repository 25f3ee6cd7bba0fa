"""Pods with a user namespace of their own: who they are inside and outside, what they can
reach, and what is refused."""

import base64
import json
import os
import stat
import unittest

import harness
import image_builder
import tools
from harness import IMAGE, RUNTIME, VOLUMES, eventually

IDLE = ["sh", "-c", "echo to-stderr > /dev/stderr; exec tail -f /dev/null"]
HOST_ID, LENGTH = 200000, 65536
MAPPING = [{"container_id": 0, "host_id": HOST_ID, "length": LENGTH}]
CONF = {"namespace": "default", "name": "conf"}
POD, CONTAINER, NODE, TARGET = 0, 1, 2, 3


def users(mode=POD, uids=None, gids=None):
    own = MAPPING if mode == POD else []
    return {"mode": mode, "uids": own if uids is None else uids, "gids": own if gids is None else gids}


class UserNamespaces(harness.NodeTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        handlers = cls.node.call(RUNTIME + "Status", {})["runtime_handlers"]
        features = {h.get("name", ""): h.get("features", {}) for h in handlers}
        if not features[""].get("user_namespaces"):
            raise unittest.SkipTest("this host has no user namespaces with idmapped mounts; crispd's log says why")

    def mapped_pod(self, name, **changes):
        pod = self.pod(name, **changes)
        security = pod["linux"].setdefault("security_context", {})
        security.setdefault("namespace_options", {})["userns_options"] = users()
        return pod

    def started(self, pod, container):
        pod_id = self.node.runp(pod)
        container_id = self.node.create(pod_id, container, pod)
        self.node.start_container(container_id)
        return pod_id, container_id

    def pids(self, pod_id, container_id):
        info = json.loads(self.node.crictl("inspectp", pod_id).stdout)["info"]
        own = json.loads(self.node.crictl("inspect", container_id).stdout)["info"]
        return info["pid"], own["pid"]

    def test_root_inside_is_nobody_outside(self):
        pod_id, container_id = self.started(self.mapped_pod("root"), self.container(command=IDLE))
        sh = lambda script: self.node.sh(container_id, script)  # noqa: E731
        self.assertEqual(sh("cat /proc/self/uid_map; id -u").split(), ["0", str(HOST_ID), str(LENGTH), "0"])
        self.assertEqual(sh("cat /proc/self/gid_map").split(), ["0", str(HOST_ID), str(LENGTH)])
        for pid in self.pids(pod_id, container_id):
            self.assertEqual(os.stat(f"/proc/{pid}").st_uid, HOST_ID)
            self.assertNotEqual(os.readlink(f"/proc/{pid}/ns/user"), os.readlink("/proc/self/ns/user"))
        pause, own = self.pids(pod_id, container_id)
        for kind in ("user", "net", "ipc", "uts"):
            self.assertEqual(os.readlink(f"/proc/{pause}/ns/{kind}"), os.readlink(f"/proc/{own}/ns/{kind}"))
        # The image's files are root's, and what is written belongs to it.
        self.assertEqual(sh("stat -c '%u %g' /bin/busybox / /etc").split(), ["0"] * 6)
        self.assertEqual(sh("touch /root/mine && stat -c %u /root/mine && chown 7:8 /root/mine && "
                            "stat -c %u:%g /root/mine").split(), ["0", "7:8"])  # fmt: skip
        upper = f"{self.node.root}/containers/{container_id}/fs"
        written = os.stat(f"{upper}/root/mine")
        self.assertEqual((written.st_uid, written.st_gid), (HOST_ID + 7, HOST_ID + 8))
        self.assertEqual(os.stat(upper).st_uid, HOST_ID)
        # A file of the image, once written to, is copied up as the same user's.
        self.assertEqual(sh("echo more >> /etc/passwd && stat -c %u /etc/passwd").strip(), "0")

    def test_what_every_container_has(self):
        pod = self.mapped_pod("all", hostname="mapped")
        pod["dns_config"] = {"servers": ["192.0.2.1"]}
        pod_id, container_id = self.started(pod, self.container(command=IDLE))
        sh = lambda script: self.node.sh(container_id, script)  # noqa: E731
        self.assertIn("192.0.2.1", sh("cat /etc/resolv.conf"))
        self.assertEqual(sh("cat /etc/hostname; hostname").split(), ["mapped", "mapped"])
        self.assertIn("mapped", sh("cat /etc/hosts"))
        self.assertEqual(sh("stat -c %u /etc/hosts; echo '192.0.2.2 more' >> /etc/hosts; tail -1 /etc/hosts").split(),
                         ["0", "192.0.2.2", "more"])  # fmt: skip
        self.assertEqual(sh("echo x > /dev/shm/x; cat /dev/shm/x; stat -c %a /dev/shm").split(), ["x", "1777"])
        self.assertEqual(sh("head -c 3 /dev/zero | wc -c; echo y > /dev/null; ls /dev/pts /dev/mqueue").split()[0], "3")
        self.assertIn("eth0", sh("ls /sys/class/net"))
        self.assertIn("127.0.0.1", sh("ip addr show lo"))
        # It may open its own streams again, and its network is its own to manage.
        eventually(lambda: "to-stderr" in self.node.crictl("logs", container_id, check=False).stderr)
        self.assertEqual(self.node.sh(container_id, "echo out > /proc/self/fd/1"), "out\n")
        self.assertEqual(sh("cat /proc/sys/net/ipv4/ip_unprivileged_port_start").strip(), "0")
        # The gateway answers: the interface was moved into a namespace of somebody else's.
        sh("ping -c 1 -w 5 $(ip route | sed -n 's/default via \\([^ ]*\\).*/\\1/p')")

    def test_execs_statistics_and_updates(self):
        pod_id, container_id = self.started(self.mapped_pod("exec"), self.container(command=IDLE))
        self.assertEqual(self.node.exec(container_id, "id", "-u").stdout, "0\n")
        argv = [tools.crictl(), "--config", f"{self.node.base}/crictl.yaml", "-r", self.node.endpoint, "exec"]
        out = self.node.in_netns(*argv, container_id, "sh", "-c", "id -u; cat /proc/self/uid_map").stdout
        self.assertEqual(out.split(), ["0", "0", str(HOST_ID), str(LENGTH)])
        stats = self.node.call(RUNTIME + "PodSandboxStats", {"pod_sandbox_id": pod_id})["stats"]["linux"]
        self.assertEqual(stats["network"]["default_interface"]["name"], "eth0")
        self.assertEqual(len(stats["containers"]), 1)
        self.node.crictl("update", "--memory", str(32 << 20), container_id)
        options = self.node.pod_status(pod_id)["linux"]["namespaces"]["options"]
        self.assertEqual(options["usernsOptions"]["uids"][0]["hostId"], HOST_ID)
        # crispd may go: the pod is adopted with its namespace.
        self.node.restart()
        self.assertEqual(self.node.exec(container_id, "id", "-u").stdout, "0\n")
        self.node.crictl("stop", "-t", "0", container_id)

    def test_another_user_and_containers_beside_each_other(self):
        pod = self.mapped_pod("users")
        pod_id = self.node.runp(pod)
        made = {}
        for name, security in (
            ("root", {}),
            ("other", {"run_as_user": {"value": 1234}, "run_as_group": {"value": 1001}, "supplemental_groups": [2000]}),
        ):
            container = self.container(name, command=IDLE)
            container["linux"]["security_context"] = security
            made[name] = self.node.create(pod_id, container, pod)
            self.node.start_container(made[name])
        self.assertEqual(self.node.sh(made["other"], "id -u; id -G").split(), ["1234", "1001", "2000"])
        _, pid = self.pids(pod_id, made["other"])
        self.assertEqual(os.stat(f"/proc/{pid}").st_uid, HOST_ID + 1234)
        self.node.sh(made["root"], "echo shared > /dev/shm/file")
        self.assertEqual(self.node.sh(made["other"], "cat /dev/shm/file"), "shared\n")
        self.assertEqual(self.node.sh(made["other"], "echo again > /proc/self/fd/1"), "again\n")

    def apply(self, text):
        data = {"key": base64.b64encode(text.encode()).decode()}
        self.node.call(VOLUMES + "ApplyConfigMap", {"config_map": {"key": CONF, "data": data}})

    def test_volumes_are_seen_with_the_pods_ids(self):
        self.apply("value\n")
        image = image_builder.Image([{"top": image_builder.regular("one\n")}, {"in/low": image_builder.regular("two\n")}])
        self.node.import_busybox(["docker.io/library/layers:1"], image)
        volumes = [
            {"name": "conf", "configMap": {"name": "conf"}},
            {"name": "disk", "emptyDir": {}},
            {"name": "memory", "emptyDir": {"medium": "Memory"}},
            {"name": "image", "image": {"reference": "docker.io/library/layers:1"}},
        ]
        mounts = [
            {"name": "conf", "mountPath": "/conf"},
            {"name": "conf", "mountPath": "/file", "subPath": "key"},
            {"name": "disk", "mountPath": "/disk"},
            {"name": "memory", "mountPath": "/memory"},
            {"name": "image", "mountPath": "/image"},
            {"name": "image", "mountPath": "/part", "subPath": "in"},
        ]
        host = f"{self.node.base}/host"
        os.makedirs(host)
        with open(f"{host}/file", "w", encoding="utf-8") as f:
            f.write("host's\n")
        pod = self.mapped_pod("volumes")
        pod["annotations"] = {"io.crisp.volumes": json.dumps(volumes)}
        container = self.container(command=IDLE, annotations={"io.crisp.volume-mounts": json.dumps(mounts)})
        container["mounts"] = [
            {"container_path": "/mapped", "host_path": host, "uidMappings": MAPPING, "gidMappings": MAPPING},
            {"container_path": "/plain", "host_path": host},
        ]
        _, container_id = self.started(pod, container)
        sh = lambda script: self.node.sh(container_id, script)  # noqa: E731
        self.assertEqual(sh("cat /conf/key /file /image/top /part/low"), "value\nvalue\none\ntwo\n")
        self.assertEqual(sh("stat -c %u /conf/key /disk /memory /image/top /part/low /mapped/file").split(), ["0"] * 6)
        self.assertEqual(sh("stat -c %u /plain/file").strip(), "65534")
        sh("touch /disk/mine /memory/mine /mapped/mine")
        # On the host it is as the container thinks: its root's.
        self.assertEqual(os.stat(f"{host}/mine").st_uid, 0)
        self.apply("new\n")
        self.assertEqual(sh("cat /conf/key"), "new\n")
        self.node.remove_all_pods()
        self.node.call(IMAGE + "RemoveImage", {"image": {"image": image.id}})
        self.node.call(VOLUMES + "DeleteConfigMap", {"key": CONF})

    def test_a_process_namespace_for_the_pod(self):
        pod = self.mapped_pod("shared")
        pod["linux"]["security_context"]["namespace_options"]["pid"] = POD
        pod_id, container_id = self.started(pod, self.container(command=IDLE))
        self.assertIn("pause", self.node.sh(container_id, "cat /proc/1/comm"))
        own = self.mapped_pod("own")
        own["linux"]["security_context"]["namespace_options"]["pid"] = CONTAINER
        container = self.container(command=IDLE)
        container["linux"]["security_context"] = {"namespace_options": {"pid": CONTAINER}}
        _, container_id = self.started(own, container)
        self.assertNotIn("pause", self.node.sh(container_id, "cat /proc/1/comm"))

    def test_a_terminal(self):
        container = self.container(command=["sh", "-c", "tty; stat -c %u $(tty); exec tail -f /dev/null"], tty=True)
        _, container_id = self.started(self.mapped_pod("tty"), container)
        eventually(lambda: self.node.crictl("logs", container_id).stdout.split() == ["/dev/console", "0"]
                   or self.node.crictl("logs", container_id).stdout.split() == ["/dev/pts/0", "0"])  # fmt: skip

    def test_a_privileged_pod_is_privileged_inside_only(self):
        pod = self.mapped_pod("privileged")
        pod["linux"]["security_context"]["privileged"] = True
        container = self.container(command=IDLE)
        container["linux"]["security_context"] = {"privileged": True}
        _, container_id = self.started(pod, container)
        sh = lambda script: self.node.sh(container_id, script)  # noqa: E731
        sh("mkdir /m; mount -t tmpfs none /m; umount /m; ip link add dummy0 type dummy || ip link set lo down")
        # Of the host it may change nothing.
        for script in ("echo 1 > /proc/sys/kernel/panic", "mknod /sda b 8 0", "hostname -F /dev/null; date -s 0"):
            self.assertNotEqual(self.node.exec(container_id, "sh", "-c", script, check=False).returncode, 0, script)

    # --- what is refused

    def refused(self, words, code="INVALID_ARGUMENT", handler="", **options):
        pod = self.pod("refused")
        security = pod["linux"].setdefault("security_context", {})
        security["namespace_options"] = options
        request = {"config": pod, "runtime_handler": handler}
        self.assertRpcFails(code, words, RUNTIME + "RunPodSandbox", request)
        self.assertEqual(self.node.pod_ids(), [])

    def test_refusals_name_what_is_wrong(self):
        field = "userns_options."
        two = MAPPING + [{"container_id": LENGTH, "host_id": 1, "length": 1}]
        self.refused([field + "mode"], userns_options=users(CONTAINER))
        self.refused([field + "mode"], userns_options=users(TARGET))
        self.refused([field + "uids", "2 mappings"], userns_options=users(uids=two))
        self.refused([field + "gids", "0 mappings"], userns_options=users(gids=[]))
        self.refused([field + "uids[0].container_id"],
                     userns_options=users(uids=[{"container_id": 1, "host_id": 1, "length": 9}]))  # fmt: skip
        self.refused([field + "uids[0].length"], userns_options=users(uids=[{"host_id": 1}]))
        for other in ("network", "pid", "ipc"):
            self.refused([other, "NODE"], userns_options=users(), **{other: NODE})
        self.refused(["userns_options"], "FAILED_PRECONDITION", "runc", userns_options=users())

    def test_a_container_and_its_mounts_have_the_pods_namespace(self):
        pod = self.mapped_pod("agree")
        pod_id = self.node.runp(pod)

        def create(words, **changes):
            container = self.container(command=["true"], **changes)
            container.pop("envs")
            request = {"pod_sandbox_id": pod_id, "config": container, "sandbox_config": pod}
            self.assertRpcFails("INVALID_ARGUMENT", words, RUNTIME + "CreateContainer", request)

        other = users(uids=[{"container_id": 0, "host_id": 1, "length": LENGTH}])
        create(["userns_options"], linux={"security_context": {"namespace_options": {"userns_options": other}}})
        create(["userns_options.mode"],
               linux={"security_context": {"namespace_options": {"userns_options": users(NODE)}}})  # fmt: skip
        create(["not mapped"], linux={"security_context": {"run_as_user": {"value": LENGTH}}})
        mount = {"container_path": "/x", "host_path": "/etc", "uidMappings": MAPPING}
        create(["gidMappings"], mounts=[mount])
        self.node.remove_all_pods()
        pod = self.pod("plain")
        pod_id = self.node.runp(pod)
        create(["no user namespace"], mounts=[{**mount, "gidMappings": MAPPING}])

    def test_a_host_directory_that_is_nobodys(self):
        """Without maps a mount keeps the host's ids, and root inside is nobody there."""
        host = f"{self.node.base}/closed"
        os.makedirs(host, 0o700)
        container = self.container(command=IDLE, mounts=[{"container_path": "/closed", "host_path": host}])
        _, container_id = self.started(self.mapped_pod("closed"), container)
        self.assertNotEqual(self.node.exec(container_id, "ls", "/closed", check=False).returncode, 0)
        self.assertEqual(stat.S_IMODE(os.stat(host).st_mode), 0o700)


if __name__ == "__main__":
    unittest.main()
