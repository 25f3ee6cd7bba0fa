#include "volumes/volume_source.h"

#include <string>

#include "base/status_matchers.h"

namespace crisp::volumes {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

TEST(VolumeSourceTest, NoneIsNone) {
  EXPECT_THAT(*ParseVolumes(""), SizeIs(0));
  EXPECT_THAT(*ParseVolumes("null"), SizeIs(0));
  EXPECT_THAT(*ParseVolumes("[]"), SizeIs(0));
}

TEST(VolumeSourceTest, ConfigMap) {
  ASSERT_OK_AND_ASSIGN(auto volumes, ParseVolumes(R"([{"name": "conf", "configMap": {
      "name": "web", "defaultMode": 256, "optional": true,
      "items": [{"key": "server.xml", "path": "a//b.xml", "mode": 511}, {"key": "k", "path": "k"}]
  }}])"));
  ASSERT_THAT(volumes, SizeIs(1));
  EXPECT_EQ(volumes[0].kind, "configMap");
  const ProjectedSource* source = volumes[0].projected();
  ASSERT_NE(source, nullptr);
  EXPECT_EQ(source->default_mode, 0400u);
  const auto& object = std::get<ObjectProjection>(source->projections.at(0));
  EXPECT_EQ(object.kind, ObjectKind::kConfigMap);
  EXPECT_EQ(object.name, "web");
  EXPECT_TRUE(object.optional);
  ASSERT_THAT(object.items, SizeIs(2));
  EXPECT_EQ(object.items[0].path, "a/b.xml");
  EXPECT_EQ(object.items[0].mode, absl::optional<mode_t>(0777));
  EXPECT_FALSE(object.items[1].mode.has_value());
}

