#include "shim/launch/spec_reader.h"

#include <sched.h>
#include <sys/resource.h>

#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"

namespace crisp::shim {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

Json Minimal() {
  return {{"ociVersion", "1.0.2"},
          {"process", {{"args", {"sh"}}, {"cwd", "/"}}},
          {"root", {{"path", "rootfs"}}},
          {"linux", {{"namespaces", {{{"type", "mount"}}}}}}};
}

absl::Status Read(const Json& spec) { return ParseSpec(spec.dump()).status(); }

void Refuses(const Json& spec, const std::string& message) {
  EXPECT_THAT(Read(spec), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(message))) << spec;
}

// `value` at the JSON pointer `where`.
Json With(const std::string& where, Json value) {
  Json spec = Minimal();
  spec[Json::json_pointer(where)] = std::move(value);
  return spec;
}

TEST(ParseSpec, TheSmallestOne) {
  EXPECT_OK(Read(Minimal()));
  EXPECT_OK(Read(With("/process/user", {{"uid", 0}, {"umask", nullptr}})));
}

TEST(ParseSpec, StrangersAreNamedWhereverTheyAre) {
  Refuses(With("/strange", 1), "strange: is not supported");
  Refuses(With("/process/strange", 1), "process.strange");
  Refuses(With("/process/user", {{"uid", 0}, {"name", "root"}}), "process.user.name");
  Refuses(With("/process/capabilities", {{"extra", Json::array()}}), "process.capabilities.extra");
  Refuses(With("/process/rlimits", {{{"type", "RLIMIT_CORE"}, {"max", 1}}}),
          "process.rlimits[0].max");
  Refuses(With("/root/type", "overlay"), "root.type");
  Refuses(With("/mounts", {{{"destination", "/x"}, {"type", "tmpfs"}, {"fstype", "x"}}}),
          "mounts[0].fstype");
  Refuses(With("/hooks", {{"poststopped", Json::array()}}), "hooks.poststopped");
  Refuses(With("/linux/strange", 1), "linux.strange");
  Refuses(With("/linux/namespaces/0/kind", 1), "linux.namespaces[0].kind");
  Refuses(With("/linux/devices", {{{"path", "/dev/x"}, {"type", "c"}, {"label", 1}}}),
          "linux.devices[0].label");
  Refuses(With("/linux/resources", {{"strange", 1}}), "linux.resources");
  Refuses(With("/linux/personality", {{"domain", "LINUX"}, {"extra", 1}}),
          "linux.personality.extra");
  Refuses(With("/linux/timeOffsets", {{"realtime", {{"secs", 1}}}}), "linux.timeOffsets.realtime");
}

TEST(ParseSpec, WhatIsNotCarriedOutIsRefusedByName) {
  Refuses(With("/linux/intelRdt", {{"closID", "x"}}), "linux.intelRdt: is not supported");
  Refuses(With("/linux/memoryPolicy", {{"mode", "MPOL_BIND"}}), "linux.memoryPolicy");
  Refuses(With("/linux/netDevices", {{"eth0", Json::object()}}), "linux.netDevices");
  Refuses(With("/linux/personality", {{"domain", "LINUX"}, {"flags", {"ADDR_NO_RANDOMIZE"}}}),
          "linux.personality.flags");
  Refuses(With("/process/commandLine", "x"), "process.commandLine");
  Refuses(With("/process/user", {{"username", "x"}}), "process.user.username");
  for (const char* other : {"solaris", "windows", "vm", "zos", "freebsd"}) {
    Refuses(With(absl::StrCat("/", other), {{"a", 1}}), other);
    // Empty is as good as absent.
    EXPECT_OK(Read(With(absl::StrCat("/", other), Json::object())));
  }
}

