"""Registries to pull from: Debian's docker-registry, and one of our own that can misbehave.

Ours (Fake) listens in the node's network namespace, speaks the pull half of the
distribution API with optional bearer tokens, and counts what it was asked; it can
break a connection in the middle of a blob.
"""

import base64
import hashlib
import http.client
import json
import os
import re
import subprocess
import sys
import time
import urllib.parse

import tools

# bcrypt of "open sesame", for docker-registry's htpasswd file.
HTPASSWD = "puller:$2b$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy\n"


def upload(node, port, repo, image, tags, index=None, auth=None):
    """Pushes an image_builder.Image (and an index over it) to a docker-registry."""
    plan = {"port": port, "auth": auth, "blobs": {}, "repos": {}}
    _add(plan, repo, image, tags)
    if index:
        tag, text = index
        plan["repos"][repo]["manifests"].append([tag, "application/vnd.oci.image.index.v1+json", text.decode()])
    _upload(node, plan)


def upload_all(node, port, images):
    """Pushes images keyed by repo:tag; a blob that several repositories have goes over once."""
    plan = {"port": port, "auth": None, "blobs": {}, "repos": {}}
    for name, image in images.items():
        repo, tag = name.rsplit(":", 1)
        _add(plan, repo, image, [tag])
    _upload(node, plan)


def _add(plan, repo, image, tags):
    part = plan["repos"].setdefault(repo, {"blobs": [], "manifests": []})
    for digest, data in image.blobs.items():
        if digest == image.digest:
            continue
        if digest not in plan["blobs"]:
            plan["blobs"][digest] = base64.b64encode(data).decode()
        part["blobs"].append(digest)
    for tag in [image.digest] + list(tags):
        part["manifests"].append([tag, "application/vnd.oci.image.manifest.v1+json", image.manifest_json.decode()])


def _upload(node, plan):
    node.in_netns(sys.executable, os.path.realpath(__file__), "push", input=json.dumps(plan))


def _push(plan):
    headers = {}
    if plan["auth"]:
        headers["Authorization"] = "Basic " + base64.b64encode(plan["auth"].encode()).decode()

    def ask(method, path, body=None, **more):
        connection = http.client.HTTPConnection("127.0.0.1", plan["port"], timeout=30)
        connection.request(method, path, body, {**headers, **more})
        reply = connection.getresponse()
        text = reply.read()
        if reply.status >= 300:
            raise SystemExit(f"{method} {path}: {reply.status} {text[:500]!r}")
        return reply

    # Where a blob is already: another repository can have it from there.
    homes = {}
    for repo, part in plan["repos"].items():
        for digest in dict.fromkeys(part["blobs"]):
            known = f"?mount={digest}&from={homes[digest]}" if digest in homes else ""
            start = ask("POST", f"/v2/{repo}/blobs/uploads/{known}")
            homes[digest] = repo
            if start.status == 201:
                continue
            where = urllib.parse.urlsplit(start.getheader("Location"))
            query = f"{where.query}&" if where.query else ""
            blob = base64.b64decode(plan["blobs"][digest])
            ask("PUT", f"{where.path}?{query}digest={digest}", blob, **{"Content-Type": "application/octet-stream"})
        for tag, media_type, text in part["manifests"]:
            ask("PUT", f"/v2/{repo}/manifests/{tag}", text.encode(), **{"Content-Type": media_type})