TEST(VolumeSourceTest, OtherKinds) {
  ASSERT_OK_AND_ASSIGN(auto volumes, ParseVolumes(R"([
    {"name": "s", "secret": {"secretName": "tls"}},
    {"name": "e", "emptyDir": {}},
    {"name": "m", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
    {"name": "n", "emptyDir": {"sizeLimit": 1000}},
    {"name": "h", "hostPath": {"path": "/var//log/", "type": "DirectoryOrCreate"}},
    {"name": "d", "downwardAPI": {"items": [
      {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
      {"path": "app", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.labels['app']"}},
      {"path": "cpu", "mode": 256, "resourceFieldRef": {"containerName": "c", "resource": "limits.cpu", "divisor": "1m"}}]}},
    {"name": "p", "projected": {"defaultMode": 288, "sources": [
      {"configMap": {"name": "a"}}, {"secret": {"name": "b", "optional": true}},
      {"downwardAPI": {"items": []}}]}},
    {"name": "none"}
  ])"));
  ASSERT_THAT(volumes, SizeIs(8));
  EXPECT_EQ(std::get<ObjectProjection>(volumes[0].projected()->projections[0]).name, "tls");
  EXPECT_FALSE(volumes[1].empty_dir()->memory);
  EXPECT_TRUE(volumes[2].empty_dir()->memory);
  EXPECT_EQ(volumes[2].empty_dir()->size_limit, 64 << 20);
  EXPECT_EQ(volumes[3].empty_dir()->size_limit, 1000);
  EXPECT_EQ(volumes[4].host_path()->path, "/var/log");
  EXPECT_EQ(volumes[4].host_path()->type, HostPathType::kDirectoryOrCreate);
  const auto& items = std::get<DownwardProjection>(volumes[5].projected()->projections[0]).items;
  EXPECT_EQ(items[1].field, "metadata.labels");
  EXPECT_EQ(items[1].field_key, "app");
  EXPECT_EQ(items[2].resource->divisor, 1);
  EXPECT_THAT(volumes[6].projected()->projections, SizeIs(3));
  EXPECT_EQ(volumes[7].kind, "emptyDir");
}

TEST(VolumeSourceTest, EveryRefusalNamesTheField) {
  const struct {
    const char* json;
    const char* message;
  } kCases[] = {
      {"{", "is not JSON"},
      {"{}", "must be a JSON array"},
      {"[1]", "volumes[0]: must be an object"},
      {"[{}]", "volumes[0].name: is required"},
      {R"([{"name": "A"}])", "volumes[0].name: 'A' is not a DNS label"},
      {R"([{"name": "../x"}])", "volumes[0].name: "},
      {R"([{"name": "a"}, {"name": "a"}])", "volumes[1].name: 'a' is used twice"},
      {R"([{"name": "a", "name": "b"}])", "field 'name' twice"},
      {R"([{"name": "a", "nfs": {"server": "x"}}])", "volumes[0].nfs: "},
      {R"([{"name": "a", "image": {}}])", "volumes[0].image.reference"},
      {R"([{"name": "a", "image": {"reference": "x", "pullPolicy": "Sometimes"}}])",
       "volumes[0].image.pullPolicy"},
      {R"([{"name": "a", "emptyDir": {}, "secret": {"secretName": "s"}}])", "only one kind"},
      {R"([{"name": "a", "configMap": {}}])", "volumes[0].configMap.name: is required"},
      {R"([{"name": "a", "configMap": {"name": "../x"}}])", ".configMap.name: "},
      {R"([{"name": "a", "configMap": {"nmae": "x", "name": "y"}}])",
       "volumes[0].configMap.nmae: unknown field"},
      {R"([{"name": "a", "configMap": {"name": "x", "defaultMode": 512}}])",
       ".configMap.defaultMode: 512"},
      {R"([{"name": "a", "configMap": {"name": "x", "defaultMode": -1}}])", "defaultMode: -1"},
      {R"([{"name": "a", "configMap": {"name": "x", "defaultMode": "0644"}}])",
       "defaultMode: must be an integer"},
      {R"([{"name": "a", "configMap": {"name": "x", "defaultMode": 18446744073709551615}}])",
       "defaultMode: must be an integer"},
      {R"([{"name": "a", "configMap": {"name": "x", "items": [{"key": "k", "path": "../x"}]}}])",
       ".configMap.items[0].path: path '../x' contains '..'"},
      {R"([{"name": "a", "configMap": {"name": "x", "items": [{"key": "k", "path": "/x"}]}}])",
       ".items[0].path: "},
      {R"([{"name": "a", "configMap": {"name": "x", "items": [{"key": "k", "path": "..data"}]}}])",
       "reserved"},
      {R"([{"name": "a", "configMap": {"name": "x", "items": [{"key": "a/b", "path": "x"}]}}])",
       ".items[0].key: "},
      {R"([{"name": "a", "configMap": {"name": "x", "items": [
          {"key": "k", "path": "x"}, {"key": "l", "path": "./x"}]}}])",
       ".items[1].path: 'x' is used twice"},
      {R"([{"name": "a", "configMap": {"name": "x", "items": [{"key": "k", "path": "x",
          "mode": 1000}]}}])",
       ".items[0].mode: "},
      {R"([{"name": "a", "configMap": {"name": "x", "optional": "yes"}}])",
       ".optional: must be true or false"},
      {R"([{"name": "a", "secret": {"name": "x"}}])", ".secret.secretName: is required"},
      {R"([{"name": "a", "emptyDir": {"medium": "HugePages"}}])", ".emptyDir.medium: "},
      {R"([{"name": "a", "emptyDir": {"sizeLimit": "lots"}}])", ".emptyDir.sizeLimit: "},
      {R"([{"name": "a", "hostPath": {"path": "var"}}])", ".hostPath.path: must be absolute"},
      {R"([{"name": "a", "hostPath": {"path": "/a/../b"}}])", ".hostPath.path: contains '..'"},
      {R"([{"name": "a", "hostPath": {"path": "/a", "type": "directory"}}])", ".hostPath.type: "},
      {R"([{"name": "a", "downwardAPI": {"items": [{"path": "p"}]}}])",
       ".items[0]: must have either"},
      {R"([{"name": "a", "downwardAPI": {"items": [{"path": "p",
          "fieldRef": {"fieldPath": "spec.containers"}}]}}])",
       ".items[0].fieldRef.fieldPath: 'spec.containers'"},
      {R"([{"name": "a", "downwardAPI": {"items": [{"path": "p",
          "fieldRef": {"fieldPath": "metadata.name['x']"}}]}}])",
       ".fieldPath: "},
      {R"([{"name": "a", "downwardAPI": {"items": [{"path": "p",
          "resourceFieldRef": {"containerName": "c", "resource": "limits.gpu"}}]}}])",
       ".resourceFieldRef.resource: "},
      {R"([{"name": "a", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}])",
       ".projected.sources[0].serviceAccountToken: not supported"},
      {R"([{"name": "a", "projected": {"sources": [{}]}}])",
       ".projected.sources[0]: names no source"},
      {R"([{"name": "a", "projected": {"sources": [{"secret": {"name": "s"},
          "configMap": {"name": "c"}}]}}])",
       "only one kind"},
  };
  for (const auto& test : kCases) {
    EXPECT_THAT(ParseVolumes(test.json), StatusIs(absl::StatusCode::kInvalidArgument,
                                                  ::testing::AllOf(StartsWith("io.crisp.volumes: "),
                                                                   HasSubstr(test.message))))
        << test.json;
  }
}

TEST(VolumeSourceTest, BoundsWhatItReads) {
  EXPECT_THAT(ParseVolumes(std::string(300 << 10, ' ')),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("more than")));
  EXPECT_THAT(ParseVolumes(std::string(100000, '[') + std::string(100000, ']')),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("too deeply")));
}

}  // namespace
}  // namespace crisp::volumes
