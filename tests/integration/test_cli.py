"""The crisp command line over a real agent: what a newcomer types, and what comes back."""

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time
import unittest

import harness
import tools
from harness import eventually

SLEEPER = """
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: shop}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: busybox
    imagePullPolicy: IfNotPresent
    command: [sh, -c, "echo begun; trap exit TERM; while true; do sleep 0.1; done"]
    ports: [{containerPort: 8080, name: http}]
"""


class CliTest(harness.NodeTest):
    def argv(self, *words):
        return ["nsenter", f"--net=/proc/{self.node.holder.pid}/ns/net", tools.ours("crisp"), *words]

    def environment(self):
        return dict(os.environ, CRISP_AGENT=self.node.agent_endpoint, CRISP_ADDRESS=self.node.endpoint)

    def popen(self, *words, **kwargs):
        process = subprocess.Popen(self.argv(*words), env=self.environment(), **kwargs)
        self.addCleanup(process.wait, 10)
        self.addCleanup(process.kill)
        return process

    def apply(self, manifest=SLEEPER):
        return self.node.crisp("apply", "--wait", "-f", "-", input=manifest)


class Objects(CliTest):
    def test_apply_get_describe_delete(self):
        self.assertEqual(self.apply().stdout, "pod/web created\n")
        self.assertEqual(self.apply().stdout, "pod/web unchanged\n")
        rows = self.node.crisp("get", "pods").stdout.splitlines()
        self.assertEqual(rows[0].split(), ["NAME", "READY", "STATUS", "RESTARTS", "AGE"])
        self.assertRegex(rows[1], r"^web    1/1     Running   0          \d+s$")
        wide = self.node.crisp("get", "pod", "web", "-o", "wide").stdout
        self.assertRegex(wide, r"\d+\.\d+\.\d+\.\d+")
        self.assertIn(self.node.name, wide)
        self.assertEqual(self.node.crisp("get", "po", "-l", "app=shop", "-o", "name").stdout, "pod/web\n")
        self.assertEqual(self.node.crisp("get", "pod", "web", "-o", "jsonpath={.status.phase}").stdout, "Running")
        described = self.node.crisp("describe", "pod", "web").stdout
        for words in ("Node:             " + self.node.name, "Ready:          True", "Events:"):
            self.assertIn(words, described)
        events = described.split("Events:")[-1]
        for reason in ("Scheduled", "Created", "Started"):
            self.assertIn(reason, events)
        self.assertEqual(self.node.crisp("delete", "pod", "web").stdout, 'pod "web" deleted\n')
        self.assertEqual(self.node.pod_ids(), [])
        gone = self.node.crisp("get", "pod", "web", check=False)
        self.assertEqual((gone.returncode, gone.stdout), (1, ""))
        self.assertEqual(gone.stderr, 'Error from server (NotFound): pods "web" not found\n')
        self.assertEqual(self.node.crisp("get", "pods").stderr, "No resources found in default namespace.\n")

    def test_what_get_prints_can_be_applied_again(self):
        self.apply()
        printed = self.node.crisp("get", "pod", "web", "-o", "yaml").stdout
        self.assertRegex(self.apply(printed).stdout, r"^pod/web (unchanged|configured)\n$")

    def test_errors_are_one_line(self):
        result = self.node.crisp("apply", "-f", "-", input=SLEEPER.replace("image: busybox", "image: ''"), check=False)
        self.assertEqual(result.returncode, 1)
        self.assertTrue(result.stderr.startswith('The Pod "web" is invalid: spec.containers[0].image: '), result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1)
        alone = subprocess.run(
            [tools.ours("crisp"), "get", "pods", "--agent", "/nonexistent/agent.sock"], capture_output=True, text=True, timeout=30
        )
        self.assertEqual(alone.returncode, 1)
        self.assertIn("systemctl start crisp-agent", alone.stderr)
        self.assertEqual(alone.stderr.count("\n"), 1)

    def test_watch_sees_a_pod_come_and_go(self):
        self.node.crisp("version")  # The agent is there.
        watch = self.popen("get", "pods", "-w", "--no-headers", stdout=subprocess.PIPE, text=True)
        self.apply()
        self.node.crisp("delete", "pod", "web")
        time.sleep(0.5)
        watch.send_signal(signal.SIGTERM)
        statuses = [line.split()[2] for line in watch.communicate(timeout=10)[0].splitlines()]
        for status in ("Running", "Terminating"):
            self.assertIn(status, statuses)

    def test_label_lets_a_waiting_pod_go(self):
        self.node.crisp("apply", "-f", "-", input=SLEEPER.replace("spec:\n", "spec:\n  nodeSelector: {disk: ssd}\n", 1))
        eventually(lambda: "FailedScheduling" in self.node.crisp("events", "--for", "pod/web").stdout, 10, "the event")
        self.assertIn("Pending", self.node.crisp("get", "pods").stdout)
        self.assertEqual(self.node.crisp("label", "node", self.node.name, "disk=ssd").stdout, f"node/{self.node.name} labeled\n")
        self.node.crisp("wait", "pod/web", "--for=condition=Ready")
        self.assertEqual(self.node.crisp("label", "node", self.node.name, "disk-").stdout, f"node/{self.node.name} unlabeled\n")


