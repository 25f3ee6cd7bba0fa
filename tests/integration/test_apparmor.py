"""AppArmor: the profile that a container asks for is the one that holds it, and its execs."""

import os
import unittest

import harness
import tools
from harness import RUNTIME

ENABLED = "/sys/kernel/security/apparmor/profiles"
NAME = "crisp-test"
PROFILE = f"""profile {NAME} flags=(attach_disconnected,mediate_deleted) {{
  file,
  capability,
  network,
  signal,
  ptrace,
  deny /secret w,
}}
"""
RUNTIME_DEFAULT, UNCONFINED, LOCALHOST = 0, 1, 2
IDLE = ["sh", "-c", "exec tail -f /dev/null"]


class AppArmor(harness.NodeTest):
    @classmethod
    def setUpClass(cls):
        if not os.path.exists(ENABLED):
            raise unittest.SkipTest("this kernel has no AppArmor")
        tools.theirs("apparmor_parser")
        tools.run("apparmor_parser", "--replace", "--skip-cache", "--quiet", input=PROFILE)
        cls.addClassCleanup(tools.run, "apparmor_parser", "--remove", "--quiet", input=PROFILE)
        super().setUpClass()

    def started(self, security, handler="", **more):
        self.node.remove_all_pods()
        pod = self.pod("apparmor")
        pod_id = self.node.runp(pod, *(["--runtime", handler] if handler else []))
        container = self.container(command=IDLE, linux={"security_context": {**security, **more}})
        container_id = self.node.create(pod_id, container, pod)
        self.node.start_container(container_id)
        return container_id

    def labels(self, container_id):
        """Of the container's first process and of an exec."""
        pid = self.node.crictl_json("inspect", container_id)["info"]["pid"]
        with open(f"/proc/{pid}/attr/current", encoding="utf-8") as f:
            return [f.read().strip(), self.node.sh(container_id, "cat /proc/self/attr/current").strip()]

    def test_the_default(self):
        asked = {"apparmor": {"profile_type": RUNTIME_DEFAULT}}
        for handler, security in (("", {}), ("", asked), ("runc", asked)):
            with self.subTest(handler=handler, security=security):
                container_id = self.started(security, handler, capabilities={"add_capabilities": ["SYS_ADMIN"]})
                self.assertEqual(self.labels(container_id), ["crisp-default (enforce)"] * 2)
                result = self.node.exec(container_id, "mount", "-t", "tmpfs", "none", "/tmp", check=False)
                self.assertIn("ermission denied", result.stderr)
                # What it may do: files of its own, and signals among its own processes.
                script = "echo written >/file; cat /file; sleep 1000 & kill $! && echo ok"
                self.assertEqual(self.node.sh(container_id, script), "written\nok\n")
                self.node.crictl("stop", "-t", "0", container_id)

    def test_a_profile_of_the_hosts(self):
        for handler, security in (
            ("", {"apparmor": {"profile_type": LOCALHOST, "localhost_ref": NAME}}),
            ("", {"apparmor_profile": f"localhost/{NAME}"}),
            ("runc", {"apparmor": {"profile_type": LOCALHOST, "localhost_ref": NAME}}),
        ):
            with self.subTest(handler=handler, security=security):
                container_id = self.started(security, handler)
                self.assertEqual(self.labels(container_id), [f"{NAME} (enforce)"] * 2)
                result = self.node.exec(container_id, "sh", "-c", "echo x >/secret", check=False)
                self.assertIn("ermission denied", result.stderr)

    def test_unconfined_is_so(self):
        container_id = self.started({"apparmor": {"profile_type": UNCONFINED}})
        self.assertEqual(self.labels(container_id), ["unconfined"] * 2)

    def test_a_profile_that_is_not_loaded(self):
        pod = self.pod("unknown")
        pod_id = self.node.runp(pod)
        security = {"apparmor": {"profile_type": "Localhost", "localhost_ref": "no-such-profile"}}
        container = self.container(command=IDLE, linux={"security_context": security})
        container.pop("envs")
        request = {"pod_sandbox_id": pod_id, "config": container, "sandbox_config": pod}
        words = ["apparmor.localhost_ref", "no-such-profile", "is not loaded"]
        self.assertRpcFails("INVALID_ARGUMENT", words, RUNTIME + "CreateContainer", request)
        self.assertEqual(self.node.container_ids(), [])


if __name__ == "__main__":
    unittest.main()
