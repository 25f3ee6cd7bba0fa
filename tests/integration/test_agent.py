"""The node agent: objects, controllers, the lives of pods, and what survives what."""

import base64
import json
import os
import shutil
import signal
import time
import unittest

import harness
import registry
import tools
from harness import eventually, image_builder


def example_path(name):
    return os.path.join(tools.EXAMPLES, "agent", name)


class AgentTest(harness.NodeTest):
    """A node whose agent waits a second, not ten, before it restarts a container."""

    flags = ("--back-off-base", "1s", "--log-level", "debug")

    @classmethod
    def make_node(cls):
        node = super().make_node()
        node.start_agent(*cls.flags)
        return node

    def tearDown(self):
        if self.node.agent is None:
            self.node.start_agent(*self.flags)
        for kinds in ("deployments,daemonsets,replicasets,replicationcontrollers,jobs", "pods"):
            self.crisp("delete", kinds, "--all", "-A", "--grace-period=1", "--timeout=60s", check=False)
        self.crisp("delete", "configmaps,secrets", "--all", "-A", check=False)
        super().tearDown()

    def crisp(self, *argv, **kwargs):
        return self.node.crisp(*argv, **kwargs)

    def apply(self, *names, wait=False):
        files = [arg for name in names for arg in ("-f", example_path(name))]
        return self.crisp("apply", *(["--wait"] if wait else []), *files).stdout

    def apply_text(self, text, **kwargs):
        return self.crisp("apply", "-f", "-", input=text, **kwargs)

    def objects(self, kind, *selectors):
        return json.loads(self.crisp("get", kind, *selectors, "-o", "json").stdout)["items"]

    def object(self, kind, name):
        return json.loads(self.crisp("get", kind, name, "-o", "json").stdout)

    def phase(self, pod):
        return self.object("pod", pod)["status"]["phase"]

    def container(self, pod, name="main", statuses="containerStatuses"):
        for status in self.object("pod", pod)["status"].get(statuses, []):
            if status["name"] == name:
                return status
        return {"state": {}, "lastState": {}, "restartCount": 0, "ready": False}

    def until(self, condition, what, seconds=40):
        return eventually(condition, seconds, what)

    def wait_ready(self, *pods):
        self.crisp("wait", "--for=condition=Ready", "--timeout=60s", *[f"pod/{pod}" for pod in pods])

    def events(self, reason, about=None):
        found = [e for e in self.objects("events") if e["reason"] == reason]
        return [e for e in found if about is None or e["involvedObject"]["name"] == about]

    def running_containers(self):
        items = self.node.call(harness.RUNTIME + "ListContainers", {}).get("containers", [])
        self.node.ids.update(item["id"] for item in items)
        return [item for item in items if item.get("state") == "CONTAINER_RUNNING"]


class PullSecrets(AgentTest):
    """Against Debian's docker-registry, which wants a password."""

    def setUp(self):
        super().setUp()
        self.registry = registry.DockerRegistry(self.node, 5055, htpasswd=registry.HTPASSWD)
        self.addCleanup(self.registry.stop)
        image = image_builder.Image([image_builder.busybox_layer()], {"Cmd": ["sh"]})
        registry.upload(self.node, 5055, "team/app", image, ["1"], auth="puller:open sesame")
        self.image = "127.0.0.1:5055/team/app:1"
        self.addCleanup(self.node.call, harness.IMAGE + "RemoveImage", {"image": {"image": self.image}})

    def secret(self, name, where, password):
        auth = base64.b64encode(f"puller:{password}".encode()).decode()
        self.apply_text(json.dumps({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
            "type": "kubernetes.io/dockerconfigjson",
            "stringData": {".dockerconfigjson": json.dumps({"auths": {where: {"auth": auth}}})},
        }))  # fmt: skip

    def pod(self, name, *secrets):
        self.apply_text(json.dumps({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {"imagePullSecrets": [{"name": secret} for secret in secrets], "terminationGracePeriodSeconds": 1,
                     "containers": [{"name": "main", "image": self.image, "imagePullPolicy": "Always",
                                     "command": ["sleep", "1000"]}]},
        }))  # fmt: skip

    def test_a_private_image_is_pulled_with_the_pods_secret(self):
        self.pod("none")
        self.until(lambda: self.events("Failed", "none"), "a failed pull")
        self.secret("wrong", "127.0.0.1:5055/team", "guess")
        self.secret("right", "127.0.0.1:5055", "open sesame")
        self.pod("web", "gone", "wrong", "right")
        self.wait_ready("web")
        (event,) = self.events("FailedToRetrieveImagePullSecret", "web")
        self.assertEqual(
            event["message"],
            "Unable to retrieve some image pull secrets (gone); attempting to pull the image may not succeed.",
        )
        self.assertNotEqual(self.phase("none"), "Running")
        for text in (self.node.log_tail(100000), self.node.agent_log_tail(100000), json.dumps(self.objects("events"))):
            for word in ("open sesame", "guess", base64.b64encode(b"puller:open sesame").decode()):
                self.assertNotIn(word, text)


