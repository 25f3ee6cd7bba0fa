"""ConfigMaps as files: the promise of the README, through the crisp CLI and through crictl."""

import base64
import json
import os
import unittest

import harness
import tools
from harness import RUNTIME, VOLUMES, eventually


def example_path(name):
    return os.path.join(tools.EXAMPLES, name)


def server_xml():
    """The file as the manifest spells it: the block scalar without its indentation."""
    lines, inside = [], False
    with open(example_path("tomcat-config.yaml"), encoding="utf-8") as f:
        for line in f:
            if line.startswith("  server.xml: |"):
                inside = True
            elif inside:
                if not line.startswith("    "):
                    break
                lines.append(line[4:])
    return "".join(lines)


class Cli(harness.NodeTest):
    def tearDown(self):
        names = ("tomcat-server-config", "live", "configmap", "made", "nowhere")
        self.node.crisp("delete", "configmap", *names, "--ignore-not-found")
        super().tearDown()

    def check_tomcat(self, manifest):
        self.node.crisp("apply", "--wait", "-f", example_path(manifest))
        self.assertEqual(self.node.crisp("exec", "pod", "--", "cat", "/tmp/server.xml").stdout, server_xml())
        self.assertEqual(self.node.crisp("exec", "pod", "--", "ls", "-A", "/tmp").stdout, "server.xml\n")
        self.assertIn("Running", self.node.crisp("get", "pods").stdout)
        self.node.container_ids(), self.node.pod_ids()
        self.node.crisp("delete", "--grace-period=1", "-f", example_path(manifest))
        self.assertEqual(self.node.pod_ids(), [])

    def test_one_key_as_a_file_with_items(self):
        self.check_tomcat("tomcat-config.yaml")

    def test_one_key_as_a_file_without_items(self):
        self.check_tomcat("tomcat-config-plain.yaml")

    def test_an_edit_changes_the_directory_and_not_the_subpath(self):
        self.node.crisp("apply", "--wait", "-f", example_path("live-update.yaml"))
        self.assertEqual(self.node.crisp("exec", "live-update", "--", "cat", "/etc/live/message", "/etc/message").stdout, "firstfirst")
        self.node.crisp("apply", "-f", "-", input="apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: live\ndata:\n  message: second\n  more: added\n")
        eventually(
            lambda: self.node.crisp("exec", "live-update", "--", "cat", "/etc/live/message").stdout == "second", what="the update"
        )
        self.assertEqual(self.node.crisp("exec", "live-update", "--", "cat", "/etc/live/more").stdout, "added")
        self.assertEqual(self.node.crisp("exec", "live-update", "--", "cat", "/etc/message").stdout, "first")

    def test_a_reader_never_sees_half_an_update(self):
        def apply(value):
            self.node.apply_configmap("live", {"message": f"v{value}", "other": f"v{value}"})

        self.addCleanup(self.node.delete_configmap, "live")
        apply(0)
        pod = self.pod("atomic", annotations={"io.crisp.volumes": '[{"name":"v","configMap":{"name":"live"}}]'})
        watch = (
            # A version that is replaced while it is read is gone, not torn.
            "while [ ! -e /tmp/stop ]; do cd /etc/live/..data; if a=$(cat message) && b=$(cat other);"
            ' then [ "$a" = "$b" ] || echo torn $a $b; fi 2>/dev/null; cd /; done; echo end'
        )
        container = self.container(
            command=["sh", "-c", watch],
            annotations={"io.crisp.volume-mounts": '[{"name":"v","mountPath":"/etc/live"}]'},
        )
        _, (container_id,) = self.node.run(pod, container)
        for value in range(1, 10):
            apply(value)
        self.node.sh(container_id, "touch /tmp/stop")
        out = eventually(lambda: (o := self.node.crictl("logs", container_id).stdout).endswith("end\n") and o, what="the end")
        self.assertNotIn("torn", out)

    def test_two_containers_share_a_volume_and_the_loopback(self):
        self.node.crisp("apply", "--wait", "-f", example_path("two-containers.yaml"))
        out = eventually(
            lambda: self.node.crisp("logs", "two-containers", "-c", "client", check=False).stdout, 20, "the client's answer"
        )
        self.assertEqual(out, "from the server\n")
        self.assertEqual(
            self.node.crisp("exec", "two-containers", "-c", "server", "--", "cat", "/srv/answer").stdout, "from the server\n"
        )

    def test_a_missing_configmap_is_named_and_waited_for(self):
        self.node.crisp("apply", "-f", example_path("missing-configmap.yaml"))
        described = eventually(
            lambda: "nowhere" in (text := self.node.crisp("describe", "pod", "missing-configmap").stdout).split("Events:")[-1]
            and text, 20, "an event that names the ConfigMap",
        )  # fmt: skip
        self.assertIn("Warning", described)
        self.assertIn("0/1", self.node.crisp("get", "pod", "missing-configmap").stdout)
        self.node.crisp("create", "configmap", "nowhere", "--from-literal=a=b")
        self.node.crisp("wait", "--for=condition=Ready", "--timeout=60s", "pod/missing-configmap")
        self.assertEqual(self.node.crisp("exec", "missing-configmap", "--", "cat", "/etc/settings/a").stdout, "b")
        self.node.crisp("delete", "--grace-period=1", "-f", example_path("missing-configmap.yaml"))
        self.node.crisp("delete", "configmap", "nowhere")

    def test_create_configmap_from_literals_files_and_env_files(self):
        top = os.path.join(self.node.base, "files")
        os.makedirs(top)
        for name, data in (("plain.txt", b"text\n"), ("bytes.bin", b"\xff\x00\xfe"), ("vars.env", b"# note\nA=1\nB=two words\n")):
            with open(os.path.join(top, name), "wb") as f:
                f.write(data)
        self.node.crisp(
            "create", "configmap", "made", "--from-literal=word=hello", f"--from-file={top}/plain.txt",
            f"--from-file=renamed={top}/bytes.bin",
        )  # fmt: skip
        made = json.loads(self.node.crisp("get", "configmap", "made", "-o", "json").stdout)
        self.assertEqual(made["data"], {"word": "hello", "plain.txt": "text\n"})
        self.assertEqual(base64.b64decode(made["binaryData"]["renamed"]), b"\xff\x00\xfe")
        described = self.node.crisp("describe", "configmap", "made").stdout
        for word in ("made", "default", "word", "hello"):
            self.assertIn(word, described)
        self.assertIn("made", self.node.crisp("get", "configmaps").stdout)
        self.node.crisp("delete", "configmap", "made")
        self.node.crisp("create", "configmap", "made", f"--from-env-file={top}/vars.env")
        made = json.loads(self.node.crisp("get", "configmap", "made", "-o", "json").stdout)
        self.assertEqual(made["data"], {"A": "1", "B": "two words"})

    def test_an_unsupported_field_is_named(self):
        manifest = "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: [{name: x, image: busybox, frobnicate: 1}]}\n"
        result = self.node.crisp("apply", "-f", "-", input=manifest, check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("frobnicate", result.stderr + result.stdout)
        self.assertEqual(self.node.pod_ids(), [])


class Annotations(harness.NodeTest):
    """The same, for anyone who speaks CRI and nothing else."""

    def setUp(self):
        super().setUp()
        self.xml = server_xml()
        self.apply("tomcat-server-config", {"server.xml": self.xml})

    def tearDown(self):
        for item in self.node.call(VOLUMES + "ListConfigMaps", {}).get("config_maps", []):
            self.node.call(VOLUMES + "DeleteConfigMap", {"key": item["key"]})
        super().tearDown()

    def apply(self, name, data, **more):
        encoded = {k: base64.b64encode(v.encode()).decode() for k, v in data.items()}
        request = {"config_map": {"key": {"namespace": "default", "name": name}, "data": encoded, **more}}
        return self.node.call(VOLUMES + "ApplyConfigMap", request)

    def test_the_example_configs(self):
        pod = self.pod("volumes", "pod-volumes.json")
        container = self.container("main", "container-volumes.json")
        _, (container_id,) = self.node.run(pod, container)
        self.assertEqual(self.node.sh(container_id, "cat /tmp/server.xml"), self.xml)
        self.assertEqual(self.node.sh(container_id, "ls -A /tmp"), "server.xml\n")
        self.assertEqual(self.node.sh(container_id, "cat /etc/tomcat/server.xml"), self.xml)
        self.assertEqual(self.node.sh(container_id, "cat /info/name"), "volumes")
        self.assertEqual(self.node.sh(container_id, "echo x >/scratch/f && cat /scratch/f"), "x\n")
        self.assertIn("tmpfs", self.node.sh(container_id, "grep ' /memory ' /proc/self/mounts"))
        for path in ("/tmp/server.xml", "/etc/tomcat/server.xml"):
            result = self.node.exec(container_id, "sh", "-c", f"echo no >{path}", check=False)
            self.assertIn("Read-only file system", result.stderr + result.stdout)
        status = self.node.call(RUNTIME + "ContainerStatus", {"container_id": container_id})["status"]
        self.assertEqual(status["annotations"], container["annotations"])

    def test_a_shared_emptydir_lives_as_long_as_the_pod(self):
        pod = self.pod("scratch", annotations={"io.crisp.volumes": '[{"name":"s","emptyDir":{}}]'})
        mounts = {"io.crisp.volume-mounts": '[{"name":"s","mountPath":"/s"}]'}
        pod_id, (one,) = self.node.run(pod, self.container("one", annotations=mounts))
        self.node.sh(one, "echo kept >/s/file")
        self.node.crictl("rm", "-f", one)
        two = self.node.create(pod_id, self.container("two", annotations=mounts), pod)
        self.node.start_container(two)
        self.assertEqual(self.node.sh(two, "cat /s/file"), "kept\n")

    def test_a_restarted_container_sees_the_new_subpath(self):
        self.apply("live", {"message": "one"})
        pod = self.pod("restart", annotations={"io.crisp.volumes": '[{"name":"v","configMap":{"name":"live"}}]'})
        mounts = {"io.crisp.volume-mounts": '[{"name":"v","mountPath":"/m","subPath":"message"}]'}
        pod_id, (first,) = self.node.run(pod, self.container("one", annotations=mounts))
        self.apply("live", {"message": "two"})
        self.assertEqual(self.node.sh(first, "cat /m"), "one")
        self.node.crictl("rm", "-f", first)
        second = self.node.create(pod_id, self.container("two", annotations=mounts), pod)
        self.node.start_container(second)
        self.assertEqual(self.node.sh(second, "cat /m"), "two")

    def test_modes_items_and_optional(self):
        self.apply("modes", {"a": "A", "b": "B"})
        volumes = (
            '[{"name":"v","configMap":{"name":"modes","defaultMode":256,"items":[{"key":"a","path":"deep/er/a"},'
            '{"key":"b","path":"b","mode":448}]}},{"name":"o","configMap":{"name":"absent","optional":true}}]'
        )
        pod = self.pod("modes", annotations={"io.crisp.volumes": volumes})
        mounts = '[{"name":"v","mountPath":"/v"},{"name":"o","mountPath":"/o"}]'
        _, (container_id,) = self.node.run(pod, self.container(annotations={"io.crisp.volume-mounts": mounts}))
        self.assertEqual(self.node.sh(container_id, "stat -L -c %a /v/deep/er/a /v/b; ls /o"), "400\n700\n")
        self.apply("absent", {"now": "here"})
        eventually(lambda: self.node.sh(container_id, "ls /o") == "now\n", what="the optional ConfigMap")

    def test_an_immutable_configmap_stays(self):
        self.apply("fixed", {"k": "v"}, immutable=True)
        with self.assertRaises(harness.RpcError) as caught:
            self.apply("fixed", {"k": "w"}, immutable=True)
        self.assertEqual(caught.exception.code, "FAILED_PRECONDITION")
        self.assertIn("fixed", caught.exception.message)

    def test_what_cannot_be_is_refused_with_its_name(self):
        cases = (
            ('[{"name":"v","configMap":{"name":"absent"}}]', "absent"),
            ('[{"name":"v","configMap":{"name":"tomcat-server-config","items":[{"key":"nokey","path":"x"}]}}]', "nokey"),
            ('[{"name":"v","configMap":{"name":"tomcat-server-config","items":[{"key":"server.xml","path":"../x"}]}}]', ".."),
            ('[{"name":"v","frobnicate":{}}]', "v"),
            ("{", "io.crisp.volumes"),
        )
        for volumes, word in cases:
            with self.subTest(volumes):
                config = self.pod("refused", annotations={"io.crisp.volumes": volumes})
                self.assertRpcFails(
                    ("INVALID_ARGUMENT", "FAILED_PRECONDITION"), [word], RUNTIME + "RunPodSandbox", {"config": config}
                )
                self.assertEqual(self.node.pod_ids(), [])

    def test_a_subpath_that_is_not_there_is_refused(self):
        pod = self.pod("no-subpath", "pod-volumes.json")
        pod_id = self.node.runp(pod)
        for mounts, word in (
            ('[{"name":"serverxml","mountPath":"/x","subPath":"nokey"}]', "nokey"),
            ('[{"name":"serverxml","mountPath":"/x","subPath":"../../etc"}]', "subPath"),
            ('[{"name":"unknown","mountPath":"/x"}]', "unknown"),
            ('[{"name":"serverxml","mountPath":"x"}]', "mountPath"),
        ):
            with self.subTest(mounts):
                config = self.container(annotations={"io.crisp.volume-mounts": mounts})
                self.assertRpcFails(
                    ("INVALID_ARGUMENT", "FAILED_PRECONDITION"), [word], RUNTIME + "CreateContainer",
                    {"pod_sandbox_id": pod_id, "config": dict(config, envs=[]), "sandbox_config": pod},
                )  # fmt: skip
        self.assertEqual(self.node.container_ids(), [])

    def test_more_than_a_mebibyte_is_refused(self):
        with self.assertRaises(harness.RpcError) as caught:
            self.apply("big", {"a": "x" * (1 << 20), "b": "y"})
        self.assertEqual(caught.exception.code, "INVALID_ARGUMENT")


if __name__ == "__main__":
    unittest.main()