class DockerRegistry:
    def __init__(self, node, port, htpasswd=None):
        binary = tools.theirs("docker-registry")
        top = os.path.join(node.base, f"registry-{port}")
        os.makedirs(top)
        lines = [
            "version: 0.1",
            "log: {level: error, accesslog: {disabled: true}}",
            f"storage: {{filesystem: {{rootdirectory: {top}/data}}}}",
            f"http: {{addr: '127.0.0.1:{port}', secret: x}}",
        ]
        if htpasswd:
            with open(f"{top}/htpasswd", "w", encoding="utf-8") as f:
                f.write(htpasswd)
            lines.append(f"auth: {{htpasswd: {{realm: test, path: {top}/htpasswd}}}}")
        with open(f"{top}/config.yml", "w", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")
        self.node, self.port = node, port
        self.process = subprocess.Popen(
            ["nsenter", f"--net=/proc/{node.holder.pid}/ns/net", binary, "serve", f"{top}/config.yml"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        _wait_port(node, port)

    def stop(self):
        self.process.kill()
        self.process.wait()


def _wait_port(node, port):
    for _ in range(200):
        if f":{port} " in node.in_netns("ss", "-ltn").stdout:
            return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on port {port}")


class Fake:
    """Our own registry as a child process; its requests are lines of a file."""

    def __init__(self, node, port, images, token=False, break_blobs=0, index=None, slow=0):
        self.node, self.port = node, port
        self.top = os.path.join(node.base, f"fake-{port}")
        os.makedirs(self.top)
        manifests, blobs = {}, {}
        for name, image in images.items():
            repo, tag = name.rsplit(":", 1)
            for key in (tag, image.digest):
                manifests[f"{repo}/{key}"] = ["application/vnd.oci.image.manifest.v1+json", image.manifest_json.decode()]
            for digest, data in image.blobs.items():
                path = os.path.join(self.top, digest.replace(":", "-"))
                with open(path, "wb") as f:
                    f.write(data)
                blobs[digest] = path
        for name, text in (index or {}).items():
            repo, tag = name.rsplit(":", 1)
            digest = "sha256:" + hashlib.sha256(text).hexdigest()
            for key in (tag, digest):
                manifests[f"{repo}/{key}"] = ["application/vnd.oci.image.index.v1+json", text.decode()]
        plan = {"port": port, "manifests": manifests, "blobs": blobs, "token": token,
                "break": break_blobs, "slow": slow, "log": f"{self.top}/requests"}  # fmt: skip
        with open(f"{self.top}/plan.json", "w", encoding="utf-8") as f:
            json.dump(plan, f)
        self.process = subprocess.Popen(
            ["nsenter", f"--net=/proc/{node.holder.pid}/ns/net", sys.executable, os.path.realpath(__file__), "serve", f"{self.top}/plan.json"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        _wait_port(node, port)

    def requests(self, pattern=""):
        try:
            with open(f"{self.top}/requests", encoding="utf-8") as f:
                return [line.rstrip("\n") for line in f if re.search(pattern, line)]
        except FileNotFoundError:
            return []

    def stop(self):
        self.process.kill()
        self.process.wait()


def _serve(plan):
    import http.server
    import threading

    lock = threading.Lock()
    broken = {"left": plan["break"]}

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args):
            pass

        def note(self, status):
            with lock, open(plan["log"], "a", encoding="utf-8") as f:
                f.write(f"{status} {self.command} {self.path} {self.headers.get('Range', '')}\n")

        def answer(self, status, body=b"", media_type="application/json", **headers):
            self.note(status)
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            for key, value in headers.items():
                self.send_header(key.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def do_HEAD(self):
            self.do_GET()

        def do_POST(self):
            # The older way to a token, GET, is the one that every client falls back to.
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self.answer(405)

        def do_GET(self):
            path = urllib.parse.urlsplit(self.path).path
            if path == "/token":
                basic = "Basic " + base64.b64encode(b"puller:open sesame").decode()
                if plan["token"] == "password" and self.headers.get("Authorization") != basic:
                    return self.answer(401)
                return self.answer(200, json.dumps({"token": "let-me-in", "expires_in": 300}).encode())
            if plan["token"] and self.headers.get("Authorization") != "Bearer let-me-in":
                here = f"http://127.0.0.1:{plan['port']}/token"
                return self.answer(
                    401, b"{}", WWW_Authenticate=f'Bearer realm="{here}",service="fake",scope="repository:x:pull"'
                )
            if path in ("/v2", "/v2/"):
                return self.answer(200, b"{}")
            match = re.fullmatch(r"/v2/(.+)/(manifests|blobs)/([^/]+)", path)
            if not match:
                return self.answer(404, b"{}")
            repo, kind, name = match.groups()
            if kind == "manifests":
                found = plan["manifests"].get(f"{repo}/{name}")
                if not found:
                    return self.answer(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}')
                body = found[1].encode()
                digest = "sha256:" + hashlib.sha256(body).hexdigest()
                return self.answer(200, body, found[0], Docker_Content_Digest=digest)
            if name not in plan["blobs"]:
                return self.answer(404, b'{"errors":[{"code":"BLOB_UNKNOWN"}]}')
            with open(plan["blobs"][name], "rb") as f:
                body = f.read()
            self.blob(body)

        def blob(self, body):
            start = 0
            ranged = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            if ranged:
                start = int(ranged.group(1))
            with lock:
                cut = len(body) > 100000 and broken["left"] > 0 and self.command == "GET"
                broken["left"] -= cut
            if plan["slow"]:
                time.sleep(plan["slow"])
            self.note("cut" if cut else 206 if ranged else 200)
            self.send_response(206 if ranged else 200)
            self.send_header("Content-Length", str(len(body) - start))
            self.send_header("Accept-Ranges", "bytes")
            if ranged:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            self.end_headers()
            if self.command == "HEAD":
                return
            rest = body[start:]
            self.wfile.write(rest[: len(rest) // 2] if cut else rest)
            if cut:
                self.wfile.flush()
                self.connection.shutdown(2)
                self.close_connection = True

    http.server.ThreadingHTTPServer(("127.0.0.1", plan["port"]), Handler).serve_forever()


if __name__ == "__main__":
    if sys.argv[1] == "push":
        _push(json.load(sys.stdin))
    else:
        with open(sys.argv[2], encoding="utf-8") as plan_file:
            _serve(json.load(plan_file))
