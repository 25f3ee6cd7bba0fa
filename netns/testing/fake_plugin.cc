#include "netns/testing/fake_plugin.h"

#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/safe_path.h"

namespace crisp::netns {
namespace {

using nlohmann::json;

// Each call leaves <n>.env and <n>.in behind.
constexpr char kScript[] = R"(#!/bin/sh
if [ "$CNI_COMMAND" = VERSION ]; then cat "$STATE/versions"; exit 0; fi
n=$(ls "$STATE" | grep -c '\.env$')
n=$(printf %04d "$n")
cat > "$STATE/$n.in"
env > "$STATE/$n.env"
if [ -f "$STATE/$CNI_COMMAND.sh" ]; then . "$STATE/$CNI_COMMAND.sh"; fi
)";

void Must(const absl::Status& status) {
  if (!status.ok()) std::abort();
}

}  // namespace

std::string FakePlugin::Call::Env(const std::string& key) const {
  for (const std::string& line : environment) {
    if (absl::StartsWith(line, absl::StrCat(key, "="))) return line.substr(key.size() + 1);
  }
  return "";
}

FakePlugin::FakePlugin(const std::string& bin_dir, const std::string& name,
                       const std::vector<std::string>& versions)
    : state_(absl::StrCat(bin_dir, "/.", name)) {
  Must(MakeDirs(state_, 0755));
  const json supported = {{"cniVersion", "1.0.0"}, {"supportedVersions", versions}};
  Must(WriteFileAtomic(state_ + "/versions", supported.dump(), 0644));
  const std::string script = absl::StrReplaceAll(kScript, {{"$STATE", state_}});
  Must(WriteFileAtomic(JoinPath(bin_dir, name), script, 0755));
}

void FakePlugin::On(const std::string& command, const std::string& fragment) {
  Must(WriteFileAtomic(absl::StrCat(state_, "/", command, ".sh"), fragment + "\n", 0644));
}

void FakePlugin::Print(const std::string& command, const std::string& text, int exit_code) {
  const std::string file = absl::StrCat(state_, "/", command, ".out");
  Must(WriteFileAtomic(file, text, 0644));
  On(command, absl::StrCat("cat '", file, "'; exit ", exit_code));
}

std::vector<FakePlugin::Call> FakePlugin::Calls() const {
  std::vector<Call> calls;
  for (int i = 0;; ++i) {
    const std::string stem = absl::StrCat(state_, "/", absl::Dec(i, absl::kZeroPad4));
    const auto environment = ReadFile(stem + ".env");
    const auto input = ReadFile(stem + ".in");
    if (!environment.ok() || !input.ok()) return calls;
    Call call;
    call.environment = absl::StrSplit(*environment, '\n', absl::SkipEmpty());
    call.command = call.Env("CNI_COMMAND");
    call.config = json::parse(*input, nullptr, false);
    calls.push_back(std::move(call));
  }
}

std::string FakePlugin::Commands() const {
  std::vector<std::string> commands;
  for (const Call& call : Calls()) commands.push_back(call.command);
  return absl::StrJoin(commands, " ");
}

std::string ResultWith(const std::string& netns_path, const std::string& cidr) {
  const json result = {
      {"cniVersion", "1.0.0"},
      {"interfaces", json::array({json{{"name", "eth0"}, {"sandbox", netns_path}}})},
      {"ips", json::array({json{{"address", cidr}, {"interface", 0}}})}};
  return result.dump();
}

std::string FreshDir(const std::string& name) {
  const char* base = std::getenv("TEST_TMPDIR");
  std::string pattern = absl::StrCat(base != nullptr ? base : "/tmp", "/", name, ".XXXXXX");
  if (::mkdtemp(pattern.data()) == nullptr) std::abort();
  return pattern;
}

}  // namespace crisp::netns
