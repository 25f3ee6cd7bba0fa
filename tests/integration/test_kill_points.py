"""kill -9 at every step of a pod's life: of crispd, of the shim and what it launches, of
pause, of a container's init.

The programs themselves list the steps (base/failpoint.h). One life of a pod without any
fault tells which of them it passes, and in which order; then that life is lived again for
every step, with somebody killed there. After each: crispd answers and lists what is true,
what was interrupted can be done again, stop and remove work, twice, and nothing is left.
A pod that has nothing to do with it runs on, and its log goes on, throughout.

tools/test kills who reached a step, at the last time that a life passes it (a container's
launch, not pause's), and at every eighth step one of the others, in turn; CRISP_NIGHTLY=1 kills
every one of them whenever any step is passed. CRISP_KILL_POINTS=REGEX runs only the steps it
matches.
"""

import json
import os
import re
import signal
import sys
import time
import unittest

import failpoints
import harness
import leaks
import tools
from harness import RUNTIME, RpcError, eventually

NIGHTLY = os.environ.get("CRISP_NIGHTLY") == "1"
ONLY = os.environ.get("CRISP_KILL_POINTS", "")
VICTIMS = ("self", "crispd", "shim", "pause", "init")
TERM_CODE, KILL_CODE, LOST_CODE, NOT_STARTED_CODE = 7, 137, 255, 128
SHIM = "containerd-shim-crisp-v1"


