"""crictl drives every lifecycle RPC: what it shows is what is so."""

import json
import os
import re
import time
import unittest

import harness
from harness import IMAGE, RUNTIME, eventually, within

LOG_LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(Z|[+-]\d\d:\d\d) (stdout|stderr) [PF] ")


class Lifecycle(harness.NodeTest):
    def test_a_pod_from_runp_to_rmp(self):
        pod = self.pod("life")
        pod_id = self.node.runp(pod)
        self.assertRegex(pod_id, r"^[0-9a-f]{64}$")
        status = self.node.pod_status(pod_id)
        self.assertEqual(status["state"], "SANDBOX_READY")
        self.assertEqual(status["metadata"], {"attempt": 1, "name": "life", "namespace": "default", "uid": "life-uid"})
        self.assertEqual(status["labels"], pod["labels"])
        self.assertEqual(status["annotations"], pod["annotations"])
        self.assertRegex(status["network"]["ip"], r"^\d+\.\d+\.\d+\.\d+$")

        container = self.container()
        container_id = self.node.create(pod_id, container, pod)
        self.assertRegex(container_id, r"^[0-9a-f]{64}$")
        created = self.node.status(container_id)
        self.assertEqual(created["state"], "CONTAINER_CREATED")
        self.assertEqual(created["labels"], container["labels"])
        self.assertEqual(created["annotations"], container["annotations"])

        self.node.start_container(container_id)
        running = self.node.status(container_id)
        self.assertEqual(running["state"], "CONTAINER_RUNNING")
        self.assertEqual(running["exitCode"], 0)
        self.assertEqual(running["logPath"], f"{pod['log_directory']}/{container['log_path']}")

        self.node.crictl("stop", "-t", "0", container_id)
        stopped = self.node.status(container_id)
        self.assertEqual(stopped["state"], "CONTAINER_EXITED")
        self.assertEqual(stopped["exitCode"], 137)
        self.assertNotEqual(stopped["finishedAt"], running["finishedAt"])

        self.node.crictl("rm", container_id)
        self.assertEqual(self.node.container_ids(), [])
        self.node.crictl("stopp", pod_id)
        self.assertEqual(self.node.pod_status(pod_id)["state"], "SANDBOX_NOTREADY")
        self.node.crictl("rmp", pod_id)
        self.assertEqual(self.node.pod_ids(), [])
        self.assertRpcFails("NOT_FOUND", [pod_id[:12]], RUNTIME + "PodSandboxStatus", {"pod_sandbox_id": pod_id})

    def test_ids_may_be_shortened(self):
        pod = self.pod("short")
        pod_id, (container_id,) = self.node.run(pod, self.container())
        self.assertEqual(self.node.status(container_id[:13])["id"], container_id)
        self.assertEqual(self.node.pod_status(pod_id[:13])["id"], pod_id)

    def test_run_makes_pod_and_container_in_one_go(self):
        pod, container = self.pod("run"), self.container()
        out = self.node.crictl("run", "--no-pull", self.node._file(container), self.node._file(pod)).stdout
        self.node.ids.add(out.strip())
        self.assertEqual(self.node.status(out.strip())["state"], "CONTAINER_RUNNING")

    def test_stopping_the_pod_stops_its_containers(self):
        pod = self.pod("stop-all")
        pod_id, ids = self.node.run(pod, self.container("one"), self.container("two"))
        self.node.crictl("stopp", pod_id)
        for container_id in ids:
            self.assertEqual(self.node.status(container_id)["state"], "CONTAINER_EXITED")
        self.node.crictl("rmp", pod_id)
        self.assertEqual(self.node.container_ids(), [])

    def test_rmp_force_removes_a_running_pod(self):
        pod = self.pod("force")
        pod_id, _ = self.node.run(pod, self.container())
        self.node.crictl("rmp", "-f", pod_id)
        self.assertEqual((self.node.pod_ids(), self.node.container_ids()), ([], []))

    def test_sigterm_first_sigkill_after_the_grace(self):
        pod = self.pod("grace")
        polite = self.container("polite", command=["sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.1; done"])
        stubborn = self.container("stubborn", command=["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"])
        _, (polite_id, stubborn_id) = self.node.run(pod, polite, stubborn)
        time.sleep(0.5)  # The traps must be set.
        self.node.crictl("stop", "-t", "20", polite_id)
        self.assertEqual(self.node.status(polite_id)["exitCode"], 7)
        began = time.monotonic()
        self.node.crictl("stop", "-t", "1", stubborn_id)
        self.assertGreaterEqual(time.monotonic() - began, 0.9)
        self.assertLess(time.monotonic() - began, within(8))
        self.assertEqual(self.node.status(stubborn_id)["exitCode"], 137)

    def test_exit_codes_and_reasons(self):
        pod = self.pod("codes")
        cases = {"good": ("true", 0, "Completed"), "bad": ("exit 3", 3, "Error"), "signal": ("kill -9 $$", 137, "Error")}
        containers = [self.container(n, command=["sh", "-c", c]) for n, (c, _, _) in cases.items()]
        _, ids = self.node.run(pod, *containers)
        for container_id, (_, code, reason) in zip(ids, cases.values()):
            status = eventually(
                lambda i=container_id: (s := self.node.status(i))["state"] == "CONTAINER_EXITED" and s, what="the exit"
            )
            self.assertEqual((status["exitCode"], status["reason"]), (code, reason))

    def test_out_of_memory_is_said(self):
        pod = self.pod("oom")
        hungry = self.container(
            "hungry",
            command=["sh", "-c", "x=a; while :; do x=$x$x; done"],
            linux={"resources": {"memory_limit_in_bytes": 16 << 20, "memory_swap_limit_in_bytes": 16 << 20}},
        )
        _, (container_id,) = self.node.run(pod, hungry)
        status = eventually(
            lambda: (s := self.node.status(container_id))["state"] == "CONTAINER_EXITED" and s, 30, "the OOM kill"
        )
        self.assertEqual((status["exitCode"], status["reason"]), (137, "OOMKilled"))

    def test_a_command_that_does_not_exist_fails_to_start(self):
        pod = self.pod("no-command")
        pod_id = self.node.runp(pod)
        container_id = self.node.create(pod_id, self.container(command=["/no/such/program"]), pod)
        result = self.node.crictl("start", container_id, check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("/no/such/program", result.stderr)
        self.assertEqual(self.node.status(container_id)["state"], "CONTAINER_EXITED")

    def test_an_exited_container_does_not_start_again(self):
        pod = self.pod("again")
        _, (container_id,) = self.node.run(pod, self.container(command=["true"]))
        eventually(lambda: self.node.status(container_id)["state"] == "CONTAINER_EXITED", what="the exit")
        result = self.node.crictl("start", container_id, check=False)
        self.assertNotEqual(result.returncode, 0)

    def test_stop_and_remove_of_what_is_not_there_are_fine(self):
        nothing = "0" * 64
        for method, key in (
            ("StopPodSandbox", "pod_sandbox_id"),
            ("RemovePodSandbox", "pod_sandbox_id"),
            ("StopContainer", "container_id"),
            ("RemoveContainer", "container_id"),
        ):
            self.node.call(RUNTIME + method, {key: nothing})
        pod_id = self.node.runp(self.pod("twice"))
        for _ in range(3):
            self.node.call(RUNTIME + "StopPodSandbox", {"pod_sandbox_id": pod_id})
        for _ in range(3):
            self.node.call(RUNTIME + "RemovePodSandbox", {"pod_sandbox_id": pod_id})

    def test_a_retry_joins_the_call_in_flight(self):
        config = self.pod("joined")
        calls = [self.node.call_later(RUNTIME + "RunPodSandbox", {"config": config}) for _ in range(4)]
        ids = {call()["pod_sandbox_id"] for call in calls}
        self.node.ids.update(ids)
        self.assertEqual(len(ids), 1)
        self.assertEqual(self.node.pod_ids(), list(ids))

    def test_a_retry_after_the_answer_finds_the_same_pod(self):
        config = self.pod("again")
        ids = {self.node.call(RUNTIME + "RunPodSandbox", {"config": config})["pod_sandbox_id"] for _ in range(2)}
        self.node.ids.update(ids)
        self.assertEqual(len(ids), 1)

    def test_many_pods_at_once(self):
        calls = [self.node.call_later(RUNTIME + "RunPodSandbox", {"config": self.pod(f"many-{i}")}) for i in range(8)]
        ids = [call()["pod_sandbox_id"] for call in calls]
        self.node.ids.update(ids)
        self.assertEqual(sorted(self.node.pod_ids()), sorted(ids))
        addresses = {self.node.pod_status(i)["network"]["ip"] for i in ids}
        self.assertEqual(len(addresses), 8)


class Filters(harness.NodeTest):
    def test_pods_and_containers_are_found_by_each_filter(self):
        first, second = self.pod("first"), self.pod("second", labels={"app": "second", "tier": "back"})
        first_id, (one,) = self.node.run(first, self.container("one", labels={"tier": "one"}))
        second_id, (two,) = self.node.run(second, self.container("two", labels={"tier": "two"}))
        self.node.crictl("stop", "-t", "0", two)
        self.node.crictl("stopp", second_id)

        def pods(*flags):
            return set(self.node.crictl("pods", "-q", "--no-trunc", *flags).stdout.split())

        def containers(*flags):
            return set(self.node.crictl("ps", "-q", "--no-trunc", *flags).stdout.split())

        self.assertEqual(pods(), {first_id, second_id})
        self.assertEqual(pods("--id", first_id[:12]), {first_id})
        self.assertEqual(pods("--name", "second"), {second_id})
        self.assertEqual(pods("--namespace", "nowhere"), set())
        self.assertEqual(pods("--state", "Ready"), {first_id})
        self.assertEqual(pods("--state", "NotReady"), {second_id})
        self.assertEqual(pods("--label", "tier=back"), {second_id})
        self.assertEqual(pods("--label", "tier=back", "--label", "app=first"), set())
        self.assertEqual(containers(), {one})
        self.assertEqual(containers("-a"), {one, two})
        self.assertEqual(containers("-a", "--state", "Exited"), {two})
        self.assertEqual(containers("-a", "-p", second_id), {two})
        self.assertEqual(containers("-a", "--id", one[:12]), {one})
        self.assertEqual(containers("-a", "--label", "tier=two"), {two})
        self.assertEqual(containers("-a", "--name", "nobody"), set())
        unknown = self.node.call(RUNTIME + "ListContainers", {"filter": {"id": "f" * 64}})
        self.assertEqual(unknown.get("containers", []), [])

    def test_the_table_names_image_state_and_pod(self):
        pod_id, (container_id,) = self.node.run(self.pod("table"), self.container())
        table = self.node.crictl("ps").stdout
        for word in (container_id[:13], "busybox", "Running", "main", pod_id[:13]):
            self.assertIn(word, table)


class Inside(harness.NodeTest):
    def test_exec_sync_streams_and_exit_code(self):
        _, (container_id,) = self.node.run(self.pod("exec"), self.container())
        reply = self.node.call(
            RUNTIME + "ExecSync",
            {"container_id": container_id, "cmd": ["sh", "-c", "echo out; echo err >&2; exit 5"], "timeout": 10},
        )
        self.assertEqual(reply, {"stdout": "b3V0Cg==", "stderr": "ZXJyCg==", "exit_code": 5})
        self.assertIn("through crictl\n", self.node.crictl("exec", "-s", container_id, "echo", "through crictl").stdout)
        result = self.node.crictl("exec", "-s", container_id, "sh", "-c", "exit 3", check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("3", result.stderr)
        self.assertEqual(self.node.sh(container_id, "pwd"), "/tmp\n")
        self.assertEqual(self.node.sh(container_id, "echo $GREETING"), "hello\n")

    def test_exec_sync_timeout_kills_the_command(self):
        _, (container_id,) = self.node.run(self.pod("exec-timeout"), self.container())
        began = time.monotonic()
        self.assertRpcFails(
            "DEADLINE_EXCEEDED", [], RUNTIME + "ExecSync",
            {"container_id": container_id, "cmd": ["sleep", "1234"], "timeout": 1},
        )  # fmt: skip
        self.assertLess(time.monotonic() - began, within(10))
        eventually(lambda: "sleep 1234" not in self.node.sh(container_id, "ps -o args"), what="the kill")

    def test_exec_sync_of_an_unknown_command(self):
        _, (container_id,) = self.node.run(self.pod("exec-unknown"), self.container())
        with self.assertRaises(harness.RpcError) as caught:
            self.node.call(RUNTIME + "ExecSync", {"container_id": container_id, "cmd": ["/no/such"], "timeout": 5})
        self.assertIn("/no/such", caught.exception.message)

    def test_exec_sync_moves_megabytes(self):
        _, (container_id,) = self.node.run(self.pod("exec-big"), self.container())
        out = self.node.exec(container_id, "head", "-c", "3000000", "/dev/zero").stdout
        self.assertEqual(len(out), 3000000)

    def test_a_background_child_does_not_hold_exec_sync(self):
        _, (container_id,) = self.node.run(self.pod("exec-child"), self.container())
        began = time.monotonic()
        self.assertEqual(self.node.sh(container_id, "sleep 1000 & echo done"), "done\n")
        self.assertLess(time.monotonic() - began, within(15))

    def test_logs_in_cri_format(self):
        pod = self.pod("logs")
        lines = self.container(command=["sh", "-c", "echo one; echo two >&2; printf tail; exec sleep 1000"])
        _, (container_id,) = self.node.run(pod, lines)
        path = self.node.status(container_id)["logPath"]
        content = eventually(lambda: (t := open(path, encoding="utf-8").read()).count("\n") >= 2 and t, what="the log")
        for line in content.splitlines():
            self.assertRegex(line, LOG_LINE)
        result = eventually(
            lambda: (r := self.node.crictl("logs", container_id)).stdout.startswith("one\n") and "two\n" in r.stderr and r,
            what="crictl logs",
        )
        self.assertIn("one\n", result.stdout)
        self.assertEqual(os.stat(path).st_mode & 0o007, 0)

    def test_long_lines_are_split_and_none_is_lost(self):
        script = "i=0; while [ $i -lt 2000 ]; do echo line-$i; i=$((i+1)); done; head -c 50000 /dev/zero | tr '\\0' x; echo"
        _, (container_id,) = self.node.run(self.pod("long"), self.container(command=["sh", "-c", script]))
        eventually(lambda: self.node.status(container_id)["state"] == "CONTAINER_EXITED", what="the exit")
        out = self.node.crictl("logs", container_id).stdout.splitlines()
        self.assertEqual(out[:2000], [f"line-{i}" for i in range(2000)])
        self.assertEqual(out[2000], "x" * 50000)

    def test_reopen_log_moves_to_the_new_file(self):
        pod = self.pod("reopen")
        chatter = self.container(command=["sh", "-c", "i=0; while :; do echo $i; i=$((i+1)); sleep 0.01; done"])
        _, (container_id,) = self.node.run(pod, chatter)
        path = self.node.status(container_id)["logPath"]
        eventually(lambda: os.path.getsize(path) > 0, what="the first line")
        os.rename(path, path + ".1")
        self.node.call(RUNTIME + "ReopenContainerLog", {"container_id": container_id})
        eventually(lambda: os.path.exists(path) and os.path.getsize(path) > 200, what="the new file")
        self.node.crictl("stop", "-t", "0", container_id)
        numbers = []
        for name in (path + ".1", path):
            with open(name, encoding="utf-8") as f:
                numbers += [int(line.split()[3]) for line in f if line.endswith("\n")]
        self.assertEqual(numbers, list(range(len(numbers))))

    def test_reopen_log_of_a_stopped_container_makes_no_file(self):
        pod = self.pod("reopen-stopped")
        _, (container_id,) = self.node.run(pod, self.container(command=["true"]))
        status = eventually(
            lambda: (s := self.node.status(container_id))["state"] == "CONTAINER_EXITED" and s, what="the exit"
        )
        os.rename(status["logPath"], status["logPath"] + ".1")
        with self.assertRaises(harness.RpcError):
            self.node.call(RUNTIME + "ReopenContainerLog", {"container_id": container_id})
        self.assertFalse(os.path.exists(status["logPath"]))

    def test_update_changes_the_cgroup_and_the_status(self):
        _, (container_id,) = self.node.run(self.pod("update"), self.container())
        self.node.crictl("update", "--memory", str(128 << 20), "--cpu-share", "512", container_id)
        resources = self.node.status(container_id)["resources"]["linux"]
        self.assertEqual(int(resources["memoryLimitInBytes"]), 128 << 20)
        self.assertEqual(int(resources["cpuShares"]), 512)
        limits = set()
        for path in harness.leaks.cgroups({container_id}):
            for name in ("memory.limit_in_bytes", "memory.max"):
                if os.path.exists(f"{path}/{name}"):
                    with open(f"{path}/{name}", encoding="utf-8") as f:
                        limits.add(f.read().strip())
        self.assertIn(str(128 << 20), limits)

    def test_a_refused_update_changes_nothing(self):
        _, (container_id,) = self.node.run(self.pod("update-bad"), self.container())
        before = self.node.status(container_id)["resources"]
        result = self.node.crictl("update", "--cpuset-cpus", "4000", container_id, check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assertEqual(self.node.status(container_id)["resources"], before)


class Node(harness.NodeTest):
    def test_version(self):
        out = self.node.crictl("version").stdout
        for word in ("RuntimeName", "crisp", "RuntimeApiVersion", "v1"):
            self.assertIn(word, out)

    def test_info_tells_conditions_and_config(self):
        info = json.loads(self.node.crictl("info").stdout)
        conditions = {c["type"]: c["status"] for c in info["status"]["conditions"]}
        self.assertEqual(conditions.get("RuntimeReady"), True)
        self.assertEqual(conditions.get("NetworkReady"), True)
        self.assertIn("", [h.get("name", "") for h in info.get("runtimeHandlers", [])])
        config = info["config"]
        self.assertEqual(config["rootDir"], self.node.root)
        self.assertEqual(config["stateDir"], self.node.state)

    def test_runtime_config_names_a_cgroup_driver(self):
        out = self.node.crictl("runtime-config").stdout
        self.assertRegex(out, "cgroup driver: +(CGROUPFS|SYSTEMD)")

    def test_update_runtime_config_is_accepted(self):
        self.node.call(RUNTIME + "UpdateRuntimeConfig", {"runtime_config": {"network_config": {"pod_cidr": "10.1.0.0/16"}}})

    def test_checkpoints_are_not_there(self):
        request = {"container_id": "0" * 64, "location": "/tmp/x"}
        self.assertRpcFails("UNIMPLEMENTED", [], RUNTIME + "CheckpointContainer", request)


class Images(harness.NodeTest):
    def test_images_show_the_imported_one(self):
        images = self.node.crictl_json("images")["images"]
        ours = [i for i in images if harness.BUSYBOX in i["repoTags"]]
        self.assertEqual(len(ours), 1)
        self.assertGreater(int(ours[0]["size"]), 100000)
        inspected = self.node.crictl_json("inspecti", harness.BUSYBOX)
        self.assertEqual(inspected["status"]["id"], ours[0]["id"])
        by_id = self.node.crictl_json("inspecti", ours[0]["id"])
        self.assertEqual(by_id["status"]["id"], ours[0]["id"])
        short = self.node.crictl_json("inspecti", "busybox")
        self.assertEqual(short["status"]["id"], ours[0]["id"])

    def test_a_container_names_its_image_by_the_same_id(self):
        image_id = self.node.crictl_json("inspecti", harness.BUSYBOX)["status"]["id"]
        _, (container_id,) = self.node.run(self.pod("image-id"), self.container())
        listed = self.node.call(RUNTIME + "ListContainers", {})["containers"][0]
        status = self.node.call(RUNTIME + "ContainerStatus", {"container_id": container_id})["status"]
        self.assertEqual(listed["image_id"], image_id)
        self.assertEqual(status["image_id"], image_id)

    def test_an_unknown_image_has_no_status_and_may_be_removed(self):
        reply = self.node.call(IMAGE + "ImageStatus", {"image": {"image": "nowhere.example/none:1"}})
        self.assertNotIn("image", reply)
        self.node.call(IMAGE + "RemoveImage", {"image": {"image": "nowhere.example/none:1"}})

    def test_rmi_removes_every_tag_of_the_image(self):
        image = harness.image_builder.Image([harness.image_builder.busybox_layer()], {"Labels": {"x": "rmi"}})
        self.node.import_busybox(("rmi.example/app:1", "rmi.example/app:2"), image)
        shown = self.node.crictl_json("inspecti", "rmi.example/app:1")["status"]
        self.assertEqual(sorted(shown["repoTags"]), ["rmi.example/app:1", "rmi.example/app:2"])
        self.node.crictl("rmi", "rmi.example/app:1")
        reply = self.node.call(IMAGE + "ImageStatus", {"image": {"image": "rmi.example/app:2"}})
        self.assertNotIn("image", reply)

    def test_the_image_filesystem_is_measured(self):
        reply = self.node.call(IMAGE + "ImageFsInfo", {})
        usage = reply["image_filesystems"][0]
        self.assertGreater(int(usage["used_bytes"]["value"]), 0)
        self.assertTrue(usage["fs_id"]["mountpoint"].startswith("/"))

    def test_environment_and_user_come_from_the_image(self):
        builder = harness.image_builder
        image = builder.Image(
            [builder.busybox_layer(), {"greeting": builder.regular("hello from a layer\n")}],
            {
                "User": "alice",
                "Env": ["PATH=/bin", "FROM_IMAGE=yes", "GREETING=overridden"],
                "WorkingDir": "/home/alice",
                "Entrypoint": ["sh", "-c"],
                "Cmd": ["cat /greeting; id -un; pwd; echo $FROM_IMAGE $GREETING"],
            },
        )
        self.node.import_busybox(("image.example/user:1",), image)
        container = self.container(image={"image": "image.example/user:1"})
        for key in ("command", "working_dir"):
            container.pop(key)
        _, (container_id,) = self.node.run(self.pod("image-config"), container)
        out = eventually(lambda: (o := self.node.crictl("logs", container_id).stdout).count("\n") == 4 and o, what="output")
        self.assertEqual(out, "hello from a layer\nalice\n/home/alice\nyes hello\n")
        self.node.crictl("rmp", "-fa")
        self.node.crictl("rmi", "image.example/user:1")


class Namespaces(harness.NodeTest):
    def ns(self, container_id, kind):
        return self.node.sh(container_id, f"readlink /proc/self/ns/{kind}").strip()

    def test_containers_share_what_the_pod_owns(self):
        own_pids = {"security_context": {"namespace_options": {"pid": 1}}}
        pod = self.pod("shared", linux=own_pids)
        _, (one, two) = self.node.run(
            pod, self.container("one", linux=own_pids), self.container("two", linux=own_pids)
        )
        for kind in ("net", "ipc", "uts"):
            self.assertEqual(self.ns(one, kind), self.ns(two, kind), kind)
            self.assertNotEqual(self.ns(one, kind), os.readlink(f"/proc/self/ns/{kind}"), kind)
        for kind in ("pid", "mnt"):
            self.assertNotEqual(self.ns(one, kind), self.ns(two, kind), kind)
        self.node.sh(one, "echo x >/dev/shm/note")
        self.assertEqual(self.node.sh(two, "cat /dev/shm/note"), "x\n")
        self.assertEqual(self.node.sh(one, "hostname"), pod["hostname"] + "\n")

    def test_a_shared_pid_namespace_has_pause_for_init(self):
        pod = self.pod("sharedpid", "pod-shared-pid.json")
        containers = [self.container(n, "container-shared-pid.json") for n in ("one", "two")]
        _, (one, two) = self.node.run(pod, *containers)
        self.assertEqual(self.ns(one, "pid"), self.ns(two, "pid"))
        self.assertIn("pause", self.node.sh(one, "cat /proc/1/comm"))
        # Orphans go to pause, which leaves no zombies.
        self.node.sh(one, "for i in 1 2 3 4 5; do (sleep 0.2 &) ; done")
        time.sleep(1)
        self.assertEqual(self.node.sh(one, "grep -l '^State:.Z' /proc/[0-9]*/status || true"), "")

    def test_a_target_container_lends_its_pid_namespace(self):
        pod = self.pod("target")
        pod_id, (one,) = self.node.run(pod, self.container("one"))
        options = {"namespace_options": {"pid": 3, "target_id": one}}
        two = self.node.create(pod_id, self.container("two", linux={"security_context": options}), pod)
        self.node.start_container(two)
        self.assertEqual(self.ns(one, "pid"), self.ns(two, "pid"))
        self.assertEqual(self.ns(one, "net"), self.ns(two, "net"))

    def test_the_node_s_namespaces(self):
        options = {"namespace_options": {"network": 2, "pid": 2, "ipc": 2}}
        pod = self.pod("node", linux={"security_context": options})
        _, (container_id,) = self.node.run(pod, self.container(linux={"security_context": options}))
        self.assertEqual(self.ns(container_id, "net"), os.readlink(f"/proc/{self.node.holder.pid}/ns/net"))
        self.assertEqual(self.ns(container_id, "pid"), os.readlink("/proc/self/ns/pid"))
        self.assertEqual(self.ns(container_id, "ipc"), os.readlink("/proc/self/ns/ipc"))

    def test_dns_hostname_hosts_and_sysctls(self):
        pod = self.pod("dns", "pod-dns.json")
        _, (container_id,) = self.node.run(pod, self.container())
        self.assertEqual(
            self.node.sh(container_id, "cat /etc/resolv.conf").splitlines(),
            [
                "search default.svc.cluster.local svc.cluster.local",
                "nameserver 192.0.2.53",
                "nameserver 192.0.2.54",
                "options ndots:5",
            ],
        )
        self.assertEqual(self.node.sh(container_id, "hostname; echo $HOSTNAME; cat /etc/hostname"), "dns-host\n" * 3)
        self.assertIn("127.0.0.1", self.node.sh(container_id, "cat /etc/hosts"))
        self.assertEqual(
            self.node.sh(container_id, "cat /proc/sys/net/ipv4/ip_local_port_range").split(), ["20000", "30000"]
        )
        self.assertEqual(self.node.sh(container_id, "df -P /dev/shm | tail -1").split()[0], "shm")


if __name__ == "__main__":
    unittest.main()
