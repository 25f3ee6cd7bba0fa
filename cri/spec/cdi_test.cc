#include "cri/spec/cdi.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class CdiTest : public testing::Test {
 protected:
  void SetUp() override {
    base_ = std::string(std::getenv("TEST_TMPDIR")) + "/cdi";
    std::filesystem::remove_all(base_);
    for (const char* name : {"etc", "run"}) {
      std::filesystem::create_directories(base_ + "/" + name);
    }
    spec_ = json::parse(R"({
      "process": {"env": ["PATH=/bin", "GPU=none"], "user": {"uid": 1000, "gid": 0}},
      "mounts": [{"destination": "/data/deep", "source": "/x", "type": "bind"}],
      "linux": {"resources": {"devices": [{"allow": false, "access": "rwm"}]}}})");
  }
  void Write(const std::string& name, const std::string& text) {
    ASSERT_OK(WriteFileAtomic(base_ + "/" + name, text, 0644));
  }
  absl::Status Inject(std::vector<std::string> names) {
    return InjectCdiDevices(names, {base_ + "/etc", base_ + "/absent", base_ + "/run"}, &spec_);
  }

  std::string base_;
  json spec_;
};

constexpr char kGpu[] = R"({
  "cdiVersion": "0.6.0", "kind": "vendor.example/gpu",
  "containerEdits": {"env": ["DRIVER=1"], "hooks": [
    {"hookName": "createContainer", "path": "/usr/bin/ldconfig", "args": ["ldconfig"]}]},
  "devices": [
    {"name": "0", "containerEdits": {
      "env": ["GPU=0"],
      "deviceNodes": [{"path": "/dev/gpu0", "hostPath": "/dev/null", "permissions": "rw"}],
      "mounts": [{"hostPath": "/etc/hostname", "containerPath": "/data",
                  "options": ["ro", "bind"]}],
      "additionalGids": [44]}},
    {"name": "1", "containerEdits": {"env": ["GPU1=yes"]}}]})";

TEST_F(CdiTest, ADeviceGetsAllOfItsEdits) {
  Write("etc/gpu.json", kGpu);
  ASSERT_OK(Inject({"vendor.example/gpu=0", "vendor.example/gpu=1"}));
  // The file's own edits once.
  EXPECT_THAT(spec_["process"]["env"], ElementsAre("PATH=/bin", "GPU=0", "DRIVER=1", "GPU1=yes"));
  EXPECT_EQ(spec_["hooks"]["createContainer"].size(), 1u);
  const json node = spec_["linux"]["devices"][0];
  EXPECT_EQ(node["path"], "/dev/gpu0");
  EXPECT_EQ(node["type"], "c");  // As the host's node is.
  EXPECT_EQ(node["major"], 1);
  EXPECT_EQ(node["minor"], 3);
  EXPECT_EQ(node["uid"], 1000u);  // The container's user.
  EXPECT_FALSE(node.contains("gid"));
  EXPECT_EQ(spec_["linux"]["resources"]["devices"][1]["access"], "rw");
  EXPECT_EQ(spec_["mounts"][0]["destination"], "/data");  // Before what is inside.
  EXPECT_EQ(spec_["mounts"][0]["options"], json({"ro", "bind"}));
  EXPECT_THAT(spec_["process"]["user"]["additionalGids"], ElementsAre(44));
}

TEST_F(CdiTest, YamlSaysTheSame) {
  Write("run/net.yaml",
        "cdiVersion: \"0.5.0\"\n"
        "kind: vendor.example/net\n"
        "devices:\n"
        "- name: \"7\"\n"
        "  containerEdits:\n"
        "    deviceNodes:\n"
        "    - {path: /dev/net7, type: c, major: 10, minor: 200, fileMode: 0660}\n"
        "    env: ['NET=7', \"PLAIN=true\"]\n");
  ASSERT_OK(Inject({"vendor.example/net=7"}));
  EXPECT_EQ(spec_["linux"]["devices"][0]["fileMode"], 0660);
  EXPECT_THAT(spec_["process"]["env"], testing::Contains("PLAIN=true"));
}