TEST(ParseSpec, ValuesAreJudged) {
  Refuses(With("/process/args", Json::array()), "process.args");
  Refuses(With("/process/args", {"sh", 1}), "process.args[1]");
  Refuses(With("/process/args", {std::string("s\0h", 3)}), "NUL");
  Refuses(With("/process/cwd", "tmp"), "process.cwd");
  Refuses(With("/process/env", {"NOVALUE"}), "process.env");
  Refuses(With("/process/oomScoreAdj", 1001), "process.oomScoreAdj");
  Refuses(With("/process/user", {{"uid", -1}}), "process.user.uid");
  Refuses(With("/process/user", {{"uid", "0"}}), "process.user.uid");
  Refuses(With("/process/user", {{"additionalGids", {1, -1}}}), "additionalGids[1]");
  Refuses(With("/process/capabilities", {{"bounding", {"CAP_EVERYTHING"}}}), "bounding[0]");
  Refuses(With("/process/capabilities", {{"bounding", {"chown"}}}), "bounding[0]");
  Refuses(With("/process/rlimits", {{{"type", "RLIMIT_MOOD"}, {"soft", 1}, {"hard", 1}}}),
          "rlimits[0].type");
  Refuses(With("/process/rlimits", {{{"type", "RLIMIT_CORE"}, {"soft", 2}, {"hard", 1}}}),
          "rlimits[0].soft");
  Refuses(With("/process/ioPriority", {{"class", "IOPRIO_CLASS_BE"}, {"priority", 8}}),
          "ioPriority.priority");
  Refuses(With("/process/scheduler", {{"policy", "SCHED_MAGIC"}}), "scheduler.policy");
  Refuses(With("/ociVersion", "2.0"), "ociVersion");
  Refuses(With("/hostname", "h"), "hostname: without a UTS namespace");
  Refuses(With("/linux/namespaces", {{{"type", "pid"}}}), "mount namespace");
  Refuses(With("/linux/namespaces", {{{"type", "mount"}}, {{"type", "mount"}}}),
          "namespaces[1].type");
  Refuses(With("/linux/namespaces", {{{"type", "mount"}}, {{"type", "pid"}, {"path", "proc/1"}}}),
          "namespaces[1].path");
  Refuses(With("/linux/namespaces", {{{"type", "mount"}}, {{"type", "user"}}}),
          "linux.uidMappings");
  Refuses(With("/linux/uidMappings", {{{"containerID", 0}, {"hostID", 0}, {"size", 1}}}),
          "gidMappings");
  Refuses(With("/linux/rootfsPropagation", "sideways"), "rootfsPropagation");
  Refuses(With("/linux/maskedPaths", {"proc/kcore"}), "maskedPaths");
  Refuses(With("/hooks", {{"prestart", {{{"path", "relative"}}}}}), "hooks.prestart[0].path");
  Refuses(With("/hooks", {{"prestart", {{{"path", "/x"}, {"timeout", 0}}}}}),
          "hooks.prestart[0].timeout");
  Refuses(With("/linux/devices", {{{"path", "/dev/x"}, {"type", "d"}}}), "linux.devices[0].type");
}

TEST(ParseSpec, ValuesAreRead) {
  Json json = Minimal();
  json["process"]["rlimits"] = {
      {{"type", "RLIMIT_NOFILE"}, {"soft", 1}, {"hard", 18446744073709551615u}}};
  json["process"]["capabilities"] = {{"bounding", {"CAP_CHOWN", "CAP_CHECKPOINT_RESTORE"}}};
  json["process"]["ioPriority"] = {{"class", "IOPRIO_CLASS_IDLE"}, {"priority", 3}};
  json["process"]["user"] = {{"uid", 4294967295u}, {"gid", 0}, {"umask", 63}};
  json["annotations"] = {{"any", "thing"}};
  json["linux"]["seccomp"] = {{"defaultAction", "SCMP_ACT_ALLOW"}};
  ASSERT_OK_AND_ASSIGN(const Spec spec, ParseSpec(json.dump()));
  EXPECT_EQ(spec.process.rlimits[0].resource, RLIMIT_NOFILE);
  EXPECT_EQ(spec.process.rlimits[0].hard, RLIM_INFINITY);
  EXPECT_EQ(spec.process.capabilities.bounding, uint64_t{1} | uint64_t{1} << 40);
  EXPECT_EQ(spec.process.io_priority, 3 << 13 | 3);
  EXPECT_EQ(spec.process.user.uid, 4294967295u);
  EXPECT_EQ(spec.process.user.umask, 63u);
  EXPECT_EQ(spec.seccomp["defaultAction"], "SCMP_ACT_ALLOW");
  EXPECT_TRUE(spec.MakesNamespace(CLONE_NEWNS));
}

TEST(ParseSpec, TextThatIsNoSpec) {
  for (const char* text : {"", "{", "[]", "null", "1", "\"x\"", "{} {}"}) {
    EXPECT_THAT(ParseSpec(text).status(), StatusIs(absl::StatusCode::kInvalidArgument)) << text;
  }
  EXPECT_THAT(ParseSpec(std::string(1 << 20, '[')).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("nests too deep")));
  EXPECT_THAT(ParseSpec(std::string((16 << 20) + 1, ' ')).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("larger")));
}

TEST(ParseProcess, IsTheSameReader) {
  EXPECT_OK(ParseProcess(R"({"args":["sh"],"cwd":"/","terminal":true})"));
  EXPECT_THAT(ParseProcess(R"({"args":["sh"],"cwd":"/","colour":1})").status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("process.colour")));
}

}  // namespace
}  // namespace crisp::shim