class Changes(AgentTest):
    """What Kubernetes lets change of a pod that runs."""

    def pod(self, image):
        spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1,
                "containers": [{"name": name, "image": image if name == "main" else "busybox", "imagePullPolicy": "Never",
                                "command": ["sleep", "1000"]} for name in ("main", "other")]}  # fmt: skip
        return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": spec})

    def test_another_image_restarts_its_container_alone(self):
        self.node.import_busybox(("docker.io/library/busybox:2",))
        self.apply_text(self.pod("busybox"))
        self.wait_ready("web")
        before = self.container("web", "other")["containerID"]
        self.assertIn("configured", self.apply_text(self.pod("busybox:2")).stdout)
        self.until(lambda: self.container("web").get("restartCount") == 1 and self.container("web")["ready"], "the new container")
        self.assertIn("busybox:2", self.container("web")["image"])
        self.assertEqual(self.container("web", "other")["containerID"], before)
        self.assertEqual(self.phase("web"), "Running")
        self.assertEqual(
            [e["message"] for e in self.events("Killing", "web")],
            ["Container main definition changed, will be restarted"],
        )
        refused = self.apply_text(self.pod("busybox:2").replace('"1000"', '"999"'), check=False).stderr
        self.assertIn('The Pod "web" is invalid: spec: Forbidden: pod updates may not change fields other than', refused)

    def test_new_labels_are_in_downward_files(self):
        pod = json.loads(self.pod("busybox"))
        pod["metadata"]["labels"] = {"app": "one"}
        pod["spec"]["volumes"] = [{"name": "info", "downwardAPI": {"items": [
            {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}}]  # fmt: skip
        pod["spec"]["containers"][0]["volumeMounts"] = [{"name": "info", "mountPath": "/info"}]
        self.apply_text(json.dumps(pod))
        self.wait_ready("web")

        def labels():
            return self.crisp("exec", "web", "-c", "main", "--", "cat", "/info/labels").stdout

        self.assertEqual(labels(), 'app="one"')
        self.crisp("label", "pod", "web", "app=two", "tier=front", "--overwrite")
        self.until(lambda: labels() == 'app="two"\ntier="front"', "the new labels")

    def test_an_indexed_job_tells_each_pod_its_index(self):
        self.apply_text(json.dumps({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "parts"},
            "spec": {"completions": 3, "parallelism": 2, "completionMode": "Indexed", "template": {"spec": {
                "restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox", "imagePullPolicy": "Never",
                    "command": ["sh", "-c", "echo $JOB_COMPLETION_INDEX on $(hostname)"]}]}}},
        }))  # fmt: skip
        self.crisp("wait", "job/parts", "--for=condition=Complete", "--timeout=60s")
        self.assertEqual(self.object("job", "parts")["status"]["completedIndexes"], "0-2")
        said = [self.crisp("logs", pod["metadata"]["name"]).stdout for pod in self.objects("pods", "-l", "job-name=parts")]
        self.assertEqual(sorted(said), [f"{index} on parts-{index}\n" for index in range(3)])

    def test_pods_that_keep_apart(self):
        def alone(name):
            term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "db"}}}
            return json.dumps({
                "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "db"}},
                "spec": {"terminationGracePeriodSeconds": 1,
                         "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}},
                         "containers": [{"name": "main", "image": "busybox", "imagePullPolicy": "Never", "command": ["sleep", "1000"]}]},
            })  # fmt: skip

        self.apply_text(alone("one"))
        self.wait_ready("one")
        self.apply_text(alone("two"))
        self.until(lambda: self.events("FailedScheduling", "two"), "the event")
        self.assertIn("didn't match pod anti-affinity rules", self.events("FailedScheduling", "two")[0]["message"])
        self.crisp("delete", "pod", "one", "--grace-period=1")
        self.wait_ready("two")


