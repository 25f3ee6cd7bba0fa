"""Pod networks: real CNI plugins where there is a configuration, a bridge of our own where not."""

import json
import os
import unittest

import harness
import tools
from harness import RUNTIME, eventually


class Checks:
    """What both networks promise."""

    def fetch(self, url):
        """wget on the node's network."""
        result = self.node.in_netns(
            "timeout", "3", tools.theirs("busybox"), "wget", "-q", "-O", "-", url, check=False
        )
        return result.stdout

    def http_pod(self, name, example="pod.json"):
        pod = self.pod(name, example)
        pod_id, (container_id,) = self.node.run(pod, self.container("http", "container-http.json"))
        address = self.node.pod_status(pod_id)["network"]["ip"]
        return pod_id, container_id, address

    def test_pod_to_pod_and_node_to_pod(self):
        _, _, server = self.http_pod("server")
        _, client, other = self.http_pod("client")
        self.assertNotEqual(server, other)
        self.assertEqual(eventually(lambda: self.fetch(f"http://{server}:8080/"), what="the page"), "pod page\n")
        self.assertEqual(self.node.sh(client, f"timeout 3 wget -q -O - http://{server}:8080/"), "pod page\n")
        self.assertEqual(self.node.sh(client, f"timeout 3 wget -q -O - http://{other}:8080/"), "pod page\n")
        self.assertIn(other, self.node.sh(client, "ip -4 addr"))
        self.assertIn("LOOPBACK,UP", self.node.sh(client, "ip link show lo"))
        self.assertIn("default via", self.node.sh(client, "ip route"))

    def test_host_ports_on_every_address_of_the_node(self):
        pod_id, client, address = self.http_pod("hostport", "pod-host-port.json")
        gateway = self.node.sh(client, "ip route").split("default via ")[1].split()[0]
        self.assertEqual(eventually(lambda: self.fetch(f"http://{gateway}:18080/"), what="the page"), "pod page\n")
        self.assertEqual(self.fetch("http://127.0.0.1:18080/"), "pod page\n")
        # A pod reaches a host port too, even its own.
        self.assertEqual(self.node.sh(client, f"timeout 3 wget -q -O - http://{gateway}:18080/"), "pod page\n")
        self.node.crictl("stopp", pod_id)
        self.assertEqual(self.fetch("http://127.0.0.1:18080/"), "")

    def test_a_host_network_pod_sees_the_node(self):
        pod = self.pod("hostnet", "pod-host-network.json")
        options = {"namespace_options": {"network": 2}}
        pod_id, (container_id,) = self.node.run(pod, self.container(linux={"security_context": options}))
        self.assertEqual(
            self.node.sh(container_id, "readlink /proc/self/ns/net").strip(),
            os.readlink(f"/proc/{self.node.holder.pid}/ns/net"),
        )
        self.assertEqual(self.node.pod_status(pod_id)["network"]["ip"], "")

    def test_addresses_come_back(self):
        seen = set()
        for i in range(3):
            pod_id = self.node.runp(self.pod(f"again-{i}"))
            seen.add(self.node.pod_status(pod_id)["network"]["ip"])
            self.node.crictl("rmp", "-f", pod_id)
        self.assertEqual(harness.leaks.wait_clean(self.node, self.clean), "")

    def test_status_says_which_network_is_used(self):
        info = json.loads(self.node.crictl("info").stdout)
        network = [c for c in info["status"]["conditions"] if c["type"] == "NetworkReady"][0]
        self.assertTrue(network["status"])


