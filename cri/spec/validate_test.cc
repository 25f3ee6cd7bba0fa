#include "cri/spec/validate.h"

#include <functional>
#include <string>

#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

using runtime::v1::ContainerConfig;
using runtime::v1::NamespaceMode;
using runtime::v1::PodSandboxConfig;
using ::testing::StartsWith;

PodSandboxConfig Pod() {
  PodSandboxConfig pod;
  pod.mutable_metadata()->set_name("Web_0");
  pod.mutable_metadata()->set_namespace_("default");
  pod.mutable_metadata()->set_uid("0f3e-1");
  pod.set_log_directory("/var/log/pods/default_web_0/");
  return pod;
}

ContainerConfig Container() {
  ContainerConfig config;
  config.mutable_metadata()->set_name("main");
  config.mutable_image()->set_image("busybox");
  config.set_log_path("main/0.log");
  return config;
}

void PodRefused(const std::string& field, const std::function<void(PodSandboxConfig&)>& spoil) {
  PodSandboxConfig pod = Pod();
  spoil(pod);
  EXPECT_THAT(ValidatePodSandboxConfig(pod),
              StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("config." + field + ": ")))
      << pod.ShortDebugString();
}

void ContainerRefused(const std::string& field,
                      const std::function<void(ContainerConfig&)>& spoil) {
  ContainerConfig config = Container();
  spoil(config);
  EXPECT_THAT(ValidateContainerConfig(config, Pod()),
              StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("config." + field + ": ")))
      << config.ShortDebugString();
}

runtime::v1::NamespaceOption* Namespaces(PodSandboxConfig& pod) {
  return pod.mutable_linux()->mutable_security_context()->mutable_namespace_options();
}
runtime::v1::NamespaceOption* Namespaces(ContainerConfig& config) {
  return config.mutable_linux()->mutable_security_context()->mutable_namespace_options();
}

TEST(ValidatePodSandboxConfig, TakesAnOrdinaryPod) {
  PodSandboxConfig pod = Pod();
  pod.set_hostname("Web-0");
  auto* port = pod.add_port_mappings();
  port->set_container_port(80);
  port->set_host_port(8080);
  *pod.add_port_mappings() = *port;
  pod.mutable_port_mappings(1)->set_protocol(runtime::v1::UDP);
  pod.mutable_linux()->set_cgroup_parent("/kubepods/burstable/pod1");
  EXPECT_OK(ValidatePodSandboxConfig(pod));
}

TEST(ValidatePodSandboxConfig, NamesTheField) {
  PodRefused("metadata", [](auto& p) { p.clear_metadata(); });
  for (const std::string& bad :
       {std::string(), std::string("a/b"), std::string(".."), std::string("a;K8S_POD_UID=x"),
        std::string("a b"), std::string("a\nb"), std::string(254, 'a')}) {
    PodRefused("metadata.name", [&](auto& p) { p.mutable_metadata()->set_name(bad); });
    PodRefused("metadata.namespace", [&](auto& p) { p.mutable_metadata()->set_namespace_(bad); });
    PodRefused("metadata.uid", [&](auto& p) { p.mutable_metadata()->set_uid(bad); });
  }
  PodRefused("hostname", [](auto& p) { p.set_hostname("a\n1.2.3.4 b"); });
  PodRefused("hostname", [](auto& p) { p.set_hostname(std::string(65, 'a')); });
  PodRefused("log_directory", [](auto& p) { p.set_log_directory("logs"); });
  PodRefused("log_directory", [](auto& p) { p.set_log_directory("/var/../etc"); });
  PodRefused("dns_config.servers[0]",
             [](auto& p) { p.mutable_dns_config()->add_servers("10.0.0.1\nnameserver 6.6.6.6"); });
  PodRefused("dns_config.servers", [](auto& p) {
    for (int i = 0; i < 17; ++i) p.mutable_dns_config()->add_servers("10.0.0.1");
  });
  PodRefused("dns_config.searches[0]",
             [](auto& p) { p.mutable_dns_config()->add_searches("a b"); });
  PodRefused("dns_config.searches", [](auto& p) {
    for (int i = 0; i < 20; ++i) p.mutable_dns_config()->add_searches(std::string(200, 'a'));
  });
  PodRefused("dns_config.options[0]", [](auto& p) { p.mutable_dns_config()->add_options(""); });
  PodRefused("port_mappings[0].container_port", [](auto& p) { p.add_port_mappings(); });
  PodRefused("port_mappings[0].host_port", [](auto& p) {
    p.add_port_mappings()->set_container_port(80);
    p.mutable_port_mappings(0)->set_host_port(65536);
  });
  PodRefused("port_mappings[0].host_ip", [](auto& p) {
    p.add_port_mappings()->set_container_port(80);
    p.mutable_port_mappings(0)->set_host_ip("localhost");
  });
  PodRefused("port_mappings[1].host_port", [](auto& p) {
    p.add_port_mappings()->set_container_port(80);
    p.mutable_port_mappings(0)->set_host_port(8080);
    *p.add_port_mappings() = p.port_mappings(0);
  });
  PodRefused("linux.cgroup_parent",
             [](auto& p) { p.mutable_linux()->set_cgroup_parent("/a/../b"); });
  PodRefused("linux.security_context.run_as_group", [](auto& p) {
    p.mutable_linux()->mutable_security_context()->mutable_run_as_group()->set_value(5);
  });
  PodRefused("labels", [](auto& p) { (*p.mutable_labels())[""] = "x"; });
  PodRefused("annotations",
             [](auto& p) { (*p.mutable_annotations())["a"] = std::string((1 << 20) + 1, 'x'); });
}

