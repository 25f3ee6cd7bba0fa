"""containerd 2.x as a CRI runtime of its own, in a network namespace of its own: what
critest.run and registry.DockerRegistry want of a node."""

import glob
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

import harness
import leaks
import tools

SHIM, RUNC_SHIM = "containerd-shim-crisp-v1", "containerd-shim-runc-v2"
RUNTIMES = {"runc": "io.containerd.runc.v2", "crisp": "io.containerd.crisp.v1"}

CONFIG = """version = 3
root = "{base}/root"
state = "{base}/state"
disabled_plugins = ["io.containerd.internal.v1.opt"]

[grpc]
  address = "{base}/c.sock"

[plugins."io.containerd.nri.v1.nri"]
  disable = true

[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "registry.k8s.io/pause:3.9"

[plugins."io.containerd.cri.v1.images".registry]
  config_path = "{base}/certs.d"

[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true

[plugins."io.containerd.cri.v1.runtime".containerd]
  default_runtime_name = "{runtime}"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.{runtime}]
  runtime_type = "{runtime_type}"

[plugins."io.containerd.cri.v1.runtime".cni]
  bin_dirs = ["/usr/lib/cni"]
  conf_dir = "{base}/net.d"
"""

NETWORK = """{{
  "cniVersion": "1.0.0",
  "name": "critest",
  "plugins": [
    {{"type": "bridge", "bridge": "crisp-cri0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
     "ipam": {{"type": "host-local", "dataDir": "{base}/ipam", "ranges": [[{{"subnet": "10.98.0.0/16"}}]],
              "routes": [{{"dst": "0.0.0.0/0"}}]}}}},
    {{"type": "portmap", "capabilities": {{"portMappings": true}}}}
  ]
}}
"""


class ContainerdNode:
    """`runtime`, "runc" or "crisp", is the one for every pod."""

    def __init__(self, runtime):
        tools.need_root()
        for plugin in ("bridge", "portmap", "host-local"):
            tools.theirs(plugin, "/usr/lib/cni")
        self.runtime = runtime
        self.base = tempfile.mkdtemp(prefix="crisp-", dir="/tmp")
        self.certs = f"{self.base}/certs.d"
        for name in ("bin", "certs.d", "net.d", "ipam"):
            os.mkdir(f"{self.base}/{name}")
        self.endpoint = f"unix://{self.base}/c.sock"
        self.process = None
        self.cgroups = set(glob.glob("/sys/fs/cgroup/k8s.io") + glob.glob("/sys/fs/cgroup/*/k8s.io"))
        self.holder = harness.network_holder()
        try:
            self.in_netns("ip", "link", "set", "lo", "up")
            self.start()
        except BaseException:
            self.destroy()
            raise

    def start(self):
        binary = tools.containerd2()
        shutil.copy(tools.ours(SHIM), f"{self.base}/bin/{SHIM}")
        os.symlink(os.path.join(os.path.dirname(binary), RUNC_SHIM), f"{self.base}/bin/{RUNC_SHIM}")
        with open(f"{self.base}/config.toml", "w", encoding="utf-8") as f:
            f.write(CONFIG.format(base=self.base, runtime=self.runtime, runtime_type=RUNTIMES[self.runtime]))
        with open(f"{self.base}/net.d/10-critest.conflist", "w", encoding="utf-8") as f:
            f.write(NETWORK.format(base=self.base))
        with open(f"{self.base}/containerd.log", "ab") as log:
            self.process = subprocess.Popen(
                ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net", binary, "-c", f"{self.base}/config.toml"],
                env=dict(os.environ, PATH=f"{self.base}/bin:{os.environ['PATH']}"),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        harness.eventually(self.answers, 60, "containerd's CRI to answer")

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"containerd ended:\n{self.log_tail()}")
        try:
            status = self.call("Status")["status"]
        except AssertionError:
            return False
        # A condition that does not hold has no status in the answer. There are others, such as
        # that nothing deprecated is in use.
        return {"RuntimeReady", "NetworkReady"} <= {c["type"] for c in status["conditions"] if c.get("status")}

    def call(self, method, request="{}"):
        """A call to the runtime service, as a dict."""
        result = tools.run(
            tools.ours("cri_call"), "--timeout", "5", self.endpoint, harness.RUNTIME + method, "-", input=request
        )
        answer = json.loads(result.stdout)
        if answer["code"] != "OK":
            raise harness.RpcError(method, answer["code"], answer["message"])
        return answer["reply"]

    def in_netns(self, *argv, **kwargs):
        return tools.run("nsenter", f"--net=/proc/{self.holder.pid}/ns/net", *argv, **kwargs)

    def log_tail(self, lines=40):
        try:
            with open(f"{self.base}/containerd.log", encoding="utf-8", errors="replace") as f:
                return "".join(f.readlines()[-lines:])
        except OSError:
            return ""

    def shims(self):
        return [
            pid for pid in tools.pids()
            if "containerd-shim-" in (c := tools.proc_cmdline(pid)) and f"{self.base}/c.sock" in c
        ]  # fmt: skip

    def mounts(self):
        return leaks.mounts(self.base)

    def destroy(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        for pid in self.shims():
            os.kill(pid, signal.SIGKILL)
        for point in sorted(self.mounts(), reverse=True):
            tools.run("umount", "--lazy", point, check=False)
        # containerd makes this one and leaves it.
        for top in set(glob.glob("/sys/fs/cgroup/k8s.io") + glob.glob("/sys/fs/cgroup/*/k8s.io")) - self.cgroups:
            for path, _, _ in os.walk(top, topdown=False):
                for _ in range(20):
                    try:
                        os.rmdir(path)
                        break
                    except FileNotFoundError:
                        break
                    except OSError:
                        time.sleep(0.05)
        self.holder.kill()
        self.holder.wait()
        if keep := os.environ.get("CRISP_KEEP_LOGS"):
            os.makedirs(keep, exist_ok=True)
            if os.path.exists(f"{self.base}/containerd.log"):
                shutil.copy(f"{self.base}/containerd.log", f"{keep}/containerd-{self.runtime}.log")
        shutil.rmtree(self.base, ignore_errors=True)
