#include "volumes/downward_item.h"

#include <string>

#include "base/status_matchers.h"

namespace crisp::volumes {
namespace {

PodIdentity Pod() {
  PodIdentity pod;
  pod.name = "web-0";
  pod.ns = "shop";
  pod.uid = "u-1";
  pod.node_name = "node1";
  pod.labels = {{"b", "2"}, {"a", "one \"two\"\n\ttab\x01"}};
  return pod;
}

std::string Field(const std::string& field, const std::string& key = "") {
  DownwardItem item;
  item.field = field;
  item.field_key = key;
  return DownwardValue(item, Pod(), {});
}

TEST(DownwardItemTest, Fields) {
  EXPECT_EQ(Field("metadata.name"), "web-0");
  EXPECT_EQ(Field("metadata.namespace"), "shop");
  EXPECT_EQ(Field("metadata.uid"), "u-1");
  EXPECT_EQ(Field("spec.nodeName"), "node1");
  EXPECT_EQ(Field("metadata.labels", "b"), "2");
  EXPECT_EQ(Field("metadata.labels", "none"), "");
  EXPECT_EQ(Field("metadata.labels"), "a=\"one \\\"two\\\"\\n\\ttab\\x01\"\nb=\"2\"");
  EXPECT_EQ(Field("metadata.annotations"), "");
  EXPECT_EQ(Field("status.podIP"), "");
}

TEST(DownwardItemTest, Addresses) {
  PodIdentity pod = Pod();
  pod.ips = {"10.0.0.1", "fd00::1"};
  DownwardItem item;
  item.field = "status.podIP";
  EXPECT_EQ(DownwardValue(item, pod, {}), "10.0.0.1");
  item.field = "status.podIPs";
  EXPECT_EQ(DownwardValue(item, pod, {}), "10.0.0.1,fd00::1");
}

TEST(DownwardItemTest, ResourcesAreRoundedUp) {
  ContainerResourceValues values;
  values.cpu_limit_milli = 1500;
  values.memory_limit_bytes = (64 << 20) + 1;
  const auto value = [&](const std::string& resource, int64_t divisor) {
    DownwardItem item;
    item.resource = ResourceRef{"c", resource, divisor};
    return DownwardValue(item, Pod(), {{"c", values}});
  };
  EXPECT_EQ(value("limits.cpu", 1000), "2");
  EXPECT_EQ(value("limits.cpu", 1), "1500");
  EXPECT_EQ(value("limits.memory", 1 << 20), "65");
  EXPECT_EQ(value("requests.cpu", 1), "0");
  values.memory_limit_bytes.reset();
  EXPECT_NE(value("limits.memory", 1), "0");  // The node's own.
  DownwardItem other;
  other.resource = ResourceRef{"unknown", "limits.cpu", 1};
  EXPECT_EQ(DownwardValue(other, Pod(), {{"c", values}}), "");
}

}  // namespace
}  // namespace crisp::volumes