class Builtin(Checks, harness.NodeTest):
    """Nothing in net.d: the bridge that comes with crispd."""

    def test_two_pods_cannot_have_the_same_host_port(self):
        self.http_pod("first", "pod-host-port.json")
        message = self.assertRpcFails(
            ("ALREADY_EXISTS", "FAILED_PRECONDITION", "RESOURCE_EXHAUSTED"), ["18080"], RUNTIME + "RunPodSandbox",
            {"config": self.pod("second", "pod-host-port.json")},
        )  # fmt: skip
        self.assertIn("18080", message)

    def test_masquerade_to_the_outside(self):
        # Another namespace as the world: it has no route back to the pod network.
        node = self.node
        run = node.in_netns
        run("ip", "link", "add", "world0", "type", "veth", "peer", "name", "world1")
        holder = None
        try:
            holder = harness.network_holder()
            run("ip", "link", "set", "world1", "netns", str(holder.pid))
            run("ip", "addr", "add", "198.51.100.1/24", "dev", "world0")
            run("ip", "link", "set", "world0", "up")
            world = ["nsenter", f"--net=/proc/{holder.pid}/ns/net"]
            for command in (
                "ip link set lo up",
                "ip addr add 198.51.100.2/24 dev world1",
                "ip link set world1 up",
            ):
                harness.run(*world, *command.split())
            os.makedirs(f"{node.base}/www", exist_ok=True)
            with open(f"{node.base}/www/index.html", "w", encoding="utf-8") as f:
                f.write("the world\n")
            server = harness.subprocess.Popen(
                [*world, tools.theirs("busybox"), "httpd", "-f", "-p", "198.51.100.2:80", "-h", f"{node.base}/www"]
            )
            try:
                _, client, _ = self.http_pod("traveller")
                out = eventually(
                    lambda: self.node.exec(
                        client, "sh", "-c", "timeout 3 wget -q -O - http://198.51.100.2/ || true"
                    ).stdout, what="the world",
                )  # fmt: skip
                self.assertEqual(out, "the world\n")
            finally:
                server.kill()
                server.wait()
        finally:
            run("ip", "link", "del", "world0", check=False)
            if holder:
                holder.kill()
                holder.wait()


class Cni(Checks, harness.NodeTest):
    """bridge, host-local and portmap of containernetworking-plugins."""

    @classmethod
    def make_node(cls):
        node = harness.Node()
        for plugin in ("bridge", "host-local", "portmap"):
            tools.theirs(plugin, "/opt/cni/bin", "/usr/lib/cni")
        tools.theirs("iptables")
        node.write_cni(node.bridge_conflist())
        eventually(lambda: cls.network_is(node, "testnet"), what="crispd to see the CNI configuration")
        return node

    @staticmethod
    def network_is(node, name):
        return name in node.crictl("info").stdout

    def test_the_plugins_address_is_the_pod_s(self):
        _, _, address = self.http_pod("addressed")
        self.assertTrue(address.startswith("10.99."), address)
        self.assertIn(address, os.listdir(f"{self.node.cni_data}/testnet"))

    def test_a_plugin_that_fails_is_named_and_nothing_stays(self):
        broken = self.node.bridge_conflist()
        broken["plugins"].append({"type": "no-such-plugin"})
        good = self.node.bridge_conflist()
        self.node.write_cni(broken)
        try:
            eventually(lambda: "no-such-plugin" in self.node.crictl("info").stdout, what="the new configuration")
            with self.assertRaises(harness.RpcError) as caught:
                self.node.call(RUNTIME + "RunPodSandbox", {"config": self.pod("broken")})
            self.assertIn("no-such-plugin", caught.exception.message)
            self.assertIn("no-such-plugin", self.node.crictl("info").stdout)
            self.assertEqual(self.node.pod_ids(), [])
        finally:
            self.node.write_cni(good)
        self.node.runp(self.pod("broken"))

    def test_a_pod_is_released_by_the_network_that_made_it(self):
        pod_id, _, address = self.http_pod("outlives")
        conf = f"{self.node.cni_conf}/10-test.conflist"
        os.rename(conf, conf + ".away")
        try:
            self.node.restart()
            self.node.crictl("rmp", "-f", pod_id)
            self.assertNotIn(address, os.listdir(f"{self.node.cni_data}/testnet"))
        finally:
            os.rename(conf + ".away", conf)
        eventually(lambda: self.network_is(self.node, "testnet"), what="the configuration to be back")


if __name__ == "__main__":
    unittest.main()
