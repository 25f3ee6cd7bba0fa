"""A node under test: crispd, its own containerd, and a network namespace to be a host in.

    class Suite(harness.NodeTest):
        def test_it(self):
            pod = self.node.runp(self.pod("web"))

Everything lives under one short directory in /tmp and in one network namespace; the
machine's own network is not touched. Every test of a NodeTest begins and ends on a
node without pods, and fails if it left anything behind.
"""

import atexit
import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "images"))

import image_builder  # noqa: E402
import leaks  # noqa: E402
import tools  # noqa: E402
from tools import Failed, run  # noqa: E402,F401

BUSYBOX = "docker.io/library/busybox:latest"
RUNTIME = "runtime.v1.RuntimeService/"
IMAGE = "runtime.v1.ImageService/"
VOLUMES = "crisp.volumes.v1.Volumes/"


class RpcError(AssertionError):
    def __init__(self, method, code, message):
        self.code, self.message = code, message
        super().__init__(f"{method}: {code}: {message}")


def within(seconds):
    """What takes that long at most, on this machine."""
    return seconds * tools.SLOW


def eventually(condition, seconds=10, what="the condition"):
    """Polls until `condition` gives something true, and returns that."""
    seconds = within(seconds)
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true in {seconds} s; last: {value!r}")
        time.sleep(0.05)


def example(name):
    """A crictl config of examples/crictl as a dict."""
    with open(os.path.join(tools.EXAMPLES, "crictl", name), encoding="utf-8") as f:
        return json.load(f)


# What ends with the tests however they end: see runner.py.
_live_nodes = []


@atexit.register
def _destroy_nodes():
    for node in list(_live_nodes):
        node.destroy()