TEST_F(CdiTest, ALaterDirectoryWinsAndATwiceNamedDeviceIsNone) {
  Write("etc/gpu.json", kGpu);
  Write("run/gpu.json",
        R"({"cdiVersion": "0.6.0", "kind": "vendor.example/gpu", "devices": [
            {"name": "0", "containerEdits": {"env": ["GPU=run"]}}]})");
  ASSERT_OK(Inject({"vendor.example/gpu=0"}));
  EXPECT_THAT(spec_["process"]["env"], ElementsAre("PATH=/bin", "GPU=run"));

  Write("run/again.json",
        R"({"cdiVersion": "0.6.0", "kind": "vendor.example/gpu", "devices": [
            {"name": "0", "containerEdits": {}}]})");
  EXPECT_THAT(Inject({"vendor.example/gpu=0"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("in another file too")));
}

TEST_F(CdiTest, WhatCannotBeResolvedChangesNothing) {
  Write("etc/gpu.json", kGpu);
  Write("etc/broken.json", "{");
  Write("etc/new.json",
        R"({"cdiVersion": "1.1.0", "kind": "vendor.example/new", "devices": [
            {"name": "a", "containerEdits": {"netDevices": []}}]})");
  Write("etc/gone.json",
        R"({"cdiVersion": "0.6.0", "kind": "vendor.example/gone", "devices": [
            {"name": "a", "containerEdits": {"deviceNodes": [{"path": "/dev/no-such"}]}}]})");
  const json before = spec_;
  for (const auto& [name, words] : std::map<std::string, std::string>{
           {"vendor.example/gpu=9", "no spec file"},
           {"vendor.example/none=0", "broken.json: not JSON"},
           {"vendor.example/new=a", "containerEdits.netDevices: not supported"},
           {"vendor.example/gone=a", "stat /dev/no-such"},
           {"gpu0", "is not like"},
           {"vendor.example/gpu=", "is not like"},
           {"vendor.example/gpu=../0", "is not like"}}) {
    EXPECT_THAT(Inject({"vendor.example/gpu=0", name}),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(words)))
        << name;
    EXPECT_EQ(spec_, before) << name;
  }
}

TEST_F(CdiTest, AFileThatIsNoTextIsRefused) {
  // The last is an escape that yaml-cpp takes for one byte.
  for (const char* text : {"X=\xff", "\xff=X", "X=\\N"}) {
    Write("etc/gpu.yaml", absl::StrCat("cdiVersion: 0.6.0\nkind: vendor.example/gpu\ndevices:\n"
                                       "  - {name: a, containerEdits: {env: [\"",
                                       text, "\"]}}\n"));
    EXPECT_THAT(Inject({"vendor.example/gpu=a"}),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("gpu.yaml: not UTF-8")))
        << text;
  }
}

TEST_F(CdiTest, AFileThatNestsTooDeepIsRefused) {
  const std::string deep = std::string(500'000, '[') + std::string(500'000, ']');
  Write("etc/gpu.json", R"({"cdiVersion": "0.6.0", "kind": "vendor.example/gpu", "devices": [
      {"name": "a", "containerEdits": {"env": [)" +
                            deep + "]}}]}");
  EXPECT_THAT(Inject({"vendor.example/gpu=a"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("nested too deep")));
}

TEST_F(CdiTest, NamesComeFromTheFieldAndFromAnnotationsOnce) {
  runtime::v1::ContainerConfig config;
  config.add_cdi_devices()->set_name("v.example/c=b");
  (*config.mutable_annotations())["cdi.k8s.io/plugin"] = "v.example/c=a,v.example/c=b";
  (*config.mutable_annotations())["other"] = "v.example/c=z";
  EXPECT_THAT(CdiDeviceNames(config), ElementsAre("v.example/c=b", "v.example/c=a"));
}

}  // namespace
}  // namespace crisp::cri
