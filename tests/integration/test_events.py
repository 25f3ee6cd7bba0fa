"""GetContainerEvents, and the statuses that evented PLEG takes from it."""

import json
import os
import signal
import subprocess
import unittest

import harness
import tools
from harness import RUNTIME, eventually


class Watcher:
    """crictl events, from when it is subscribed."""

    def __init__(self, node):
        self.node = node
        self.path = f"{node.base}/events"
        self.file = open(self.path, "wb")
        config = f"{node.base}/crictl.yaml"
        open(config, "a", encoding="utf-8").close()
        self.process = subprocess.Popen(
            [tools.crictl(), "--config", config, "-r", node.endpoint, "events", "-o", "json"],
            stdin=subprocess.DEVNULL, stdout=self.file, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def events(self):
        with open(self.path, encoding="utf-8") as f:
            text = f.read()
        decoder, found, at = json.JSONDecoder(), [], 0
        while True:
            while at < len(text) and text[at].isspace():
                at += 1
            try:
                event, at = decoder.raw_decode(text, at)
            except ValueError:
                return found
            found.append(event)

    def kinds(self, object_id):
        return [
            e.get("containerEventType", "CONTAINER_CREATED_EVENT").split("_")[1]
            for e in self.events()
            if e["containerId"] == object_id
        ]

    def close(self):
        self.process.kill()
        self.process.wait()
        self.file.close()
        os.unlink(self.path)


class Events(harness.NodeTest):
    def watch(self):
        watcher = Watcher(self.node)
        self.addCleanup(watcher.close)

        # A subscription makes no sound; an event tells that it is there.
        def subscribed():
            pod_id = self.node.runp(self.pod("probe"))
            self.node.remove_all_pods()
            return watcher.events() and pod_id

        eventually(subscribed, 30, "crictl to be subscribed")
        return watcher

    def test_the_life_of_a_pod(self):
        watcher = self.watch()
        pod = self.pod("watched")
        pod_id, (container_id,) = self.node.run(pod, self.container(command=["sh", "-c", "exit 7"]))
        eventually(lambda: "STOPPED" in watcher.kinds(container_id), 20, "the container's end")
        self.node.crictl("rm", container_id)
        self.node.crictl("stopp", pod_id)
        self.node.crictl("rmp", pod_id)
        eventually(lambda: "DELETED" in watcher.kinds(pod_id), 20, "the pod's end")
        self.assertEqual(watcher.kinds(pod_id), ["CREATED", "STARTED", "STOPPED", "DELETED"])
        self.assertEqual(watcher.kinds(container_id), ["CREATED", "STARTED", "STOPPED", "DELETED"])

        events = watcher.events()
        times = [int(e["createdAt"]) for e in events]
        self.assertEqual(times, sorted(set(times)))
        for event in events:
            self.assertTrue(event["podSandboxStatus"]["metadata"]["uid"])
        stopped = [
            e for e in events
            if e["containerId"] == container_id and e.get("containerEventType") == "CONTAINER_STOPPED_EVENT"
        ][0]  # fmt: skip
        (status,) = stopped["containersStatuses"]
        self.assertEqual((status["id"], status["state"], status["exitCode"]), (container_id, "CONTAINER_EXITED", 7))
        deleted = [e for e in events if e["containerId"] == pod_id][-1]
        self.assertEqual(deleted["podSandboxStatus"]["id"], pod_id)
        self.assertEqual(deleted["podSandboxStatus"]["state"], "SANDBOX_NOTREADY")
        self.assertFalse(deleted.get("containersStatuses"))

    def test_the_end_never_comes_before_the_start(self):
        watcher = self.watch()
        pod = self.pod("short")
        pod_id = self.node.runp(pod)
        made = []
        for i in range(30):
            made.append(self.node.create(pod_id, self.container(f"short-{i}", command=["/bin/true"]), pod))
            self.node.start_container(made[-1])
        bad = self.node.create(pod_id, self.container("bad", command=["/no/such/program"]), pod)
        self.node.crictl("start", bad, check=False)
        for container_id in made:
            eventually(lambda c=container_id: "STOPPED" in watcher.kinds(c), 20, "the container's end")
            self.assertEqual(watcher.kinds(container_id), ["CREATED", "STARTED", "STOPPED"])
        eventually(lambda: "STOPPED" in watcher.kinds(bad), 20, "word of the container that did not start")
        self.assertEqual(watcher.kinds(bad), ["CREATED", "STOPPED"])

    def test_an_event_shows_the_other_containers_too(self):
        watcher = self.watch()
        pod = self.pod("two")
        pod_id, (first, second) = self.node.run(pod, self.container("first"), self.container("second"))
        self.node.crictl("stop", "-t", "0", second)
        eventually(lambda: "STOPPED" in watcher.kinds(second), 20, "the end")
        event = [e for e in watcher.events() if e["containerId"] == second][-1]
        states = {s["id"]: s["state"] for s in event["containersStatuses"]}
        self.assertEqual(states, {first: "CONTAINER_RUNNING", second: "CONTAINER_EXITED"})

    def test_nothing_is_told_of_what_failed(self):
        watcher = self.watch()
        before = len(watcher.events())
        pod = self.pod("failing")
        self.node.runp(dict(pod, hostname="not a hostname!"), check=False)
        pod_id = self.node.runp(pod)
        self.node.create(pod_id, self.container(image={"image": "no.such/image"}), pod, check=False)
        eventually(lambda: len(watcher.events()) >= before + 2, 20, "the pod's events")
        self.assertEqual({e["containerId"] for e in watcher.events()[before:]}, {pod_id})

    def test_a_subscriber_does_not_hold_up_the_end_of_crispd(self):
        watcher = self.watch()
        self.node.daemon.send_signal(signal.SIGTERM)
        self.node.daemon.wait(timeout=8)
        self.node.daemon = None
        watcher.process.wait(timeout=10)
        self.node.start()

    def test_a_pods_status_has_all_that_kubelet_caches(self):
        pod = self.pod("status")
        pod_id, (container_id,) = self.node.run(pod, self.container())
        reply = self.node.call(RUNTIME + "PodSandboxStatus", {"pod_sandbox_id": pod_id})
        self.assertGreater(int(reply["timestamp"]), int(reply["status"]["created_at"]))
        (status,) = reply["containers_statuses"]
        self.assertEqual((status["id"], status["state"]), (container_id, "CONTAINER_RUNNING"))
        self.assertEqual(
            status, self.node.call(RUNTIME + "ContainerStatus", {"container_id": container_id})["status"]
        )


class Lists(harness.NodeTest):
    def test_lists_follow_every_change(self):
        pod = self.pod("lists")
        pod_id, (container_id,) = self.node.run(pod, self.container())
        containers = lambda **f: self.node.call(RUNTIME + "ListContainers", {"filter": f}).get("containers", [])
        (listed,) = containers()
        self.assertEqual((listed["id"], listed["state"]), (container_id, "CONTAINER_RUNNING"))
        self.assertEqual(containers(state={"state": "CONTAINER_EXITED"}), [])
        self.assertEqual(containers(id=container_id[:20]), [listed])
        self.assertEqual(containers(label_selector={"tier": "main"}), [listed])
        self.assertEqual(containers(label_selector={"tier": "no"}), [])
        streamed = self.node.call(RUNTIME + "StreamContainers", {})["containers"]
        self.assertEqual(streamed, [listed])
        self.node.crictl("stop", "-t", "0", container_id)
        (listed,) = containers()
        self.assertEqual(listed["state"], "CONTAINER_EXITED")
        self.node.crictl("rm", container_id)
        self.assertEqual(containers(), [])
        self.assertEqual(self.node.call(RUNTIME + "StreamContainers", {}), {})
        (pods,) = self.node.call(RUNTIME + "StreamPodSandboxes", {})["pod_sandboxes"]
        self.assertEqual(pods, self.node.call(RUNTIME + "ListPodSandbox", {})["items"][0])
        images = self.node.call(harness.IMAGE + "StreamImages", {})["images"]
        self.assertEqual(images, self.node.call(harness.IMAGE + "ListImages", {})["images"])


if __name__ == "__main__":
    unittest.main()
