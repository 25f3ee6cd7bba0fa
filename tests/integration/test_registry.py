"""Pulling: by tag, by digest, from an index; with tokens, passwords and mirrors; after a break."""

import os
import re
import shutil
import threading
import unittest

import harness
import registry
import tools
from harness import IMAGE, image_builder

PASSWORD = {"username": "puller", "password": "open sesame"}


class PullTest(harness.NodeTest):
    next_port = 5000

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.layer = image_builder.busybox_layer()


    def setUp(self):
        super().setUp()
        self.started = []

    def tearDown(self):
        for server in self.started:
            server.stop()
        for name in os.listdir(self.node.certs):
            shutil.rmtree(os.path.join(self.node.certs, name))
        for image in self.node.call(IMAGE + "ListImages", {}).get("images", []):
            if harness.BUSYBOX not in image.get("repo_tags", []):
                self.node.call(IMAGE + "RemoveImage", {"image": {"image": image["id"]}})
        super().tearDown()

    def port(self):
        type(self).next_port += 1
        return self.next_port

    def image(self, label):
        """An image unlike any other, so that nothing of it is there already but a layer."""
        # The second layer is big enough to be cut in the middle.
        noise = image_builder.regular(os.urandom(300000))
        return image_builder.Image([self.layer, {"noise": noise}], {"Labels": {"label": label}, "Cmd": ["sh"]})

    def fake(self, images, **options):
        server = registry.Fake(self.node, self.port(), images, **options)
        self.started.append(server)
        return server

    def docker(self, **options):
        server = registry.DockerRegistry(self.node, self.port(), **options)
        self.started.append(server)
        return server

    def pull(self, reference, **more):
        return self.node.call(IMAGE + "PullImage", {"image": {"image": reference}, **more})["image_ref"]

    def inspect(self, reference):
        return self.node.call(IMAGE + "ImageStatus", {"image": {"image": reference}}).get("image")


class DockerRegistry(PullTest):
    """Against Debian's docker-registry."""

    def test_by_tag_by_digest_and_from_an_index(self):
        server, image = self.docker(), self.image("tag")
        other = image_builder.Image([{"other": image_builder.regular("x")}], arch="s390x")
        registry.upload(self.node, server.port, "team/app", other, ["other"])
        index = image_builder.make_index({"s390x": other, image_builder.architecture(): image})
        registry.upload(self.node, server.port, "team/app", image, ["v1"], index=("multi", index))
        repo = f"127.0.0.1:{server.port}/team/app"

        self.assertEqual(self.pull(f"{repo}:v1"), image.id)
        status = self.inspect(f"{repo}:v1")
        self.assertEqual((status["id"], status["repo_tags"]), (image.id, [f"{repo}:v1"]))
        self.assertEqual(status["repo_digests"], [f"{repo}@{image.digest}"])
        self.assertGreater(int(status["size"]), 300000)

        self.assertEqual(self.pull(f"{repo}@{image.digest}"), image.id)
        self.assertEqual(self.pull(f"{repo}:multi"), image.id)
        self.assertIn(f"{repo}:multi", self.inspect(image.id)["repo_tags"])
        self.assertEqual(self.pull(f"{repo}:multi@{image_builder.digest(index)}"), image.id)

        container = self.container(image={"image": f"{repo}:multi"})
        _, (container_id,) = self.node.run(self.pod("pulled"), container)
        self.assertEqual(self.node.sh(container_id, "stat -c %s /noise"), "300000\n")
        self.node.remove_all_pods()

    def test_crictl_pull(self):
        server, image = self.docker(), self.image("crictl")
        registry.upload(self.node, server.port, "app", image, ["1"])
        reference = f"127.0.0.1:{server.port}/app:1"
        self.assertIn(image.id, self.node.crictl("pull", reference).stdout)
        self.assertIn(f"127.0.0.1:{server.port}/app", self.node.crictl("images").stdout)
        self.node.crictl("rmi", reference)
        self.assertIsNone(self.inspect(reference))

    def test_a_password(self):
        server, image = self.docker(htpasswd=registry.HTPASSWD), self.image("password")
        registry.upload(self.node, server.port, "private", image, ["1"], auth="puller:open sesame")
        reference = f"127.0.0.1:{server.port}/private:1"
        with self.assertRaises(harness.RpcError) as caught:
            self.pull(reference)
        self.assertIn(caught.exception.code, ("UNAUTHENTICATED", "PERMISSION_DENIED"))
        self.assertIn(f"127.0.0.1:{server.port}/private", caught.exception.message)
        with self.assertRaises(harness.RpcError):
            self.pull(reference, auth={"username": "puller", "password": "wrong"})
        self.assertEqual(self.pull(reference, auth=PASSWORD), image.id)
        self.node.crictl("rmi", reference)
        self.node.crictl("pull", "--creds", "puller:open sesame", reference)
        self.assertNotIn("open sesame", self.node.log_tail(100000))

    def test_a_mirror_in_place_of_a_registry(self):
        server, image = self.docker(), self.image("mirror")
        registry.upload(self.node, server.port, "library/thing", image, ["1"])
        folder = os.path.join(self.node.certs, "docker.io")
        os.makedirs(folder)
        with open(os.path.join(tools.EXAMPLES, "hosts.toml"), encoding="utf-8") as f:
            text = f.read().replace("127.0.0.1:5000", f"127.0.0.1:{server.port}")
        with open(os.path.join(folder, "hosts.toml"), "w", encoding="utf-8") as f:
            f.write(text)
        self.assertEqual(self.pull("thing:1"), image.id)
        self.assertEqual(self.inspect("thing:1")["repo_tags"], ["docker.io/library/thing:1"])

    def test_what_is_not_there_is_named(self):
        server = self.docker()
        for reference in (f"127.0.0.1:{server.port}/none:1", f"127.0.0.1:{server.port}/none@sha256:{'0' * 64}"):
            with self.assertRaises(harness.RpcError) as caught:
                self.pull(reference)
            self.assertEqual(caught.exception.code, "NOT_FOUND", caught.exception.message)
            self.assertIn(reference, caught.exception.message)