class Streams(CliTest):
    def test_exec_output_input_and_exit_code(self):
        self.apply()
        self.assertEqual(self.node.crisp("exec", "web", "--", "echo", "a  b").stdout, "a  b\n")
        failed = self.node.crisp("exec", "web", "--", "sh", "-c", "echo out; echo err >&2; exit 7", check=False)
        self.assertEqual((failed.returncode, failed.stdout), (7, "out\n"))
        self.assertEqual(failed.stderr, "err\ncommand terminated with exit code 7\n")
        text = "".join(f"line {i}\n" for i in range(20000))
        self.assertEqual(self.node.crisp("exec", "-i", "web", "--", "cat", input=text).stdout, text)
        missing = self.node.crisp("exec", "web", "--", "/no/such", check=False)
        self.assertNotEqual(missing.returncode, 0)
        self.assertIn("/no/such", missing.stderr)

    def read_until(self, fd, words, seconds=15):
        out, deadline = "", time.monotonic() + seconds
        while words not in out:
            self.assertLess(time.monotonic(), deadline, out)
            if select.select([fd], [], [], 0.5)[0]:
                out += os.read(fd, 4096).decode(errors="replace")
        return out

    def test_exec_with_a_terminal(self):
        self.apply()
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        subprocess.run(["stty", "rows", "33", "cols", "77"], stdin=slave, check=True)
        shell = self.popen("exec", "-it", "web", "--", "sh", stdin=slave, stdout=slave, stderr=slave)
        os.write(master, b"stty size; tty; echo $((40+2))\n")
        out = self.read_until(master, "42")
        self.assertIn("33 77", out)
        self.assertIn("/dev/pts/", out)
        subprocess.run(["stty", "rows", "20", "cols", "50"], stdin=slave, check=True)
        shell.send_signal(signal.SIGWINCH)
        time.sleep(0.5)
        os.write(master, b"stty size\n")
        self.read_until(master, "20 50")
        # Ctrl-C is the command's, not crisp's.
        os.write(master, b"sleep 100\n")
        time.sleep(0.5)
        os.write(master, b"\x03")
        os.write(master, b"echo still $((1+1))\n")
        self.read_until(master, "still 2")
        os.write(master, b"exit 3\n")
        self.assertEqual(shell.wait(timeout=10), 3)
        # The terminal is as it was.
        self.assertIn(" icanon", subprocess.run(["stty", "-a"], stdin=slave, capture_output=True, text=True).stdout)
        os.close(slave)

    def test_attach_and_leave(self):
        manifest = SLEEPER.replace('command: [sh, -c, "echo begun; trap exit TERM; while true; do sleep 0.1; done"]',
                                   'command: [cat]\n    stdin: true')  # fmt: skip
        self.apply(manifest)
        attached = self.popen("attach", "-i", "web", "-q", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        attached.stdin.write("hello\n")
        attached.stdin.flush()
        self.assertEqual(attached.stdout.readline(), "hello\n")
        attached.send_signal(signal.SIGINT)
        self.assertEqual(attached.wait(timeout=10), 130)
        attached.stdin.close()
        attached.stdout.close()
        self.assertIn("1/1     Running   0 ", self.node.crisp("get", "pod", "web").stdout)

    def test_logs_follow_and_previous(self):
        manifest = SLEEPER.replace("echo begun; trap exit TERM; while true; do sleep 0.1; done",
                                   "for i in 1 2 3; do echo tick $i; sleep 0.3; done; exit 5")  # fmt: skip
        self.node.crisp("apply", "-f", "-", input=manifest)
        self.assertEqual(self.node.crisp("logs", "-f", "web").stdout, "tick 1\ntick 2\ntick 3\n")
        eventually(lambda: re.search(r"web +\S+ +\S+ +[1-9]", self.node.crisp("get", "pods").stdout), 40, "a restart")
        self.assertEqual(self.node.crisp("logs", "-p", "web").stdout, "tick 1\ntick 2\ntick 3\n")
        self.assertRegex(self.node.crisp("get", "pods").stdout, r"[1-9] \(\d+s ago\)")
        stamped = self.node.crisp("logs", "-p", "web", "--timestamps", "--tail=1", "--prefix").stdout
        self.assertRegex(stamped, r"^\[pod/web/main\] \d{4}-\d\d-\d\dT\S+ tick 3\n$")

    def test_port_forward(self):
        self.apply(SLEEPER.replace("echo begun;", "mkdir /www; echo served > /www/x; httpd -p 8080 -h /www; echo begun;"))
        forward = self.popen("port-forward", "pod/web", ":http", "--address", "127.0.0.1", stdout=subprocess.PIPE, text=True)
        line = forward.stdout.readline()
        port = re.match(r"Forwarding from 127\.0\.0\.1:(\d+) -> 8080$", line.strip()).group(1)
        get = f"import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:{port}/x', timeout=10).read().decode(), end='')"
        for _ in range(3):
            self.assertEqual(self.node.in_netns("python3", "-c", get).stdout, "served\n")
        # One that has ended its sending gets the whole answer, and the end at once.
        ask = (
            "import socket, time; s = socket.create_connection(('127.0.0.1', PORT)); began = time.time();"
            "s.sendall(b'GET /x HTTP/1.0\\r\\n\\r\\n'); s.shutdown(socket.SHUT_WR);"
            "print(b''.join(iter(lambda: s.recv(4096), b'')).decode().endswith('served\\n'), time.time() - began < 4)"
        )
        self.assertEqual(self.node.in_netns("python3", "-c", ask.replace("PORT", port)).stdout, "True True\n")
        forward.send_signal(signal.SIGINT)
        self.assertEqual(forward.wait(timeout=10), 0)
        self.assertEqual(forward.stdout.read().count(f"Handling connection for {port}\n"), 4)
        forward.stdout.close()


class Workloads(CliTest):
    def test_a_deployments_life(self):
        # A tag that is not looked up again: there is no registry.
        self.node.import_busybox(("docker.io/library/busybox:1",))
        self.assertEqual(
            self.node.crisp("create", "deployment", "shop", "--image=busybox:1", "--replicas=2", "--", "sleep", "1000").stdout,
            "deployment.apps/shop created\n",
        )
        self.assertIn('deployment "shop" successfully rolled out\n', self.node.crisp("rollout", "status", "deployment/shop").stdout)
        self.assertRegex(self.node.crisp("get", "deploy").stdout, r"\nshop   2/2     2            2           \d+s\n")
        self.assertEqual(self.node.crisp("scale", "deployment/shop", "--replicas=3").stdout, "deployment.apps/shop scaled\n")
        self.node.crisp("wait", "deployment/shop", "--for=jsonpath={.status.readyReplicas}=3", "--timeout=30s")
        self.assertEqual(self.node.crisp("exec", "deployment/shop", "--", "echo", "hello").stdout, "hello\n")
        before = set(self.node.crisp("get", "pods", "-o", "name").stdout.split())
        self.assertEqual(len(before), 3)
        self.assertEqual(self.node.crisp("rollout", "restart", "deployment/shop").stdout, "deployment.apps/shop restarted\n")
        self.node.crisp("rollout", "status", "deployment/shop", "--timeout=80s")
        eventually(
            lambda: not before & set(self.node.crisp("get", "pods", "-o", "name").stdout.split()), 40, "the old pods' end"
        )  # fmt: skip
        history = self.node.crisp("rollout", "history", "deployment/shop").stdout.splitlines()
        self.assertEqual([line.split()[0] for line in history], ["deployment.apps/shop", "REVISION", "1", "2"])
        self.assertIn("NewReplicaSet:   shop-", self.node.crisp("describe", "deployment", "shop").stdout)
        self.assertEqual(self.node.crisp("delete", "deployment", "shop").stdout, 'deployment.apps "shop" deleted\n')
        eventually(lambda: self.node.crisp("get", "pods").stdout == "", 40, "no pods")

    def test_a_job_completes(self):
        job = """
apiVersion: batch/v1
kind: Job
metadata: {name: sum}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: busybox, imagePullPolicy: IfNotPresent, command: [sh, -c, "echo $((20+22))"]}]
"""
        self.apply(job)
        self.assertRegex(self.node.crisp("get", "jobs").stdout, r"\nsum    Complete   1/1           \d+s +\d+s\n")
        self.assertEqual(self.node.crisp("logs", "job/sum").stdout, "42\n")


class Node(CliTest):
    def test_top_doctor_events_and_version(self):
        self.apply()
        self.assertRegex(self.node.crisp("top", "pods", "--containers").stdout, r"\nweb   main   \d+m +\d+Mi\n")
        self.assertRegex(self.node.crisp("top", "node").stdout, rf"\n{self.node.name} +\d+m +\d+% +\d+Mi +\d+%\n")
        self.assertIn("Started", self.node.crisp("events", "--for", "pod/web").stdout)
        doctor = self.node.crisp("doctor", check=False).stdout
        for line in (r"(?m)^ok +kernel +Linux", r"(?m)^ok +agent ", r"(?m)^ok +runtime +crisp", r"(?m)^ok +NetworkReady"):
            self.assertRegex(doctor, line)
        self.assertIn("Runtime Version: crisp", self.node.crisp("version").stdout)
        self.assertEqual(json.loads(self.node.crisp("get", "nodes", "-o", "json").stdout)["items"][0]["metadata"]["name"], self.node.name)

    def test_completion_knows_the_objects(self):
        self.apply()
        script = 'source <(crisp completion bash); COMP_WORDS=(crisp exec w); COMP_CWORD=2; _crisp; echo "${COMPREPLY[@]}"'
        environment = self.environment()
        environment["PATH"] = os.path.dirname(tools.ours("crisp")) + ":" + environment["PATH"]
        out = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=30)
        self.assertEqual(out.stdout, "web\n", out.stderr)

    def shell(self, name, *argv):
        """What another shell says to a script, or a skip where it is not installed."""
        if not shutil.which(name):
            self.skipTest(f"{name} is not installed")
        environment = dict(self.environment(), HOME=self.node.base)
        environment["PATH"] = os.path.dirname(tools.ours("crisp")) + ":" + environment["PATH"]
        done = subprocess.run([name, *argv], env=environment, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_fish_completes(self):
        self.apply()
        for typed, words in (
            ("crisp ge", "get\n"), ("crisp exec w", "web\n"), ("crisp get po", "pods\n"),
            ("crisp apply -f /etc/hostn", "/etc/hostname\n"), ("crisp get nothing ", ""),
        ):  # fmt: skip
            with self.subTest(typed):
                script = f'crisp completion fish | source; complete -C "{typed}"'
                self.assertEqual(self.shell("fish", "--no-config", "-c", script), words)

    def test_zsh_completes(self):
        """Through a terminal: what is typed with tabs is what zsh's own print says it was."""
        self.apply()
        script = r"""
            zmodload zsh/zpty
            zpty terminal zsh -f -i
            until_it_says() {
              local said part
              for _ in {1..200}; do
                while zpty -r -t terminal part; do said+=$part; done
                [[ $said == *$1* ]] && return 0
                sleep 0.1
              done
              print -r -- "$said"
              exit 1
            }
            zpty -w terminal 'autoload -Uz compinit && compinit -u -D && source <(crisp completion zsh) && echo load""ed'
            until_it_says loaded
            zpty -w terminal 'crisp() { if [[ $1 == __complete ]]; then command crisp "$@"; else echo "got:$*:"; fi }'
            type_and_expect() {
              zpty -w -n terminal "$1"
              sleep 1
              zpty -w -n terminal $'\n'
              until_it_says "$2"
            }
            type_and_expect $'crisp ge\tpo\t' 'got:get pods:'
            type_and_expect $'crisp exec w\t' 'got:exec web:'
            type_and_expect $'crisp get nothing \tx' 'got:get nothing x:'
            type_and_expect $'crisp apply -f /etc/hostn\t' 'got:apply -f /etc/hostname:'
            echo fine
        """
        self.assertEqual(self.shell("zsh", "-f", "-c", script), "fine\n")


if __name__ == "__main__":
    unittest.main()
