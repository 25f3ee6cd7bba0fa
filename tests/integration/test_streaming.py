"""Exec, attach and port-forward through crispd's streaming server, as crictl drives them in
both transports; and clients that leave or do not read."""

import fcntl
import hashlib
import json
import os
import pty
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time

import harness
import tools
from harness import RUNTIME, eventually
from tools import Failed

TRANSPORTS = ("spdy", "websocket")
CLIENT = os.path.join(os.path.dirname(os.path.realpath(__file__)), "stream_client.py")
MIB = 1 << 20


class StreamingTest(harness.NodeTest):
    handler = ""

    def setUp(self):
        super().setUp()
        self.clients = []

    def tearDown(self):
        # First, so that they are not found among what is left behind.
        for client in self.clients:
            self.end(client)
        super().tearDown()

    def argv(self, command, *argv, transport="spdy"):
        """crictl's command line on the node's network."""
        config = f"{self.node.base}/crictl.yaml"
        with open(config, "a", encoding="utf-8"):
            pass
        return [
            tools.theirs("nsenter"), f"--net=/proc/{self.node.holder.pid}/ns/net",
            tools.crictl(), "--config", config, "-r", self.node.endpoint, "-i", self.node.endpoint,
            "-t", "60s", command, "--transport", transport, *argv,
        ]  # fmt: skip

    def stream(self, command, *argv, transport="spdy", stdin=b"", timeout=120):
        """Runs crictl to its end; (exit code, stdout, stderr) in bytes."""
        result = subprocess.run(
            self.argv(command, *argv, transport=transport), input=stdin, capture_output=True, timeout=timeout
        )
        return result.returncode, result.stdout, result.stderr

    def start(self, command, *argv, transport="spdy"):
        process = subprocess.Popen(
            self.argv(command, *argv, transport=transport),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.clients.append(process)
        return process

    def stall(self, url):
        """A client that does not read, on the node's network."""
        client = subprocess.Popen(
            [tools.theirs("nsenter"), f"--net=/proc/{self.node.holder.pid}/ns/net",
             sys.executable, CLIENT, "stall", url],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        )  # fmt: skip
        self.clients.append(client)
        self.read_until(client.stdout.fileno(), b"stalled")

    @staticmethod
    def end(process):
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                pipe.close()

    def read_until(self, fd, word, seconds=60):
        """What comes out of `fd` until `word` has."""
        text, deadline = b"", time.monotonic() + seconds
        while word not in text:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([fd], [], [], left)[0]:
                self.fail(f"{word!r} did not come; {text[-500:]!r} did")
            try:
                more = os.read(fd, 65536)
            except OSError:  # EIO: the other side of a terminal is closed.
                more = b""
            if not more:
                self.fail(f"the end came instead of {word!r}, after {text[-500:]!r}")
            text += more
        return text

    def sleeper(self, name="stream", **changes):
        pod = self.pod(name)
        pod_id = self.node.runp(pod, *(["--runtime", self.handler] if self.handler else []))
        container_id = self.node.create(pod_id, self.container(**changes), pod)
        self.node.start_container(container_id)
        return pod_id, container_id


class Exec(StreamingTest):
    def test_streams_and_exit_codes(self):
        _, container_id = self.sleeper()
        for transport in TRANSPORTS:
            with self.subTest(transport):
                code, out, err = self.stream(
                    "exec", "-i", container_id, "sh", "-c", "cat; echo bad >&2; exit 7",
                    transport=transport, stdin=b"typed\n",
                )  # fmt: skip
                self.assertEqual(out, b"typed\n")
                self.assertIn(b"bad\n", err)
                self.assertIn(b"exit code 7", err)
                self.assertNotEqual(code, 0)
                code, out, err = self.stream("exec", container_id, "echo", "fine", transport=transport)
                self.assertEqual((code, out), (0, b"fine\n"), err)

    def test_a_program_that_is_not_there(self):
        _, container_id = self.sleeper()
        for transport in TRANSPORTS:
            code, _, err = self.stream("exec", container_id, "no-such-program", transport=transport)
            self.assertNotEqual(code, 0)
            self.assertIn(b"no-such-program", err)

    def test_a_terminal(self):
        _, container_id = self.sleeper()
        for transport in TRANSPORTS:
            with self.subTest(transport):
                ours, theirs = pty.openpty()
                fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 31, 101, 0, 0))
                shell = subprocess.Popen(
                    self.argv("exec", "-i", "-t", container_id, "sh", transport=transport),
                    stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
                    preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
                )  # fmt: skip
                os.close(theirs)
                self.clients.append(shell)
                self.read_until(ours, b"#")
                # The size is the client's, and it has a moment to arrive.
                for _ in range(50):
                    os.write(ours, b"stty size; echo do''ne\n")
                    if b"31 101" in self.read_until(ours, b"done"):
                        break
                    time.sleep(0.1)
                else:
                    self.fail("the terminal did not get its size")
                fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 44, 55, 0, 0))
                for _ in range(50):
                    os.write(ours, b"stty size; echo do''ne\n")
                    if b"44 55" in self.read_until(ours, b"done"):
                        break
                    time.sleep(0.1)
                else:
                    self.fail("the terminal was not resized")
                os.write(ours, b"tty; exit 5\n")
                self.read_until(ours, b"/dev/pts/")
                self.assertNotEqual(shell.wait(timeout=60), 0)
                os.close(ours)

    def test_a_terminals_process_ends_with_its_client(self):
        _, container_id = self.sleeper()
        ours, theirs = pty.openpty()
        client = subprocess.Popen(
            self.argv("exec", "-i", "-t", container_id, "sh"),
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(theirs)
        self.read_until(ours, b"#")
        client.kill()
        client.wait()
        os.close(ours)
        command_lines = "for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline; echo; done"
        eventually(
            lambda: "sh" not in (line.strip() for line in self.node.sh(container_id, command_lines).splitlines()),
            20, "the shell to go",
        )  # fmt: skip

    def test_big_transfers_arrive_whole(self):
        _, container_id = self.sleeper()
        data = os.urandom(24 * MIB)
        digest = hashlib.sha256(data).hexdigest()
        for transport in TRANSPORTS:
            with self.subTest(transport):
                _, out, err = self.stream(
                    "exec", "-i", container_id, "sh", "-c", "sha256sum", transport=transport, stdin=data
                )
                self.assertIn(digest.encode(), out, err)
                code, out, err = self.stream("exec", "-i", container_id, "cat", transport=transport, stdin=data)
                self.assertEqual(hashlib.sha256(out).hexdigest(), digest, (code, len(out), err[-300:]))

    def test_requests_that_make_no_sense(self):
        pod_id, container_id = self.sleeper()
        exec_ = {"container_id": container_id, "cmd": ["true"], "stdout": True}
        for words, method, request in (
            (["stderr"], "Exec", dict(exec_, tty=True, stderr=True)),
            (["stdin"], "Exec", dict(exec_, stdout=False)),
            (["cmd"], "Exec", dict(exec_, cmd=[])),
            (["container_id"], "Exec", dict(exec_, container_id="")),
            (["stderr"], "Attach", {"container_id": container_id, "tty": True, "stderr": True}),
            (["stdin"], "Attach", {"container_id": container_id}),
            (["70000"], "PortForward", {"pod_sandbox_id": pod_id, "port": [70000]}),
            (["pod_sandbox_id"], "PortForward", {}),
        ):
            self.assertRpcFails("INVALID_ARGUMENT", words, RUNTIME + method, request)
        self.assertRpcFails("NOT_FOUND", [], RUNTIME + "Exec", dict(exec_, container_id="nobody"))
        self.assertRpcFails("NOT_FOUND", [], RUNTIME + "PortForward", {"pod_sandbox_id": "nobody"})
        self.node.crictl("stop", "-t", "0", container_id)
        self.assertRpcFails("FAILED_PRECONDITION", ["not running"], RUNTIME + "Exec", exec_)
        self.node.crictl("stopp", pod_id)
        self.assertRpcFails("FAILED_PRECONDITION", ["not ready"], RUNTIME + "PortForward", {"pod_sandbox_id": pod_id})

    def test_urls_wait_up_to_a_bound(self):
        _, container_id = self.sleeper()
        request = {"container_id": container_id, "cmd": ["true"], "stdout": True}
        url = self.node.call(RUNTIME + "Exec", request)["url"]
        self.assertRegex(url, r"^http://127\.0\.0\.1:\d+/exec/[-_A-Za-z0-9]{8,}$")
        fetch = [sys.executable, "-c", "import urllib.request,sys; urllib.request.urlopen(sys.argv[1])"]
        with self.assertRaises(Failed) as caught:
            self.node.in_netns(*fetch, url)
        self.assertIn("400", caught.exception.err)
        with self.assertRaises(Failed) as caught:
            self.node.in_netns(*fetch, url)
        self.assertIn("404", caught.exception.err)


class Attach(StreamingTest):
    SCRIPT = "echo begun; while read x; do echo got $x; done; echo end; exit 3"

    def test_input_stays_open_for_the_next_one(self):
        _, container_id = self.sleeper(command=["sh", "-c", self.SCRIPT], stdin=True)
        for transport in TRANSPORTS:
            client = self.start("attach", "-i", container_id, transport=transport)
            client.stdin.write(f"{transport}\n".encode())
            client.stdin.flush()
            self.read_until(client.stdout.fileno(), f"got {transport}\n".encode())
            self.end(client)
            time.sleep(0.3)
            self.assertEqual(self.node.status(container_id)["state"], "CONTAINER_RUNNING")

    def test_input_that_is_used_once(self):
        for transport in TRANSPORTS:
            _, container_id = self.sleeper(
                transport, command=["sh", "-c", self.SCRIPT], stdin=True, stdin_once=True
            )
            _, out, err = self.stream("attach", "-i", container_id, transport=transport, stdin=b"one\n")
            self.assertIn(b"got one\nend\n", out, err)
            eventually(lambda: self.node.status(container_id)["state"] == "CONTAINER_EXITED")
            self.assertEqual(self.node.status(container_id)["exitCode"], 3)

    def test_a_terminal(self):
        _, container_id = self.sleeper(command=["sh"], stdin=True, tty=True)
        ours, theirs = pty.openpty()
        client = subprocess.Popen(
            self.argv("attach", "-i", "-t", container_id),
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(theirs)
        time.sleep(1)
        os.write(ours, b"echo is''there\n")
        self.read_until(ours, b"isthere")
        client.kill()
        client.wait()
        os.close(ours)
        time.sleep(0.3)
        self.assertEqual(self.node.status(container_id)["state"], "CONTAINER_RUNNING")

    def test_a_reader_that_stalls_holds_nobody_up(self):
        script = "i=0; while [ $i -lt 200 ]; do head -c 65536 /dev/zero | tr '\\0' x; echo; i=$((i+1)); done; sleep 1000"
        _, container_id = self.sleeper(command=["sh", "-c", f"sleep 2; {script}"])
        request = {"container_id": container_id, "stdout": True}
        url = self.node.call(RUNTIME + "Attach", request)["url"]
        self.stall(url)
        log = self.node.status(container_id)["logPath"]
        eventually(lambda: os.path.getsize(log) > 200 * 65536, 60, "all output to be in the log")


class ExecByRunc(Exec):
    handler = "runc"


class AttachByRunc(Attach):
    handler = "runc"


class PortForward(StreamingTest):
    SERVE = "mkdir -p /tmp/www; echo served > /tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www"
    FETCH = (
        "import sys,time,urllib.request\n"
        "for _ in range(100):\n"
        "  try: print(urllib.request.urlopen('http://127.0.0.1:'+sys.argv[1]+sys.argv[2],timeout=60).read().__len__()); break\n"
        "  except ConnectionError as e: time.sleep(0.1)\n"
        "else: sys.exit('nobody listens')\n"
    )

    def forward(self, pod_id, local, remote, transport):
        client = self.start("port-forward", pod_id, f"{local}:{remote}", transport=transport)
        self.read_until(client.stdout.fileno(), b"Forwarding from")
        return client

    def test_a_server_in_the_pod(self):
        pod_id, container_id = self.sleeper(command=["sh", "-c", self.SERVE])
        self.node.sh(container_id, "head -c 20000000 /dev/zero > /tmp/www/big")
        for port, transport in ((18080, "spdy"), (18081, "websocket")):
            with self.subTest(transport):
                self.forward(pod_id, port, 8080, transport)
                for path, size in (("/index.html", "7"), ("/big", "20000000"), ("/index.html", "7")):
                    out = self.node.in_netns(sys.executable, "-c", self.FETCH, port, path).stdout
                    self.assertEqual(out.strip(), size)

    def test_a_pod_on_the_hosts_network(self):
        pod = self.pod("on-host")
        pod["linux"].setdefault("security_context", {})["namespace_options"] = {"network": 2}
        pod_id, _ = self.node.run(pod, self.container(command=["sh", "-c", self.SERVE.replace("8080", "18099")]))
        self.forward(pod_id, 18082, 18099, "spdy")
        out = self.node.in_netns(sys.executable, "-c", self.FETCH, 18082, "/index.html").stdout
        self.assertEqual(out.strip(), "7")

    def test_a_port_where_nobody_listens(self):
        pod_id, _ = self.sleeper()
        client = self.forward(pod_id, 18083, 9, "spdy")
        script = "import socket,sys; s=socket.create_connection(('127.0.0.1',18083)); print(len(s.recv(10)))"
        out = self.node.in_netns(sys.executable, "-c", script, check=False).stdout
        self.assertIn(out.strip(), ("0", ""))
        self.read_until(client.stderr.fileno(), b"onnection refused")


class Tls(StreamingTest):
    @classmethod
    def make_node(cls):
        cls.keys = tempfile.mkdtemp(prefix="crisp-tls-", dir="/tmp")
        cls.addClassCleanup(shutil.rmtree, cls.keys)
        cert, key = f"{cls.keys}/cert.pem", f"{cls.keys}/key.pem"
        tools.run(
            tools.theirs("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-keyout", key, "-out", cert, "-days", "1", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
        )  # fmt: skip
        return harness.Node(
            config=f'[streaming]\ntls_cert_file = "{cert}"\ntls_key_file = "{key}"\n', **cls.node_options
        )

    def test_exec_and_port_forward(self):
        pod_id, container_id = self.sleeper(command=["sh", "-c", PortForward.SERVE])
        data = os.urandom(4 * MIB)
        for port, transport in ((18084, "spdy"), (18085, "websocket")):
            with self.subTest(transport):
                # A certificate of the client's is crictl's wish; crispd asks for none.
                cert, key = f"{self.keys}/cert.pem", f"{self.keys}/key.pem"
                flags = ("--tls-ca", cert, "--tls-cert", cert, "--tls-key", key)
                _, out, err = self.stream(
                    "exec", *flags, "-i", container_id, "cat", transport=transport, stdin=data
                )
                self.assertTrue(out == data, (len(out), err[-300:]))
                client = self.start("port-forward", *flags, pod_id, f"{port}:8080", transport=transport)
                self.read_until(client.stdout.fileno(), b"Forwarding from")
                out = self.node.in_netns(sys.executable, "-c", PortForward.FETCH, port, "/index.html").stdout
                self.assertEqual(out.strip(), "7")


class OlderProtocols(StreamingTest):
    """What no crictl of today speaks, and clients of old clusters and browsers do."""

    SCRIPT = ["sh", "-c", "read x; echo got $x; echo bad >&2; exit 7"]

    def talk(self, *argv, data="typed\n"):
        return json.loads(self.node.in_netns(sys.executable, CLIENT, *argv, input=data, timeout=60).stdout)

    def url(self, container_id, **changes):
        request = {"container_id": container_id, "cmd": self.SCRIPT, "stdin": True, "stdout": True, "stderr": True}
        return self.node.call(RUNTIME + "Exec", {**request, **changes})["url"]

    def check_error(self, error, as_json):
        if not as_json:
            self.assertIn("exit code 7", error)
            return
        status = json.loads(error)
        self.assertEqual((status["status"], status["reason"]), ("Failure", "NonZeroExitCode"))
        self.assertEqual(status["details"]["causes"], [{"reason": "ExitCode", "message": "7"}])

    def test_exec_over_every_websocket_form(self):
        _, container_id = self.sleeper()
        for protocol, as_json in (
            ("", False), ("channel.k8s.io", False), ("base64.channel.k8s.io", False), ("v4.channel.k8s.io", True),
            ("v4.base64.channel.k8s.io", True), ("v5.channel.k8s.io", True),
        ):  # fmt: skip
            with self.subTest(protocol):
                said = self.talk("websocket", protocol, self.url(container_id))
                self.assertEqual(said["protocol"], protocol)
                self.assertEqual((said["channels"]["1"], said["channels"]["2"]), ("got typed\n", "bad\n"))
                self.check_error(said["channels"]["3"], as_json)
                self.assertTrue(said["closed"])

    def test_exec_over_every_spdy_version(self):
        _, container_id = self.sleeper()
        for protocol, as_json in (
            ("channel.k8s.io", False), ("v2.channel.k8s.io", False), ("v3.channel.k8s.io", False),
            ("v4.channel.k8s.io", True), ("v5.channel.k8s.io", True),
        ):  # fmt: skip
            with self.subTest(protocol):
                said = self.talk("spdy", protocol, self.url(container_id), "error", "stdin", "stdout", "stderr")
                self.assertEqual(said["protocol"], protocol)
                self.assertEqual((said["channels"]["stdout"], said["channels"]["stderr"]), ("got typed\n", "bad\n"))
                self.check_error(said["channels"]["error"], as_json)

    def test_a_terminal_before_and_since_it_could_be_resized(self):
        _, container_id = self.sleeper()
        for protocol, streams in (("v2.channel.k8s.io", []), ("v3.channel.k8s.io", ["resize"])):
            with self.subTest(protocol):
                url = self.url(container_id, tty=True, stderr=False, cmd=["sh", "-c", "tty; exit 0"])
                said = self.talk("spdy", protocol, url, "error", "stdin", "stdout", *streams)
                self.assertIn("/dev/pts/", said["channels"]["stdout"])

    def test_attach_over_every_websocket_form(self):
        for i, protocol in enumerate(("channel.k8s.io", "base64.channel.k8s.io", "v4.base64.channel.k8s.io")):
            with self.subTest(protocol):
                script = ["sh", "-c", "read x; echo got $x; exit 0"]
                _, container_id = self.sleeper(f"attach-{i}", command=script, stdin=True)
                request = {"container_id": container_id, "stdin": True, "stdout": True}
                url = self.node.call(RUNTIME + "Attach", request)["url"]
                self.assertEqual(self.talk("websocket", protocol, url)["channels"]["1"], "got typed\n")

    def test_port_forward_over_the_channel_forms(self):
        pod_id, container_id = self.sleeper(command=["sh", "-c", PortForward.SERVE])
        eventually(lambda: "8080" in self.node.sh(container_id, "netstat -ltn"), what="the server to listen")
        for protocol in ("channel.k8s.io", "base64.channel.k8s.io", "v4.channel.k8s.io", "v4.base64.channel.k8s.io"):
            with self.subTest(protocol):
                url = self.node.call(RUNTIME + "PortForward", {"pod_sandbox_id": pod_id, "port": [8080]})["url"]
                said = self.talk("websocket", protocol, url, data="GET /index.html HTTP/1.0\r\n\r\n")
                data = said["channels"]["0"]
                # Each channel begins with the port's number.
                self.assertEqual(data[2:].split("\r\n")[0].split()[1], "200")
                self.assertTrue(data.endswith("served\n"))
                self.assertEqual(len(said["channels"]["1"].encode("utf-8", "replace")) > 0, True)

    def test_protocols_that_nobody_speaks(self):
        _, container_id = self.sleeper()
        for argv in (["websocket", "v9.channel.k8s.io"], ["spdy", "v9.channel.k8s.io"]):
            with self.assertRaises(Failed) as caught:
                self.talk(*argv, self.url(container_id), *(["error"] if argv[0] == "spdy" else []))
            self.assertRegex(caught.exception.err, "HTTP/1.1 (400|403)")


class BadClients(StreamingTest):
    """Clients that leave or stall cost nothing that stays."""

    def figures(self):
        pid = self.node.daemon.pid
        with open(f"/proc/{pid}/status", encoding="utf-8") as f:
            status = dict(line.split(":", 1) for line in f)
        return (
            len(os.listdir(f"/proc/{pid}/fd")), int(status["Threads"]), int(status["VmRSS"].split()[0])
        )  # fmt: skip

    def abort(self, container_id, count):
        request = {"container_id": container_id, "cmd": ["cat"], "stdin": True, "stdout": True, "stderr": True}
        urls = []
        while len(urls) < count:
            calls = [self.node.call_later(RUNTIME + "Exec", request) for _ in range(8)]
            urls += [finish()["url"] for finish in calls]
        self.node.in_netns(sys.executable, CLIENT, "abort", input="\n".join(urls), timeout=300)

    def test_a_thousand_that_leave(self):
        _, container_id = self.sleeper()
        self.abort(container_id, 104)  # What the first sessions make for all.
        time.sleep(3)
        fds, threads, rss = self.figures()
        self.abort(container_id, 504)
        self.abort(container_id, 504)
        eventually(lambda: self.figures()[0] <= fds + 2, 60, "the descriptors to be as before")
        _, threads_now, rss_now = self.figures()
        # gRPC keeps a few threads of its own in reserve.
        self.assertLessEqual(threads_now, threads + 4)
        self.assertLess(rss_now - rss, 12 * 1024, "KiB grown")
        eventually(
            lambda: "cat" not in self.node.sh(container_id, "cat /proc/[0-9]*/comm | sort -u | grep -v '^cat$'; true"),
            1, "a look at the processes",
        )  # fmt: skip
        left = self.node.sh(container_id, "grep -l '^cat$' /proc/[0-9]*/comm 2>/dev/null | wc -l")
        self.assertLessEqual(int(left), 1)

    def test_readers_that_stall(self):
        _, container_id = self.sleeper()
        request = {"container_id": container_id, "cmd": ["yes"], "stdout": True}
        _, _, before = self.figures()
        for _ in range(8):
            self.stall(self.node.call(RUNTIME + "Exec", request)["url"])
        time.sleep(3)
        _, _, after = self.figures()
        self.assertLess(after - before, 16 * 1024, "KiB grown for eight stalled readers")
        began = time.monotonic()
        self.assertEqual(self.stream("exec", container_id, "echo", "fine")[1], b"fine\n")
        self.assertLess(time.monotonic() - began, 30)


if __name__ == "__main__":
    import unittest

    unittest.main()