class Objects(AgentTest):
    def test_each_kind_is_applied_read_and_deleted(self):
        kinds = {
            "deployment.yaml": ("deployment", "web"), "replica-set.yaml": ("replicaset", "twins"),
            "replication-controller.yaml": ("replicationcontroller", "pair"),
            "daemonset.yaml": ("daemonset", "collector"), "job.yaml": ("job", "count"),
            "probes.yaml": ("pod", "probed"),
        }  # fmt: skip
        for manifest, (kind, name) in kinds.items():
            with self.subTest(kind):
                self.assertIn(f"/{name} created", self.apply(manifest).replace(".apps/", "/"))
                self.assertIn("unchanged", self.apply(manifest))
                made = self.object(kind, name)
                self.assertEqual(made["metadata"]["name"], name)
                self.assertTrue(made["metadata"]["uid"])
                self.assertIn(name, self.crisp("get", kind).stdout)
                self.crisp("delete", kind, name, "--grace-period=1")
                self.assertIn("not found", self.crisp("get", kind, name, check=False).stderr)
        self.until(lambda: self.objects("pods") == [], "the pods to go with their owners")

    def test_what_cannot_be_is_named(self):
        cases = {
            'The Pod "web" is invalid: spec.containers[0].image: Required value':
                "{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: c}]}}",
            'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"':
                "{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: web}, spec: {selector: "
                "{matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {restartPolicy: "
                "Never, containers: [{name: c, image: b}]}}}}",
            'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"':
                "{apiVersion: batch/v1, kind: Job, metadata: {name: web}, spec: {template: {spec: "
                "{containers: [{name: c, image: b}]}}}}",
            "`selector` does not match template `labels`":
                "{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: web}, spec: {selector: "
                "{matchLabels: {a: b}}, template: {metadata: {labels: {a: c}}, spec: {containers: "
                "[{name: c, image: b}]}}}}",
            "spec.hostNetwork: Forbidden: when `hostUsers` is false":
                "{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {hostUsers: false, hostNetwork: true, "
                "containers: [{name: c, image: b}]}}",
            'unknown field "spec.contaners"':
                "{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {contaners: []}}",
        }  # fmt: skip
        for words, manifest in cases.items():
            with self.subTest(words):
                result = self.apply_text(manifest, check=False)
                self.assertNotEqual(result.returncode, 0)
                self.assertIn(words, result.stderr)
        self.assertEqual(self.objects("pods"), [])

    def test_a_field_without_effect_is_a_warning(self):
        result = self.apply_text(
            "{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {priorityClassName: high, "
            "terminationGracePeriodSeconds: 1, containers: [{name: c, image: busybox, "
            "imagePullPolicy: IfNotPresent, command: [sleep, infinity]}]}}"
        )
        self.assertIn("spec.priorityClassName", result.stderr)

    def test_apply_leaves_what_it_never_said(self):
        self.apply("replica-set.yaml")
        self.crisp("label", "replicaset", "twins", "kept=yes")
        self.apply("replica-set.yaml")
        self.assertEqual(self.object("replicaset", "twins")["metadata"]["labels"], {"kept": "yes"})

    def test_the_node_is_this_machine(self):
        (node,) = self.objects("nodes")
        self.assertEqual(node["metadata"]["name"], self.node.name)
        ready = [c for c in node["status"]["conditions"] if c["type"] == "Ready"]
        self.assertEqual(ready[0]["status"], "True")
        self.assertTrue(node["status"]["nodeInfo"]["containerRuntimeVersion"].startswith("crisp://"))