class Faults(PullTest):
    """Against a registry that does as it is told."""

    def test_a_bearer_token(self):
        image = self.image("bearer")
        server = self.fake({"app:1": image}, token="anonymous")
        self.assertEqual(self.pull(f"127.0.0.1:{server.port}/app:1"), image.id)
        self.assertTrue(server.requests("GET /token"))

    def test_a_bearer_token_for_a_password(self):
        image = self.image("bearer password")
        server = self.fake({"app:1": image}, token="password")
        reference = f"127.0.0.1:{server.port}/app:1"
        with self.assertRaises(harness.RpcError):
            self.pull(reference)
        self.assertEqual(self.pull(reference, auth=PASSWORD), image.id)

    def test_a_broken_download_goes_on_where_it_broke(self):
        image = self.image("broken")
        server = self.fake({"app:1": image}, break_blobs=2)
        self.assertEqual(self.pull(f"127.0.0.1:{server.port}/app:1"), image.id)
        self.assertTrue(server.requests("^cut"))
        resumed = [line for line in server.requests("^206") if re.search(r"bytes=[1-9]", line)]
        self.assertTrue(resumed, server.requests())

    def test_concurrent_pulls_download_once(self):
        image = self.image("concurrent")
        server = self.fake({"app:1": image}, slow=0.3)
        results, threads = [], []
        for _ in range(4):
            thread = threading.Thread(target=lambda: results.append(self.pull(f"127.0.0.1:{server.port}/app:1")))
            threads.append(thread)
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(results, [image.id] * 4)
        noise = image.layer_digests[1]
        self.assertEqual(len(server.requests(f"GET /v2/app/blobs/{noise}")), 1)

    def test_bytes_that_do_not_match_are_refused(self):
        image = self.image("corrupt")
        server = self.fake({"app:1": image})
        path = os.path.join(server.top, image.layer_digests[1].replace(":", "-"))
        with open(path, "r+b") as f:
            f.seek(1000)
            f.write(b"tampered")
        with self.assertRaises(harness.RpcError) as caught:
            self.pull(f"127.0.0.1:{server.port}/app:1")
        self.assertIn(image.layer_digests[1], caught.exception.message)
        self.assertIsNone(self.inspect(f"127.0.0.1:{server.port}/app:1"))

    def test_an_index_without_our_architecture(self):
        image = self.image("foreign")
        index = image_builder.make_index({"s390x": image})
        server = self.fake({"app:s390x": image}, index={"app:1": index})
        with self.assertRaises(harness.RpcError) as caught:
            self.pull(f"127.0.0.1:{server.port}/app:1")
        self.assertIn(image_builder.architecture(), caught.exception.message)

    def test_a_mirror_that_fails_gives_way_to_the_server(self):
        image = self.image("fallback")
        server = self.fake({"app:1": image})
        folder = os.path.join(self.node.certs, "registry.example")
        os.makedirs(folder)
        with open(os.path.join(folder, "hosts.toml"), "w", encoding="utf-8") as f:
            f.write(
                f'server = "http://127.0.0.1:{server.port}"\n[host."http://127.0.0.1:1"]\n  capabilities = ["pull", "resolve"]\n'
            )
        self.assertEqual(self.pull("registry.example/app:1"), image.id)

    def test_a_pull_that_crispd_does_not_survive(self):
        image = self.image("killed")
        server = self.fake({"app:1": image}, slow=1)
        reference = f"127.0.0.1:{server.port}/app:1"
        call = self.node.call_later(IMAGE + "PullImage", {"image": {"image": reference}})
        harness.eventually(lambda: server.requests("/blobs/"), what="the download to begin")
        self.node.restart()
        with self.assertRaises(AssertionError):
            call()
        self.assertEqual(self.pull(reference), image.id)


if __name__ == "__main__":
    unittest.main()