def parent(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
            return int(f.read().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


def alive(pid):
    """There, and no zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def start_time(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
        return f.read().rsplit(")", 1)[1].split()[19]


class Case:
    """Somebody killed where a step is reached for the n-th time in a life."""

    def __init__(self, step, passes, victim):
        self.step, self.passes, self.victim = step, passes, victim

    def __str__(self):
        return f"{self.victim} at {self.step}" + (f" (after {self.passes})" if self.passes else "")


class KillPoints(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        tools.need_root()
        tools.crictl()
        cls.board = failpoints.Board()
        cls.addClassCleanup(cls.board.close)
        cls.node = harness.Node(environment={"CRISP_FAILPOINTS": cls.board.path})
        cls.addClassCleanup(cls.node.destroy)
        cls.bystander_pod, (cls.bystander,) = cls.node.run(
            cls.pod_config("bystander"),
            cls.container_config("ticks", "i=0; while true; do echo tick $i; i=$((i+1)); sleep 0.1; done"),
        )
        info = cls.node.crictl_json("inspect", cls.bystander)
        cls.bystander_pid = int(info["info"]["pid"])
        cls.bystander_start = start_time(cls.bystander_pid)
        # What it runs comes and goes, and is no leak.
        cls.node.ids -= {cls.bystander_pod, cls.bystander}
        cls.clean = leaks.snapshot(cls.node)

    @classmethod
    def pod_config(cls, name):
        config = harness.example("pod.json")
        config["metadata"].update(name=name, uid=name + "-uid")
        config["log_directory"] = f"{cls.node.logs}/{name}"
        config["annotations"]["io.crisp.volumes"] = json.dumps(
            [{"name": "memory", "emptyDir": {"medium": "Memory"}}, {"name": "disk", "emptyDir": {}}]
        )
        config["linux"] = {"sysctls": {"net.ipv4.ip_unprivileged_port_start": "80"}}
        return config

    @classmethod
    def container_config(cls, name, script):
        config = harness.example("container.json")
        config["metadata"]["name"] = name
        config["log_path"] = f"{name}/0.log"
        config["command"] = ["sh", "-c", script]
        config["envs"] = []  # Values are bytes, which crictl and JSON spell differently.
        config["annotations"]["io.crisp.volume-mounts"] = json.dumps([{"name": "memory", "mountPath": "/scratch"}])
        return config

    # --- a life

    def steps_of_life(self):
        """The RPCs of a life, as (name, function that gives method and request)."""
        self.ids = {}
        pod = self.pod_config("victim")
        polite = self.container_config("polite", f"trap 'exit {TERM_CODE}' TERM; while true; do sleep 0.02; done")
        stubborn = self.container_config("stubborn", "trap '' TERM; while true; do sleep 0.02; done")
        create = lambda config: lambda: (
            "CreateContainer", {"pod_sandbox_id": self.ids["pod"], "config": config, "sandbox_config": pod}
        )  # fmt: skip
        on = lambda method, who, **more: lambda: (method, {"container_id": self.ids[who], **more})
        on_pod = lambda method: lambda: (method, {"pod_sandbox_id": self.ids["pod"]})
        return [
            ("pod", lambda: ("RunPodSandbox", {"config": pod})),
            ("polite", create(polite)),
            ("stubborn", create(stubborn)),
            ("start", on("StartContainer", "polite")),
            ("start", on("StartContainer", "stubborn")),
            ("exec", on("ExecSync", "polite", cmd=["sh", "-c", "exit 5"], timeout=10)),
            ("stream", None),
            ("stop", on("StopContainer", "polite", timeout=10)),
            ("remove", on("RemoveContainer", "polite")),
            ("stop pod", on_pod("StopPodSandbox")),
            ("remove pod", on_pod("RemovePodSandbox")),
        ]

    def begin(self, name, make):
        """Begins one step of a life; (whether it is through, its answer)."""
        if make is None:
            argv = [
                "nsenter", f"--net=/proc/{self.node.holder.pid}/ns/net", tools.crictl(), "-r", self.node.endpoint, "-i", self.node.endpoint, "-t", "20s",
                "exec", self.ids["polite"], "sh", "-c", "exit 0",
            ]  # fmt: skip
            process = tools.start(*argv)

            def finish():
                out = tools.finish(process, 60)
                if out.returncode != 0:
                    raise RpcError("Exec", "FAILED", out.stderr)
                return {}

            return lambda: process.poll() is not None, finish
        method, request = make()
        pending = self.node.call_later(RUNTIME + method, request, timeout=40)

        def finish():
            reply = pending()
            for key, field in (("pod", "pod_sandbox_id"), ("polite", "container_id"), ("stubborn", "container_id")):
                if name == key:
                    self.ids[key] = reply[field]
                    self.node.ids.add(reply[field])
            return reply

        return pending.done, finish

    def live(self, on_hold=None):
        """Lives a life until its end or the armed step; whether the step was reached. In the
        latter case on_hold(step's name, finish) takes over."""
        for name, make in self.steps_of_life():
            done, finish = self.begin(name, make)
            if self.board.wait(done):
                on_hold(name, finish)
                return True
            reply = finish()
            if name == "exec":
                self.assertEqual(reply["exit_code"], 5)
        # The end of what goes on in the background belongs to it.
        deadline = time.monotonic() + 2
        while on_hold and time.monotonic() < deadline:
            if self.board.held:
                on_hold("afterwards", lambda: None)
                return True
            time.sleep(0.01)
        return False

    # --- who there is

    def shim(self):
        """The shim of the pod under test; not its forks."""
        found = [
            pid for pid in tools.pids()
            if SHIM in (c := tools.proc_cmdline(pid)) and self.node.state in c and self.bystander_pod not in c
        ]  # fmt: skip
        return next((pid for pid in found if parent(pid) not in found), None)

    def child_of_shim(self, command):
        shim = self.shim()
        return next(
            (pid for pid in tools.pids() if shim and parent(pid) == shim and command in tools.proc_cmdline(pid)), None
        )

    def pid_of(self, victim):
        if victim == "self":
            return self.board.holder()
        if victim == "crispd":
            return self.node.daemon.pid
        if victim == "shim":
            return self.shim()
        if victim == "pause":
            return self.child_of_shim("/pause")
        return self.child_of_shim(f"exit {TERM_CODE}")

    # --- what must be true after a fault

    def call(self, method, request):
        return self.node.call(RUNTIME + method, request, timeout=40)

    def pods(self):
        items = self.call("ListPodSandbox", {}).get("items", [])
        found = [item for item in items if item["id"] != self.bystander_pod]
        self.node.ids.update(item["id"] for item in found)
        return found

    def containers(self):
        items = self.call("ListContainers", {}).get("containers", [])
        found = [item for item in items if item["id"] != self.bystander]
        self.node.ids.update(item["id"] for item in found)
        return found

    def status(self, container_id):
        return self.call("ContainerStatus", {"container_id": container_id})["status"]

    def check_lists(self):
        pods = self.pods()
        self.assertLessEqual(len(pods), 1, pods)
        for pod in pods:
            self.assertEqual(pod["metadata"]["name"], "victim")
            # A state that is not in the answer is the first of its enumeration.
            ready = pod.get("state", "SANDBOX_READY") == "SANDBOX_READY"
            status = self.call("PodSandboxStatus", {"pod_sandbox_id": pod["id"]})["status"]
            if ready and status.get("state", "SANDBOX_READY") == "SANDBOX_READY":
                self.assertTrue(self.child_of_shim("/pause"), "a pod is listed READY without its pause process")
        for container in self.containers():
            self.assertIn(container["pod_sandbox_id"], [pod["id"] for pod in pods])
            status = self.status(container["id"])
            if status.get("state") == "CONTAINER_RUNNING":
                command = f"exit {TERM_CODE}" if container["metadata"]["name"] == "polite" else "trap '' TERM"
                self.assertTrue(self.child_of_shim(command), f"{container['metadata']['name']} is listed RUNNING without a process")

    def check_exit(self, container, case, stopped):
        """The exit code is what happened, whoever was away when it did."""
        name = container["metadata"]["name"]
        status = self.status(container["id"])
        state = status.get("state", "CONTAINER_CREATED")
        if state == "CONTAINER_CREATED":
            return
        self.assertEqual(state, "CONTAINER_EXITED", status)
        code, reason = status.get("exit_code", 0), status.get("reason", "")
        if code == NOT_STARTED_CODE:
            self.assertEqual(reason, "StartError", status)
            self.assertNotEqual(case.victim, "init", status)
            return
        wanted = {TERM_CODE} if name == "polite" and stopped else {KILL_CODE}
        if name == "polite":
            wanted |= {TERM_CODE}
            if case.victim in ("shim", "init", "self") and not self.crispd_died:
                wanted |= {KILL_CODE}
            if case.victim == "pause":
                wanted |= {KILL_CODE}  # Process 1 of the pod: the kernel ends the rest with it.
        if reason == "Unknown":
            # Only of a shim that died nobody knows how its containers ended.
            self.assertTrue(self.shim_died, status)
            wanted |= {KILL_CODE, LOST_CODE}
        self.assertIn(code, wanted, status)

    def check_bystander(self):
        self.assertTrue(alive(self.bystander_pid), "the bystander was killed")
        self.assertEqual(start_time(self.bystander_pid), self.bystander_start)
        self.assertEqual(self.status(self.bystander)["state"], "CONTAINER_RUNNING")

    def check_bystanders_log(self):
        with open(f"{self.node.logs}/bystander/ticks/0.log", encoding="utf-8") as f:
            ticks = [int(line.split()[-1]) for line in f if " tick " in line]
        self.assertEqual(ticks, list(range(len(ticks))), "the bystander's log has a gap")

    def twice(self, method, request):
        for _ in range(2):
            self.call(method, request)

    def clean_up(self, case):
        """Stops and removes what there is, twice each, in kubelet's order."""
        for container in self.containers():
            self.twice("StopContainer", {"container_id": container["id"], "timeout": 10 if container["metadata"]["name"] == "polite" else 0})
            self.check_exit(container, case, stopped=True)
        for pod in self.pods():
            self.twice("StopPodSandbox", {"pod_sandbox_id": pod["id"]})
            status = self.call("PodSandboxStatus", {"pod_sandbox_id": pod["id"]})["status"]
            self.assertEqual(status.get("state"), "SANDBOX_NOTREADY")
            for container in self.containers():
                self.twice("RemoveContainer", {"container_id": container["id"]})
            self.twice("RemovePodSandbox", {"pod_sandbox_id": pod["id"]})
        self.assertEqual((self.pods(), self.containers()), ([], []))
        left = leaks.wait_clean(self.node, self.clean)
        if left:
            type(self).clean = leaks.snapshot(self.node)
            self.fail(f"left behind:\n{left}")

    # --- one case

    def kill(self, case, finish):
        pid = self.pid_of(case.victim)
        if pid is None:
            # Nobody there at this step: an uneventful life.
            self.board.release()
            return False
        self.crispd_died = pid == self.node.daemon.pid
        self.shim_died = pid == self.shim()
        os.kill(pid, signal.SIGKILL)
        if self.crispd_died:
            self.node.daemon.wait(30)
            self.node.daemon = None
        self.board.release()
        try:
            finish()
        except AssertionError:
            pass  # The call may fail; what it leaves behind counts.
        if self.crispd_died:
            self.node.start()
        return True

    def retry(self, name):
        """What was interrupted can be done again, as kubelet would."""
        if name == "pod" and not [p for p in self.pods() if p.get("state", "SANDBOX_READY") == "SANDBOX_READY"]:
            for pod in self.pods():
                self.twice("StopPodSandbox", {"pod_sandbox_id": pod["id"]})
                self.twice("RemovePodSandbox", {"pod_sandbox_id": pod["id"]})
            reply = self.call("RunPodSandbox", {"config": self.pod_config("victim")})
            self.node.ids.add(reply["pod_sandbox_id"])
        if name == "start" and not self.shim_died:
            for container in self.containers():
                ready = [p for p in self.pods() if p.get("state", "SANDBOX_READY") == "SANDBOX_READY"]
                if ready and self.status(container["id"]).get("state", "CONTAINER_CREATED") == "CONTAINER_CREATED":
                    self.call("StartContainer", {"container_id": container["id"]})
        if name in ("exec", "stream"):
            for container in self.containers():
                if self.status(container["id"]).get("state") == "CONTAINER_RUNNING":
                    reply = self.call("ExecSync", {"container_id": container["id"], "cmd": ["true"], "timeout": 10})
                    self.assertEqual(reply.get("exit_code", 0), 0)

    def run_case(self, case):
        """Whether there was somebody to kill."""
        self.board.clear()
        self.board.arm(case.step, case.passes)
        killed = []

        def on_hold(name, finish):
            killed.append(self.kill(case, finish))
            if killed[0]:
                self.settle(case)
                self.check_lists()
                self.check_bystander()
                self.retry(name)

        self.crispd_died = self.shim_died = False
        try:
            reached = self.live(on_hold)
            self.assertTrue(reached, "the step was not reached again")
        finally:
            self.board.release()
            self.clean_up(case)
        self.check_bystander()
        return killed[0]

    def settle(self, case):
        """A death is told within a second or two, whoever died."""
        if self.shim_died:
            eventually(
                lambda: all(p.get("state") == "SANDBOX_NOTREADY" for p in self.pods()), 5, "a pod without a shim to be NOTREADY"
            )
            eventually(
                lambda: all(c.get("state") != "CONTAINER_RUNNING" for c in self.containers()), 5, "containers without a shim to end"
            )
        elif case.victim == "pause":
            eventually(lambda: all(p.get("state") == "SANDBOX_NOTREADY" for p in self.pods()), 5, "NOTREADY without pause")
        elif case.victim == "init":
            polite = [c["id"] for c in self.containers() if c["metadata"]["name"] == "polite"]
            eventually(lambda: all(self.status(c).get("state") != "CONTAINER_RUNNING" for c in polite), 5, "the exit")

    # --- the tests

    _life = None

    def life(self):
        """The steps that an undisturbed life passes, as [(step, how often before)]."""
        if KillPoints._life is None:
            self.board.clear()
            self.crispd_died = self.shim_died = False
            self.node.restart()  # So that crispd lists its steps.
            self.assertFalse(self.live())
            left = leaks.wait_clean(self.node, self.clean)
            self.assertEqual(left, "")
            counts, order = {}, []
            for step in self.board.reached():
                order.append((step, counts.get(step, 0)))
                counts[step] = counts.get(step, 0) + 1
            KillPoints._life = (order, self.board.listed())
        return KillPoints._life

    def run_all(self, choose):
        order, _ = self.life()
        if not NIGHTLY:
            last = dict(order)
            order = [(step, passes) for step, passes in order if last[step] == passes]
        failed, ran = [], 0
        began = time.monotonic()
        for index, (step, passes) in enumerate(order):
            if not re.search(ONLY, step):
                continue
            for victim in choose(index):
                case = Case(step, passes, victim)
                try:
                    ran += self.run_case(case)
                except Exception as e:  # pylint: disable=broad-except
                    failed.append(f"{case}: {e}\n--- crispd\n{self.node.log_tail(12)}")
                    print(f"      FAILED: {failed[-1]}", file=sys.stderr, flush=True)
                    self.recover()
        print(f"      {ran} kills, {len(order)} steps in all, in {time.monotonic() - began:.0f} s", flush=True)
        self.check_bystanders_log()
        self.assertEqual(failed, [], f"{len(failed)} of {ran + len(failed)} cases failed")

    def recover(self):
        """Gives the next case its chance."""
        self.board.release()
        if self.node.daemon is None:
            self.node.start()
        for pod in self.pods():
            for method in ("StopPodSandbox", "RemovePodSandbox"):
                try:
                    self.call(method, {"pod_sandbox_id": pod["id"]})
                except AssertionError as e:
                    print(f"      not even undone: {e}", file=sys.stderr)
        type(self).clean = leaks.snapshot(self.node)

    def test_every_step_is_passed(self):
        order, listed = self.life()
        self.assertGreater(len(listed), 30)
        self.assertEqual(sorted(listed - {step for step, _ in order}), [], "steps that no life here passes")

    def test_whoever_reaches_a_step_is_killed_there(self):
        self.run_all(lambda index: ["self"])

    def test_somebody_else_is_killed_there(self):
        others = VICTIMS[1:]
        self.run_all(lambda index: others if NIGHTLY else [others[index // 8 % len(others)]] if index % 8 == 0 else [])


if __name__ == "__main__":
    unittest.main()