class Controllers(AgentTest):
    def test_a_deployment_is_rolled_out_and_scaled(self):
        self.apply("deployment.yaml")
        self.crisp("rollout", "status", "deployment/web", "--timeout=60s")
        before = {pod["metadata"]["name"] for pod in self.objects("pods")}
        self.assertEqual(len(before), 3)
        with open(example_path("deployment.yaml"), encoding="utf-8") as f:
            changed = f.read().replace("value: one", "value: two")
        self.apply_text(changed)
        while True:
            # Never fewer than three that serve, never more than one too many.
            pods = [p for p in self.objects("pods") if "deletionTimestamp" not in p["metadata"]]
            ready = [
                p for p in pods
                if any(c["type"] == "Ready" and c["status"] == "True" for c in p["status"].get("conditions", []))
            ]  # fmt: skip
            self.assertLessEqual(len(pods), 4)
            self.assertGreaterEqual(len(ready), 3)
            if {p["metadata"]["name"] for p in pods}.isdisjoint(before):
                break
            time.sleep(0.05)
        self.crisp("rollout", "status", "deployment/web", "--timeout=60s")
        pods = [p for p in self.objects("pods", "-l", "app=web") if "deletionTimestamp" not in p["metadata"]]
        self.assertTrue(all(p["spec"]["containers"][0]["env"][0]["value"] == "two" for p in pods))
        self.crisp("scale", "deployment/web", "--replicas=1")
        self.until(lambda: len(self.objects("pods")) == 1, "one pod")
        self.assertTrue(self.events("ScalingReplicaSet", "web"))

    def test_endpoints_are_the_pods_that_are_ready(self):
        self.apply("deployment.yaml")
        self.crisp("rollout", "status", "deployment/web", "--timeout=60s")
        (subset,) = self.object("endpoints", "web")["subsets"]
        self.assertEqual(subset["ports"], [{"name": "http", "port": 8080, "protocol": "TCP"}])
        addresses = {a["ip"] for a in subset["addresses"]}
        self.assertEqual(addresses, {p["status"]["podIP"] for p in self.objects("pods")})
        pod = self.objects("pods")[0]["metadata"]["name"]
        answer = self.node.in_netns("busybox", "wget", "-qO-", f"http://{min(addresses)}:8080/").stdout
        self.assertEqual(answer, "one\n")
        self.crisp("exec", pod, "--", "rm", "/www/index.html")
        self.until(
            lambda: len(self.object("endpoints", "web")["subsets"][0]["addresses"]) == 2, "the pod to leave"
        )

    def test_a_lost_pod_is_replaced(self):
        for manifest, selector in (("replica-set.yaml", "app=twins"), ("replication-controller.yaml", "app=pair")):
            with self.subTest(manifest):
                self.apply(manifest)
                names = lambda: {p["metadata"]["name"] for p in self.objects("pods", "-l", selector)}
                first = self.until(lambda: len(names()) == 2 and names(), "two pods")
                self.crisp("delete", "pod", min(first), "--grace-period=0", "--force")
                self.until(lambda: len(names()) == 2 and names() != first, "another pod")

    def test_a_node_selector_waits_for_the_label(self):
        self.apply("node-selector.yaml")
        (event,) = self.until(lambda: self.events("FailedScheduling", "picky"), "the event")
        self.assertIn("didn't match Pod's node affinity/selector", event["message"])
        self.assertEqual(self.phase("picky"), "Pending")
        self.crisp("label", "node", self.node.name, "disk=ssd")
        self.addCleanup(self.crisp, "label", "node", self.node.name, "disk-")
        self.wait_ready("picky")

    def test_a_daemon_set_follows_the_label(self):
        self.apply("daemonset.yaml")
        self.assertEqual(self.objects("pods"), [])
        self.crisp("label", "node", self.node.name, "collect=logs")
        self.until(lambda: self.object("daemonset", "collector")["status"].get("numberReady") == 1, "its pod")
        self.crisp("label", "node", self.node.name, "collect-")
        self.until(lambda: self.objects("pods") == [], "its pod to go")

    def test_a_job_runs_to_its_end(self):
        self.apply("job.yaml")
        self.crisp("wait", "--for=condition=Complete", "--timeout=60s", "job/count")
        self.assertEqual(self.object("job", "count")["status"]["succeeded"], 3)
        pods = self.objects("pods", "-l", "job-name=count")
        self.assertEqual([p["status"]["phase"] for p in pods], ["Succeeded"] * 3)
        self.assertEqual(self.crisp("logs", pods[0]["metadata"]["name"]).stdout, "1\n2\n3\n")

    def test_a_job_that_fails_says_so(self):
        self.apply_text(
            "{apiVersion: batch/v1, kind: Job, metadata: {name: sad}, spec: {backoffLimit: 1, template: {spec: "
            "{restartPolicy: Never, containers: [{name: c, image: busybox, imagePullPolicy: IfNotPresent, "
            "command: ['false']}]}}}}"
        )
        self.crisp("wait", "--for=condition=Failed", "--timeout=60s", "job/sad")
        self.assertEqual(self.object("job", "sad")["status"]["failed"], 2)
        self.assertTrue(self.events("BackoffLimitExceeded", "sad"))


