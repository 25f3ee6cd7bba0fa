#include "cgroup/device_policy.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"

namespace crisp::cgroup {
namespace {

using Device = DevicePolicy::Device;

std::string Ordered(absl::string_view letters, absl::string_view without = "") {
  std::string out;
  for (const char letter : absl::string_view("rwm")) {
    if (absl::StrContains(letters, letter) && !absl::StrContains(without, letter)) out += letter;
  }
  return out;
}

bool Covers(int64_t wide, int64_t narrow) { return wide == DevicePolicy::kAll || wide == narrow; }

// Whether `wide` means `narrow` too, and more.
bool IsPartOf(const Device& narrow, const Device& wide) {
  const auto& [type, major, minor] = narrow;
  const auto& [wide_type, wide_major, wide_minor] = wide;
  return narrow != wide && type == wide_type && Covers(wide_major, major) &&
         Covers(wide_minor, minor);
}

std::string NumberText(int64_t number) {
  return number == DevicePolicy::kAll ? "*" : absl::StrCat(number);
}

std::string Line(const Device& device, const std::string& access) {
  const auto& [type, major, minor] = device;
  return absl::StrCat(std::string(1, type), " ", NumberText(major), ":", NumberText(minor), " ",
                      access);
}

// What used to be an exception is no longer one.
absl::Status Drop(const Device& device, const std::string& access, DevicePolicy* policy) {
  for (auto it = policy->exceptions.begin(); it != policy->exceptions.end();) {
    // A rule as wide or wider takes the narrower exceptions with it.
    if (it->first == device || IsPartOf(it->first, device)) {
      it->second = Ordered(it->second, access);
      it = it->second.empty() ? policy->exceptions.erase(it) : std::next(it);
      continue;
    }
    if (IsPartOf(device, it->first) && it->second != Ordered(it->second, access)) {
      return absl::InvalidArgumentError(
          absl::StrCat("devices: \"", Line(device, access), "\" takes a part out of \"",
                       Line(it->first, it->second), "\", which the kernel cannot"));
    }
    ++it;
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> ParseNumber(absl::string_view text) {
  if (text == "*") return DevicePolicy::kAll;
  int64_t number;
  if (!absl::SimpleAtoi(text, &number) || number < 0) {
    return absl::InternalError(absl::StrCat("devices.list has the number \"", text, "\""));
  }
  return number;
}

}  // namespace

absl::StatusOr<DevicePolicy> PolicyOf(const std::vector<DeviceRule>& rules) {
  DevicePolicy policy;
  for (const DeviceRule& rule : rules) {
    if (rule.type == 'a') {
      policy = {.allow_others = rule.allow};
      continue;
    }
    const Device device{rule.type, rule.major.value_or(DevicePolicy::kAll),
                        rule.minor.value_or(DevicePolicy::kAll)};
    const std::string access = Ordered(rule.access);
    if (rule.allow == policy.allow_others) {
      CRISP_RETURN_IF_ERROR(Drop(device, access, &policy));
    } else {
      std::string& have = policy.exceptions[device];
      have = Ordered(absl::StrCat(have, access));
    }
  }
  return policy;
}

absl::StatusOr<DevicePolicy> ParseDevicesList(absl::string_view text) {
  DevicePolicy policy{.allow_others = false};
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, absl::ByAnyChar(" :"));
    if (words.size() != 4 || words[0].size() != 1) {
      return absl::InternalError(absl::StrCat("devices.list has the line \"", line, "\""));
    }
    if (words[0] == "a") return DevicePolicy{};
    CRISP_ASSIGN_OR_RETURN(const int64_t major, ParseNumber(words[1]));
    CRISP_ASSIGN_OR_RETURN(const int64_t minor, ParseNumber(words[2]));
    policy.exceptions[{words[0][0], major, minor}] = Ordered(words[3]);
  }
  return policy;
}

std::vector<DeviceWrite> WritesBetween(const DevicePolicy& now, const DevicePolicy& target) {
  std::vector<DeviceWrite> writes;
  const bool exception = !target.allow_others;  // What an exception's line grants.
  if (now.allow_others || target.allow_others) {
    // Exceptions from "all" cannot be read back, so they are written anew.
    writes.push_back({target.allow_others, "a"});
    for (const auto& [device, access] : target.exceptions) {
      writes.push_back({exception, Line(device, access)});
    }
    return writes;
  }
  for (const auto& [device, access] : target.exceptions) {
    const auto have = now.exceptions.find(device);
    const std::string more = have == now.exceptions.end() ? access : Ordered(access, have->second);
    if (!more.empty()) writes.push_back({true, Line(device, more)});
  }
  for (const auto& [device, access] : now.exceptions) {
    const auto want = target.exceptions.find(device);
    const std::string less =
        want == target.exceptions.end() ? access : Ordered(access, want->second);
    if (!less.empty()) writes.push_back({false, Line(device, less)});
  }
  return writes;
}

std::vector<DeviceRule> WithDefaultDevices(std::vector<DeviceRule> rules) {
  const auto policy = PolicyOf(rules);
  // Rules that make no policy are an error of who applies them.
  if (rules.empty() || !policy.ok() || policy->allow_others) return rules;
  const auto allow = [&rules](char type, std::optional<int64_t> major, std::optional<int64_t> minor,
                              const char* access) {
    rules.push_back(
        {.allow = true, .type = type, .major = major, .minor = minor, .access = access});
  };
  allow('c', std::nullopt, std::nullopt, "m");
  allow('b', std::nullopt, std::nullopt, "m");
  for (const int64_t memory : {3, 5, 7, 8, 9}) allow('c', 1, memory, "rwm");  // null ... urandom
  allow('c', 5, 0, "rwm");                                                    // tty
  allow('c', 5, 2, "rwm");                                                    // ptmx
  allow('c', 136, std::nullopt, "rwm");                                       // pts
  return rules;
}

}  // namespace crisp::cgroup