def network_holder():
    """A process with a network namespace of its own; it does not outlive this one."""
    process = subprocess.Popen(
        [tools.theirs("unshare"), "--net", "setpriv", "--pdeathsig", "KILL", "sleep", "infinity"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    own = os.readlink("/proc/self/ns/net")
    eventually(lambda: os.readlink(f"/proc/{process.pid}/ns/net") != own, what="a network namespace")
    return process


class Node:
    """crispd on directories of its own. `config` is appended to its TOML; @BASE@ in it is
    the node's directory. `environment` is what crispd gets besides ours."""

    def __init__(self, cni=None, config="", images=True, environment=None):
        tools.need_root()
        self.base = tempfile.mkdtemp(prefix="crisp-", dir="/tmp")
        # Also the Node's name, which has no underscore.
        self.name = os.path.basename(self.base).replace("_", "x")
        self.root, self.state = f"{self.base}/root", f"{self.base}/state"
        self.cni_conf, self.cni_data = f"{self.base}/cni/net.d", f"{self.base}/cni/data"
        self.logs, self.certs = f"{self.base}/logs", f"{self.base}/certs.d"
        for path in (self.root, self.state, self.cni_conf, self.cni_data, self.logs, self.certs):
            os.makedirs(path)
        self.socket = f"{self.base}/crisp.sock"
        self.endpoint = f"unix://{self.socket}"
        self.agent_endpoint = f"unix://{self.base}/agent.sock"
        self.ids = set()
        self.daemon = None
        self.agent = None  # Started by the first use of crisp.
        self._extra_config = config
        self._environment = dict(os.environ, **(environment or {}))
        # A process whose network namespace is this node's "host".
        self.holder = network_holder()
        _live_nodes.append(self)
        try:
            self.in_netns("ip", "link", "set", "lo", "up")
            self._write_config()
            if cni:
                self.write_cni(cni)
            self.start()
            if images:
                self.import_busybox()
        except BaseException:
            self.destroy()
            raise

    # --- the daemon

    def _write_config(self):
        self.config_path = f"{self.base}/config.toml"
        with open(self.config_path, "w", encoding="utf-8") as f:
            f.write(
                f"""cgroup_parent = "/{self.name}"

[network]
conf_dir = "{self.cni_conf}"
plugin_timeout = "20s"

[registry]
config_dirs = ["{self.certs}"]

{self._extra_config.replace("@BASE@", self.base)}
"""
            )

    def write_cni(self, conflist):
        path = f"{self.cni_conf}/10-test.conflist"
        with open(path + ".tmp", "w", encoding="utf-8") as f:
            json.dump(conflist, f)
        os.rename(path + ".tmp", path)

    def bridge_conflist(self, name="testnet", bridge="cni-test0"):
        return {
            "cniVersion": "1.0.0",
            "name": name,
            "plugins": [
                {
                    "type": "bridge",
                    "bridge": bridge,
                    "isGateway": True,
                    "ipMasq": True,
                    "hairpinMode": True,
                    "ipam": {
                        "type": "host-local",
                        "dataDir": self.cni_data,
                        "ranges": [[{"subnet": "10.99.0.0/16"}]],
                        "routes": [{"dst": "0.0.0.0/0"}],
                    },
                },
                {"type": "portmap", "capabilities": {"portMappings": True}},
            ],
        }

    def start(self, wait=True):
        assert self.daemon is None, "crispd runs already"
        log = open(f"{self.base}/crispd.log", "ab")
        self.daemon = subprocess.Popen(
            [
                tools.theirs("nsenter"), f"--net=/proc/{self.holder.pid}/ns/net",
                tools.ours("crispd"), "--config", self.config_path, "--root", self.root,
                "--state", self.state, "--listen", self.endpoint, "--log-level", "debug",
            ],
            env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        log.close()
        if wait:
            self.wait_ready()

    def wait_ready(self, seconds=60):
        def answers():
            if self.daemon.poll() is not None:
                raise AssertionError(f"crispd ended ({self.daemon.returncode}):\n{self.log_tail()}")
            try:
                return self.call(RUNTIME + "Version", {}, timeout=2)
            except (RpcError, Failed):
                return None

        return eventually(answers, seconds, "crispd to answer")

    def kill(self, sig=signal.SIGKILL):
        """Ends crispd alone; containerd, shims and pods live on."""
        self.daemon.send_signal(sig)
        self.daemon.wait(timeout=within(30))
        self.daemon = None

    def restart(self, sig=signal.SIGKILL):
        self.kill(sig)
        self.start()

    def log_tail(self, lines=60):
        try:
            with open(f"{self.base}/crispd.log", encoding="utf-8", errors="replace") as f:
                return "".join(f.readlines()[-lines:])
        except OSError:
            return ""

    # --- the agent

    def start_agent(self, *flags):
        assert self.agent is None, "the agent runs already"
        log = open(f"{self.base}/agent.log", "ab")
        self.agent = subprocess.Popen(
            [
                tools.theirs("nsenter"), f"--net=/proc/{self.holder.pid}/ns/net",
                tools.ours("crisp"), "agent", "--root", f"{self.base}/agent",
                "--listen", self.agent_endpoint, "--runtime-endpoint", self.endpoint,
                "--node-name", self.name, "--pod-log-root", self.logs, *flags,
            ],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        log.close()

        def answers():
            if self.agent.poll() is not None:
                raise AssertionError(f"the agent ended ({self.agent.returncode}):\n{self.agent_log_tail()}")
            return self._crisp("version", check=False, timeout=30).returncode == 0

        eventually(answers, 60, "the agent to answer")

    def kill_agent(self, sig=signal.SIGKILL):
        """Ends the agent alone; pods live on."""
        self.agent.send_signal(sig)
        self.agent.wait(timeout=within(30))
        self.agent = None

    def agent_log_tail(self, lines=60):
        try:
            with open(f"{self.base}/agent.log", encoding="utf-8", errors="replace") as f:
                return "".join(f.readlines()[-lines:])
        except OSError:
            return ""

    def own_processes(self):
        """crispd, the agent, containerd, shims and containers of this node."""
        own_mounts = os.readlink("/proc/self/ns/mnt")
        found = []
        for pid in tools.pids():
            if pid in (os.getpid(), self.holder.pid):
                continue
            if self.base + "/" in tools.proc_cmdline(pid):
                found.append(pid)
                continue
            try:
                if os.readlink(f"/proc/{pid}/ns/mnt") == own_mounts:
                    continue
                with open(f"/proc/{pid}/mountinfo", encoding="utf-8", errors="replace") as f:
                    # Below our directory as the host has it: a namespace made from the host's,
                    # by another test or by another node's launch that is under way.
                    if any(self.base + "/" in line and not line.split()[4].startswith(self.base + "/") for line in f):
                        found.append(pid)
            except OSError:
                continue
        return found

    def destroy(self):
        """Ends everything, in whatever state it is."""
        if self.daemon and self.daemon.poll() is None:
            try:
                self.remove_all_pods()
            except (AssertionError, subprocess.TimeoutExpired):
                pass
        if self.agent and self.agent.poll() is None:
            # First: it would set its pods up again.
            self.kill_agent()
        for sig in (signal.SIGTERM, signal.SIGKILL, signal.SIGKILL):
            for pid in self.own_processes():
                try:
                    os.kill(pid, sig)
                except ProcessLookupError:
                    pass
            deadline = time.monotonic() + within(3)
            while self.own_processes() and time.monotonic() < deadline:
                if self.daemon:
                    self.daemon.poll()
                time.sleep(0.05)
        if self.daemon:
            self.daemon.wait(timeout=within(10))
            self.daemon = None
        for point in sorted(leaks.mounts(self.base), reverse=True):
            run("umount", "--lazy", point, check=False)
        for path in sorted(leaks.cgroups({self.name} | self.ids), key=len, reverse=True):
            try:
                os.rmdir(path)
            except OSError:
                pass
        self.holder.kill()
        self.holder.wait()
        keep = os.environ.get("CRISP_KEEP_LOGS")
        if keep:
            os.makedirs(keep, exist_ok=True)
            name = os.path.join(keep, self.name + ".log")
            if os.path.exists(f"{self.base}/crispd.log"):
                shutil.copy(f"{self.base}/crispd.log", name)
            if os.path.exists(f"{self.base}/agent.log"):
                shutil.copy(f"{self.base}/agent.log", name[:-4] + "-agent.log")
        shutil.rmtree(self.base, ignore_errors=True)
        if self in _live_nodes:
            _live_nodes.remove(self)

    # --- clients

    def in_netns(self, *argv, **kwargs):
        """Runs a command on this node's network."""
        return run("nsenter", f"--net=/proc/{self.holder.pid}/ns/net", *argv, **kwargs)

    def ctr(self, *argv, **kwargs):
        sockets = [
            os.path.join(top, "containerd.sock")
            for top, _, files in os.walk(self.state)
            if "containerd.sock" in files
        ]
        address = sockets[0] if sockets else "/nonexistent"
        return run("ctr", "-a", address, "-n", "k8s.io", *argv, **kwargs)

    def crictl(self, *argv, check=True, timeout=90, **kwargs):
        config = f"{self.base}/crictl.yaml"
        if not os.path.exists(config):
            with open(config, "w", encoding="utf-8"):
                pass
        return run(
            tools.crictl(), "--config", config, "-r", self.endpoint, "-i", self.endpoint,
            "-t", f"{within(60):.0f}s", *argv, check=check, timeout=timeout, **kwargs,
        )  # fmt: skip

    def crictl_json(self, *argv):
        # Flags stand before arguments.
        return json.loads(self.crictl(argv[0], "-o", "json", *argv[1:]).stdout)

    def crisp(self, *argv, check=True, timeout=90, **kwargs):
        """The command line on this node's network, with an agent if it needs one."""
        if self.agent is None and argv[0] != "import":
            self.start_agent()
        return self._crisp(*argv, check=check, timeout=timeout, **kwargs)

    def _crisp(self, *argv, **kwargs):
        environment = dict(os.environ, CRISP_AGENT=self.agent_endpoint, CRISP_ADDRESS=self.endpoint)
        return self.in_netns(tools.ours("crisp"), *argv, env=environment, **kwargs)

    def call(self, method, request, timeout=60):
        """One RPC; the reply as a dict, or RpcError."""
        argv = [
            tools.ours("cri_call"), "--timeout", str(round(within(timeout))), self.endpoint, method, "-",
        ]  # fmt: skip
        result = run(*argv, input=json.dumps(request), timeout=timeout + 30)
        answer = json.loads(result.stdout)
        if answer["code"] != "OK":
            raise RpcError(method, answer["code"], answer["message"])
        return answer["reply"]

    def call_later(self, method, request, timeout=60):
        """The same, started and not waited for: what it returns gives what call() would, and
        has `done`, which tells without waiting."""
        process = subprocess.Popen(
            [tools.ours("cri_call"), "--timeout", str(round(within(timeout))), self.endpoint, method,
             json.dumps(request)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

        def finish():
            out, err = process.communicate(timeout=within(timeout + 30))
            if process.returncode != 0:
                raise AssertionError(f"{method}: {err}")
            answer = json.loads(out)
            if answer["code"] != "OK":
                raise RpcError(method, answer["code"], answer["message"])
            return answer["reply"]

        finish.done = lambda: process.poll() is not None
        return finish

    # --- images, objects and pods

    def apply_configmap(self, name, data):
        """A ConfigMap of crispd's own, for pods that the agent does not know."""
        encoded = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
        key = {"namespace": "default", "name": name}
        self.call(VOLUMES + "ApplyConfigMap", {"config_map": {"key": key, "data": encoded}})

    def delete_configmap(self, name):
        self.call(VOLUMES + "DeleteConfigMap", {"key": {"namespace": "default", "name": name}})

    def import_busybox(self, tags=(BUSYBOX,), image=None):
        archive = f"{self.base}/image.tar"
        image = image or image_builder.Image()
        image_builder.write_archive(archive, {tag: image for tag in tags})
        self.crisp("import", archive)
        os.unlink(archive)
        return image

    def _file(self, config):
        fd, path = tempfile.mkstemp(suffix=".json", dir=self.base)
        with os.fdopen(fd, "w", encoding="utf-8") as f:
            json.dump(config, f)
        return path

    def runp(self, pod, *flags, check=True):
        """The id of a new sandbox, made by crictl."""
        result = self.crictl("runp", *flags, self._file(pod), check=check)
        if not check:
            return result
        pod_id = result.stdout.strip()
        self.ids.add(pod_id)
        return pod_id

    def create(self, pod_id, container, pod, check=True):
        result = self.crictl(
            "create", "--no-pull", pod_id, self._file(container), self._file(pod), check=check
        )
        if not check:
            return result
        container_id = result.stdout.strip()
        self.ids.add(container_id)
        return container_id

    def start_container(self, container_id):
        self.crictl("start", container_id)

    def run(self, pod, *containers):
        """A sandbox with started containers: (pod id, [container ids])."""
        pod_id = self.runp(pod)
        made = []
        for container in containers:
            made.append(self.create(pod_id, container, pod))
            self.start_container(made[-1])
        return pod_id, made

    def exec(self, container_id, *argv, check=True, timeout=30):
        """A command in a container by ExecSync, as a CompletedProcess. (crictl prints line
        ends of its own after the output.)"""
        argv = [str(a) for a in argv]
        request = {"container_id": container_id, "cmd": argv, "timeout": timeout}
        try:
            reply = self.call(RUNTIME + "ExecSync", request, timeout=timeout + 20)
        except RpcError as e:
            if check:
                raise
            return subprocess.CompletedProcess(argv, 255, "", f"{e.code}: {e.message}")
        out, err = (
            base64.b64decode(reply.get(name, "")).decode(errors="replace") for name in ("stdout", "stderr")
        )
        result = subprocess.CompletedProcess(argv, reply.get("exit_code", 0), out, err)
        if check and result.returncode != 0:
            raise Failed(argv, result)
        return result

    def sh(self, container_id, script):
        return self.exec(container_id, "sh", "-c", script).stdout

    def status(self, container_id):
        return self.crictl_json("inspect", container_id)["status"]

    def pod_status(self, pod_id):
        return self.crictl_json("inspectp", pod_id)["status"]

    def pod_ids(self):
        items = self.call(RUNTIME + "ListPodSandbox", {}).get("items", [])
        ids = [item["id"] for item in items]
        self.ids.update(ids)
        return ids

    def container_ids(self):
        items = self.call(RUNTIME + "ListContainers", {}).get("containers", [])
        ids = [item["id"] for item in items]
        self.ids.update(ids)
        return ids

    def remove_all_pods(self):
        self.container_ids()
        if self.agent and self.agent.poll() is None:
            # What is left to the agent it would set up again.
            kinds = "deployments,daemonsets,replicasets,replicationcontrollers,jobs,pods"
            self._crisp("delete", kinds, "--all", "-A", "--force", check=False, timeout=60)
        for pod_id in self.pod_ids():
            self.call(RUNTIME + "StopPodSandbox", {"pod_sandbox_id": pod_id})
            self.call(RUNTIME + "RemovePodSandbox", {"pod_sandbox_id": pod_id})


class NodeTest(unittest.TestCase):
    """Tests that share one node, each starting and ending without pods."""

    node_options = {}
    node = None

    @classmethod
    def setUpClass(cls):
        cls.node = cls.make_node()
        try:
            # The first pod makes what all pods share (a bridge, a chain): not a leak.
            cls.warm_up()
            cls.clean = leaks.snapshot(cls.node)
        except BaseException:
            print(f"--- crispd\n{cls.node.log_tail()}")
            cls.node.destroy()
            raise

    @classmethod
    def make_node(cls):
        return Node(**cls.node_options)

    @classmethod
    def warm_up(cls):
        config = example("pod-host-port.json")
        config["log_directory"] = f"{cls.node.logs}/warm-up"
        reply = cls.node.call(RUNTIME + "RunPodSandbox", {"config": config})
        cls.node.ids.add(reply["pod_sandbox_id"])
        cls.node.remove_all_pods()

    @classmethod
    def tearDownClass(cls):
        if cls.node:
            cls.node.destroy()
            cls.node = None

    def setUp(self):
        # The test that left pods has failed already; this one shall have its chance.
        self.node.remove_all_pods()

    def tearDown(self):
        failed = not self._outcome.success
        if self.node.daemon is None:
            self.node.start()
        if failed and self.node.agent:
            print(f"--- agent\n{self.node.agent_log_tail(30)}", file=sys.stderr)
        for path in os.listdir(self.node.base):
            if path.endswith(".json"):
                os.unlink(os.path.join(self.node.base, path))
        self.node.remove_all_pods()
        left = leaks.wait_clean(self.node, self.clean)
        if left:
            # The next tests shall not fail for what this one left.
            type(self).clean = leaks.snapshot(self.node)
        if failed and left:
            print(f"(also left behind: {left})", file=sys.stderr)
        elif left:
            self.fail(f"left behind:\n{left}\n--- crispd\n{self.node.log_tail()}")

    # --- configs

    def pod(self, name, example_name="pod.json", **changes):
        """An example pod config, renamed, its logs below the node's directory."""
        config = example(example_name)
        config["metadata"].update(name=name, uid=name + "-uid")
        config["log_directory"] = f"{self.node.logs}/{name}"
        config.update(changes)
        return config

    def container(self, name="main", example_name="container.json", **changes):
        config = example(example_name)
        config["metadata"]["name"] = name
        config["log_path"] = f"{name}/0.log"
        config.update(changes)
        return config

    def assertRpcFails(self, code, words, method, request):
        """The call fails with `code`, says each of `words`, and returns the message."""
        codes = [code] if isinstance(code, str) else list(code)
        with self.assertRaises(RpcError) as caught:
            self.node.call(method, request)
        self.assertIn(caught.exception.code, codes, caught.exception.message)
        for word in words:
            self.assertIn(word, caught.exception.message)
        return caught.exception.message