class Pods(AgentTest):
    def test_probes_restart_and_take_out_of_service(self):
        self.apply("probes.yaml")
        self.wait_ready("probed")
        self.assertEqual(len(self.object("endpoints", "probed")["subsets"][0]["addresses"]), 1)
        self.crisp("exec", "probed", "--", "rm", "/tmp/ready")
        self.until(lambda: not self.container("probed", "exec")["ready"], "the pod not to be ready")
        self.assertNotIn("addresses", self.object("endpoints", "probed")["subsets"][0])
        self.assertEqual(self.container("probed", "exec")["restartCount"], 0)
        self.crisp("exec", "probed", "--", "rm", "/tmp/alive")
        self.until(lambda: self.container("probed", "exec")["restartCount"] == 1, "the restart")
        self.wait_ready("probed")
        self.assertTrue(self.events("Unhealthy", "probed"))
        self.assertTrue(any("failed liveness probe" in e["message"] for e in self.events("Killing", "probed")))

    def test_init_containers_come_first_and_sidecars_last(self):
        self.apply("init-and-sidecar.yaml")
        self.until(lambda: self.phase("prepared") == "Succeeded", "the end")
        prepare = self.container("prepared", "prepare", "initContainerStatuses")
        self.assertEqual(prepare["state"]["terminated"]["reason"], "Completed")
        self.assertEqual(self.crisp("logs", "prepared", "-c", "log").stdout, "prepared\n")

    def test_hooks_run_at_both_ends(self):
        notes = "/tmp/crisp-hooked"
        self.addCleanup(shutil.rmtree, notes, ignore_errors=True)
        self.apply("hooks.yaml")
        self.wait_ready("hooked")
        with open(f"{notes}/state", encoding="utf-8") as f:
            self.assertEqual(f.read(), "started\n")
        self.crisp("delete", "pod", "hooked")
        with open(f"{notes}/state", encoding="utf-8") as f:
            self.assertEqual(f.read(), "stopping\n")

    def test_restart_policies(self):
        self.apply("restart-policies.yaml")
        self.until(lambda: self.phase("ends-well") == "Succeeded", "the good end")
        self.until(lambda: self.phase("ends-badly") == "Failed", "the bad end")
        ended = self.container("ends-badly")["state"]["terminated"]
        self.assertEqual((ended["exitCode"], ended["reason"]), (3, "Error"))
        self.assertEqual(ended["message"], "no luck today\n")
        self.until(lambda: self.container("tries-again")["restartCount"] >= 2, "two restarts")
        self.until(
            lambda: self.container("tries-again")["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff",
            "the back-off",
        )
        self.assertEqual(self.phase("tries-again"), "Running")
        self.assertTrue(self.events("BackOff", "tries-again"))

    def test_the_environment(self):
        self.apply("environment.yaml")
        self.until(lambda: self.phase("environment") == "Succeeded", "the end")
        lines = set(self.crisp("logs", "environment").stdout.splitlines())
        self.assertLessEqual(
            {
                "COLOUR=blue", "not-an-identifier=kept", "PASSWORD=swordfish", "POD=environment",
                "GREETING=environment likes blue",
            },
            lines,
        )  # fmt: skip
        self.assertFalse([line for line in lines if line.startswith(("MAYBE=", "KUBERNETES_"))])

    def test_on_the_host(self):
        self.apply("host.yaml", wait=True)
        self.assertEqual(
            self.crisp("exec", "on-host", "--", "cat", "/etc/resolv.conf").stdout.split(),
            ["search", "example.com", "nameserver", "192.0.2.53"],
        )
        self.assertEqual(self.crisp("exec", "on-host", "--", "id", "-u").stdout, "1000\n")
        host = os.readlink(f"/proc/{self.node.holder.pid}/ns/net")
        self.assertEqual(self.crisp("exec", "on-host", "--", "readlink", "/proc/self/ns/net").stdout.strip(), host)

    def test_shared_names_and_a_port_of_the_host(self):
        self.apply("shared-names.yaml", wait=True)
        self.assertIn("httpd", self.crisp("exec", "shared", "-c", "watcher", "--", "ps").stdout)
        hosts = self.crisp("exec", "shared", "-c", "watcher", "--", "cat", "/etc/hosts").stdout
        self.assertIn("192.0.2.10\tdatabase\tdb.example.com", hosts)
        ip = self.object("pod", "shared")["status"]["podIP"]
        self.assertIn("root", self.node.in_netns("busybox", "wget", "-qO-", f"http://{ip}:8080/passwd").stdout)

    def test_an_image_that_is_not_there_is_waited_for(self):
        self.apply_text(
            "{apiVersion: v1, kind: Pod, metadata: {name: no-image}, spec: {containers: [{name: main, "
            "image: 'localhost:1/nothing', imagePullPolicy: Never}]}}"
        )
        reason = lambda: self.container("no-image")["state"].get("waiting", {}).get("reason")
        self.until(lambda: reason() == "ErrImageNeverPull", "the reason")

    def test_events_tell_the_story(self):
        self.apply("host.yaml", wait=True)
        reasons = [e["reason"] for e in self.objects("events") if e["involvedObject"]["name"] == "on-host"]
        for reason in ("Scheduled", "Pulled", "Created", "Started"):
            self.assertIn(reason, reasons)
        self.assertIn("Started", self.crisp("describe", "pod", "on-host").stdout)


class UserNamespaces(AgentTest):
    """hostUsers: false."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        handlers = cls.node.call(harness.RUNTIME + "Status", {})["runtime_handlers"]
        features = {h.get("name", ""): h.get("features", {}) for h in handlers}
        if not features[""].get("user_namespaces"):
            raise unittest.SkipTest("this host has no user namespaces with idmapped mounts; crispd's log says why")

    def sh(self, pod, script):
        return self.crisp("exec", pod, "--", "sh", "-c", script).stdout

    def first_id(self, pod):
        inside, first, length = self.sh(pod, "cat /proc/self/uid_map").split()
        self.assertEqual((inside, length), ("0", "65536"))
        self.assertEqual(self.sh(pod, "cat /proc/self/gid_map").split(), [inside, first, length])
        return int(first)

    def record(self, pod):
        uid = self.object("pod", pod)["metadata"]["uid"]
        return os.path.join(self.node.base, "agent", "agent", "pods", uid, "userns")

    def test_root_inside_is_nobody_outside(self):
        self.apply("user-namespace.yaml")
        self.wait_ready("own-users", "own-users-too")
        first = self.first_id("own-users")
        self.assertGreaterEqual(first, 65536)
        self.assertGreaterEqual(abs(first - self.first_id("own-users-too")), 65536)
        self.assertEqual(self.sh("own-users", "id -u").strip(), "0")
        container = self.container("own-users")["containerID"].split("//")[1]
        status = self.node.call(harness.RUNTIME + "ContainerStatus", {"container_id": container, "verbose": True})
        self.assertEqual(os.stat(f"/proc/{json.loads(status['info']['info'])['pid']}").st_uid, first)
        # What is mounted is root's inside, whoever mounted it.
        self.assertEqual(self.sh("own-users", "cat /config/text"), "hello from outside")
        self.assertIn("192.0.2.10\tdatabase", self.sh("own-users", "cat /etc/hosts"))
        files = "/config/text /etc/hosts /dev/termination-log"
        self.assertEqual(self.sh("own-users", f"stat -c %u {files}").split(), ["0"] * 3)
        self.assertEqual(self.sh("own-users", "cat /dev/termination-log"), "ready\n")

    def test_the_ids_are_kept_as_long_as_the_pod_runs(self):
        self.apply("user-namespace.yaml")
        self.wait_ready("own-users", "own-users-too")
        ids = {pod: self.first_id(pod) for pod in ("own-users", "own-users-too")}
        self.node.kill_agent()
        self.node.start_agent(*self.flags)
        self.wait_ready(*ids)
        # So has another sandbox, and the container that this agent makes in it.
        request = {"pod_sandbox_id": self.sandbox("own-users")}
        self.node.call(harness.RUNTIME + "StopPodSandbox", request)
        self.until(lambda: self.sandbox("own-users") not in (None, request["pod_sandbox_id"]), "another sandbox")
        self.until(lambda: self.container("own-users")["ready"], "its container")
        self.assertEqual({pod: self.first_id(pod) for pod in ids}, ids)
        self.assertEqual(self.container("own-users")["lastState"]["terminated"]["message"], "ready\n")
        # They are free when the pod is over, though it is still listed.
        record = self.record("own-users-too")
        self.assertTrue(os.path.exists(record))
        container = self.container("own-users-too")["containerID"].split("//")[1]
        self.node.call(harness.RUNTIME + "StopContainer", {"container_id": container, "timeout": 0})
        self.until(lambda: self.phase("own-users-too") == "Failed", "the end")
        self.assertEqual(self.container("own-users-too")["state"]["terminated"]["message"], "bye\n")
        self.until(lambda: not os.path.exists(record), "its ids to be free")

    def sandbox(self, pod):
        uid = self.object("pod", pod)["metadata"]["uid"]
        request = {"filter": {"label_selector": {"io.kubernetes.pod.uid": uid}, "state": {"state": "SANDBOX_READY"}}}
        items = self.node.call(harness.RUNTIME + "ListPodSandbox", request).get("items", [])
        return items[0]["id"] if items else None

    def test_a_handler_without_them_makes_no_pod(self):
        self.apply_text(
            "{apiVersion: v1, kind: Pod, metadata: {name: other}, spec: {hostUsers: false, runtimeClassName: runc, "
            "containers: [{name: main, image: busybox}]}}"
        )
        self.until(lambda: self.events("FailedCreatePodSandBox", "other"), "the event")
        self.assertIn(
            "can't set `spec.hostUsers: false`, RuntimeClass handler \"runc\" does not support user namespaces",
            self.events("FailedCreatePodSandBox", "other")[0]["message"],
        )
        self.assertEqual(self.phase("other"), "Pending")


class LegacyEnvironment(AgentTest):
    flags = (*AgentTest.flags, "--legacy-env-names")

    def test_keys_that_are_no_identifiers_are_skipped_and_told(self):
        self.apply("environment.yaml")
        self.until(lambda: self.phase("environment") == "Succeeded", "the end")
        lines = self.crisp("logs", "environment").stdout.splitlines()
        self.assertIn("COLOUR=blue", lines)
        self.assertNotIn("not-an-identifier=kept", lines)
        (event,) = self.events("InvalidEnvironmentVariableNames", "environment")
        self.assertIn("[not-an-identifier]", event["message"])


class StaticPods(AgentTest):
    @classmethod
    def make_node(cls):
        node = harness.NodeTest.make_node.__func__(cls)
        cls.manifests = f"{node.base}/manifests"
        os.makedirs(cls.manifests)
        cls.flags = (*AgentTest.flags, "--pod-manifest-path", cls.manifests)
        node.start_agent(*cls.flags)
        return node

    def tearDown(self):
        for name in os.listdir(self.manifests):
            os.unlink(os.path.join(self.manifests, name))
        self.until(lambda: self.objects("pods") == [], "the static pods to go")
        super().tearDown()

    def test_a_pod_runs_while_its_file_is_there(self):
        path = f"{self.manifests}/static.yaml"
        name = f"static-{self.node.name}"
        shutil.copy(example_path("static-pod.yaml"), path)
        self.until(lambda: name in self.crisp("get", "pods").stdout, "the pod")
        self.wait_ready(name)
        refused = self.crisp("delete", "pod", name, check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn(f'pods "{name}" is a static pod', refused.stderr)
        uid = self.object("pod", name)["metadata"]["uid"]
        self.node.kill_agent()
        self.node.start_agent(*self.flags)
        self.wait_ready(name)
        self.assertEqual(self.object("pod", name)["metadata"]["uid"], uid)
        os.unlink(path)
        self.until(lambda: self.objects("pods") == [], "the pod to go")


class Survival(AgentTest):
    """kill -9 of each part, and of all."""

    def setUp(self):
        super().setUp()
        self.apply("replica-set.yaml")
        self.until(lambda: self.object("replicaset", "twins")["status"].get("readyReplicas") == 2, "two pods")
        self.before = self.picture()

    def picture(self):
        return {
            p["metadata"]["name"]: (p["metadata"]["uid"], [c["restartCount"] for c in p["status"]["containerStatuses"]],
                                    [c["containerID"] for c in p["status"]["containerStatuses"]])
            for p in self.objects("pods")
        }  # fmt: skip

    def check_as_before(self):
        self.until(lambda: self.object("replicaset", "twins")["status"].get("readyReplicas") == 2, "two pods")
        time.sleep(1)
        self.assertEqual(self.picture(), self.before)
        self.assertEqual(len(self.running_containers()), 2)

    def restart_agent(self):
        self.node.kill_agent()
        self.node.start_agent(*self.flags)

    def test_of_the_agent(self):
        self.restart_agent()
        self.check_as_before()

    def test_of_the_agent_again_and_again(self):
        for _ in range(5):
            self.restart_agent()
        self.check_as_before()

    def test_of_crispd(self):
        self.node.restart()
        self.check_as_before()

    def test_of_the_agent_and_crispd(self):
        self.node.kill_agent()
        self.node.restart()
        self.node.start_agent(*self.flags)
        self.check_as_before()

    def test_of_all_with_containerd(self):
        self.node.kill_agent()
        self.node.kill()
        for pid in tools.pids():
            command = tools.proc_cmdline(pid)
            if self.node.base in command and command.split()[0].endswith("/containerd"):
                os.kill(pid, signal.SIGKILL)
        self.node.start()
        self.node.start_agent(*self.flags)
        self.check_as_before()

    def test_a_container_that_ended_meanwhile_is_restarted_and_counted(self):
        pod = min(self.before)
        (container,) = [
            c["containerID"].split("//")[1] for c in self.object("pod", pod)["status"]["containerStatuses"]
        ]
        request = {"container_id": container, "verbose": True}
        info = self.node.call(harness.RUNTIME + "ContainerStatus", request)["info"]["info"]
        pid = json.loads(info)["pid"]
        self.node.kill_agent()
        os.kill(pid, signal.SIGKILL)
        self.node.start_agent(*self.flags)
        status = lambda: self.object("pod", pod)["status"]["containerStatuses"][0]
        self.until(lambda: status()["restartCount"] == 1 and status()["ready"], "the restart")
        self.assertEqual(status()["lastState"]["terminated"]["exitCode"], 137)
        self.restart_agent()
        time.sleep(1)
        self.assertEqual(status()["restartCount"], 1)
        self.assertEqual(len(self.running_containers()), 2)

    def test_of_everything_as_by_a_reboot(self):
        self.node.kill_agent()
        self.node.kill()
        for pid in self.node.own_processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.until(lambda: not self.node.own_processes(), "everything to end")
        for point in sorted(harness.leaks.mounts(self.node.base), reverse=True):
            harness.run("umount", "--lazy", point)
        shutil.rmtree(self.node.state)
        os.makedirs(self.node.state)
        self.node.start()
        self.node.start_agent(*self.flags)
        self.until(lambda: len(self.running_containers()) == 2, "two containers")
        self.until(lambda: self.object("replicaset", "twins")["status"].get("readyReplicas") == 2, "two pods")
        after = self.picture()
        self.assertEqual({name: uid for name, (uid, _, _) in after.items()},
                         {name: uid for name, (uid, _, _) in self.before.items()})  # fmt: skip

    def test_pods_that_are_gone_are_made_anew(self):
        self.node.kill_agent()
        self.node.remove_all_pods()
        self.node.start_agent(*self.flags)
        self.until(lambda: len(self.running_containers()) == 2, "two containers")
        self.until(lambda: self.object("replicaset", "twins")["status"].get("readyReplicas") == 2, "two pods")


if __name__ == "__main__":
    unittest.main()