TEST(ValidatePodSandboxConfig, NamespaceModes) {
  const std::string field = "linux.security_context.namespace_options.";
  PodRefused(field + "network", [](auto& p) { Namespaces(p)->set_network(NamespaceMode::TARGET); });
  PodRefused(field + "network",
             [](auto& p) { Namespaces(p)->set_network(NamespaceMode::CONTAINER); });
  PodRefused(field + "ipc", [](auto& p) { Namespaces(p)->set_ipc(NamespaceMode::TARGET); });
  PodRefused(field + "ipc", [](auto& p) { Namespaces(p)->set_ipc(NamespaceMode::CONTAINER); });
  PodRefused(field + "pid", [](auto& p) { Namespaces(p)->set_pid(NamespaceMode::TARGET); });
  PodRefused(field + "pid", [](auto& p) { Namespaces(p)->set_pid(static_cast<NamespaceMode>(9)); });
  PodRefused(field + "userns_options.uids", [](auto& p) {
    Namespaces(p)->mutable_userns_options()->set_mode(NamespaceMode::POD);
  });
  PodSandboxConfig pod = Pod();
  Namespaces(pod)->mutable_userns_options()->set_mode(NamespaceMode::NODE);
  Namespaces(pod)->set_pid(NamespaceMode::CONTAINER);
  EXPECT_OK(ValidatePodSandboxConfig(pod));
}

TEST(ValidateContainerConfig, NamesTheField) {
  EXPECT_OK(ValidateContainerConfig(Container(), Pod()));
  ContainerRefused("metadata", [](auto& c) { c.clear_metadata(); });
  ContainerRefused("metadata.name", [](auto& c) { c.mutable_metadata()->set_name("../x"); });
  ContainerRefused("image.image", [](auto& c) { c.clear_image(); });
  for (const char* bad : {"/abs.log", "../x.log", "a/../x.log", "a//b", "./a", "a/", "a\nb"}) {
    ContainerRefused("log_path", [&](auto& c) { c.set_log_path(bad); });
  }
  ContainerRefused("command[1]", [](auto& c) {
    c.add_command("sh");
    c.add_command(std::string("a\0b", 3));
  });
  ContainerRefused("working_dir", [](auto& c) { c.set_working_dir("work"); });
  ContainerRefused("working_dir", [](auto& c) { c.set_working_dir("/proc/self/fd/7"); });
  ContainerRefused("working_dir", [](auto& c) { c.set_working_dir("/proc//1/./cwd"); });
  ContainerRefused("envs[0].key", [](auto& c) { c.add_envs()->set_value("x"); });
  ContainerRefused("envs[0].key", [](auto& c) { c.add_envs()->set_key("A=B"); });
  ContainerRefused("envs[0].value", [](auto& c) {
    c.add_envs()->set_key("A");
    c.mutable_envs(0)->set_value("\xff");
  });
  ContainerRefused("mounts[0].container_path", [](auto& c) {
    c.add_mounts()->set_host_path("/etc");
    c.mutable_mounts(0)->set_container_path("/a/../../b");
  });
  ContainerRefused("mounts[0].host_path",
                   [](auto& c) { c.add_mounts()->set_container_path("/a"); });
  ContainerRefused("linux.security_context.privileged", [](auto& c) {
    c.mutable_linux()->mutable_security_context()->set_privileged(true);
  });
  ContainerRefused("linux.security_context.namespace_options.target_id",
                   [](auto& c) { Namespaces(c)->set_pid(NamespaceMode::TARGET); });
}

}  // namespace
}  // namespace crisp::cri
