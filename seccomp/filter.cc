#include "seccomp/filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>

#include <algorithm>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"

namespace crisp {
namespace {

using Json = nlohmann::json;

constexpr uint32_t kMaxErrno = 4095;  // MAX_ERRNO of the kernel.
constexpr size_t kMaxProgram = BPF_MAXINSNS * sizeof(sock_filter);

struct FilterDeleter {
  void operator()(void* filter) const { ::seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, FilterDeleter>;

absl::Status Bad(absl::string_view field, absl::string_view reason) {
  return absl::InvalidArgumentError(absl::StrCat("seccomp profile: ", field, ": ", reason));
}

std::string Quoted(absl::string_view text) {
  return absl::StrCat("\"", absl::CHexEscape(text.substr(0, 128)), "\"");
}

absl::Status OnlyKeys(const Json& object, std::initializer_list<absl::string_view> known) {
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      return Bad(key, "is not supported");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Text(const Json& object, const char* key) {
  const auto it = object.find(key);
  if (it == object.end() || !it->is_string()) return Bad(key, "is missing or not a string");
  return it->get<std::string>();
}

// 0 to `max`, or `otherwise` if absent.
absl::StatusOr<uint64_t> Number(const Json& object, const char* key, uint64_t max,
                                uint64_t otherwise) {
  const auto it = object.find(key);
  if (it == object.end() || it->is_null()) return otherwise;
  // A number made in the program is signed, one that was parsed is not.
  const bool natural =
      it->is_number_integer() && (it->is_number_unsigned() || it->get<int64_t>() >= 0);
  if (!natural || it->get<uint64_t>() > max) {
    return Bad(key, absl::StrCat("is not a number between 0 and ", max));
  }
  return it->get<uint64_t>();
}

constexpr struct {
  const char* name;
  uint32_t action;
  bool with_value = false;  // errnoRet goes into it.
} kActions[] = {
    {"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW},
    {"SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0), true},
    {"SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD},
    {"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS},
    {"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD},
    {"SCMP_ACT_LOG", SCMP_ACT_LOG},
    {"SCMP_ACT_TRACE", SCMP_ACT_TRACE(0), true},
    {"SCMP_ACT_TRAP", SCMP_ACT_TRAP},
};

constexpr struct {
  const char* name;
  scmp_compare compare;
} kOperators[] = {
    {"SCMP_CMP_EQ", SCMP_CMP_EQ}, {"SCMP_CMP_GE", SCMP_CMP_GE},
    {"SCMP_CMP_GT", SCMP_CMP_GT}, {"SCMP_CMP_LE", SCMP_CMP_LE},
    {"SCMP_CMP_LT", SCMP_CMP_LT}, {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
    {"SCMP_CMP_NE", SCMP_CMP_NE},
};

absl::StatusOr<uint32_t> Action(const std::string& name, uint32_t errno_ret) {
  for (const auto& known : kActions) {
    // The value is what the lower half of an action holds.
    if (name == known.name) return known.action | (known.with_value ? errno_ret & 0xffff : 0);
  }
  if (name == "SCMP_ACT_NOTIFY") return Bad("action", "SCMP_ACT_NOTIFY is not supported");
  return Bad("action", absl::StrCat("unknown action ", Quoted(name)));
}

absl::StatusOr<scmp_compare> Operator(const std::string& name) {
  for (const auto& known : kOperators) {
    if (name == known.name) return known.compare;
  }
  return Bad("op", absl::StrCat("unknown operator ", Quoted(name)));
}

template <typename Table>
std::vector<std::string> NamesOf(const Table& table) {
  std::vector<std::string> names;
  for (const auto& entry : table) names.emplace_back(entry.name);
  return names;
}

constexpr struct {
  const char* name;
  uint32_t token;
} kArchitectures[] = {
    {"SCMP_ARCH_X86", SCMP_ARCH_X86},
    {"SCMP_ARCH_X86_64", SCMP_ARCH_X86_64},
    {"SCMP_ARCH_X32", SCMP_ARCH_X32},
    {"SCMP_ARCH_ARM", SCMP_ARCH_ARM},
    {"SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64},
    {"SCMP_ARCH_MIPS", SCMP_ARCH_MIPS},
    {"SCMP_ARCH_MIPS64", SCMP_ARCH_MIPS64},
    {"SCMP_ARCH_MIPS64N32", SCMP_ARCH_MIPS64N32},
    {"SCMP_ARCH_MIPSEL", SCMP_ARCH_MIPSEL},
    {"SCMP_ARCH_MIPSEL64", SCMP_ARCH_MIPSEL64},
    {"SCMP_ARCH_MIPSEL64N32", SCMP_ARCH_MIPSEL64N32},
    {"SCMP_ARCH_PPC", SCMP_ARCH_PPC},
    {"SCMP_ARCH_PPC64", SCMP_ARCH_PPC64},
    {"SCMP_ARCH_PPC64LE", SCMP_ARCH_PPC64LE},
    {"SCMP_ARCH_S390", SCMP_ARCH_S390},
    {"SCMP_ARCH_S390X", SCMP_ARCH_S390X},
    {"SCMP_ARCH_RISCV64", SCMP_ARCH_RISCV64},
    {"SCMP_ARCH_PARISC", SCMP_ARCH_PARISC},
    {"SCMP_ARCH_PARISC64", SCMP_ARCH_PARISC64},
};

absl::StatusOr<uint32_t> Architecture(const std::string& name) {
  for (const auto& known : kArchitectures) {
    if (name == known.name) return known.token;
  }
  return Bad("architectures", absl::StrCat("unknown architecture ", Quoted(name)));
}

absl::Status Check(int result, absl::string_view what) {
  if (result == 0) return absl::OkStatus();
  return Bad(what, absl::StrCat("libseccomp refuses it (", ErrnoName(-result), ")"));
}

absl::Status AddArchitectures(void* filter, const Json& profile) {
  const auto it = profile.find("architectures");
  if (it == profile.end() || it->is_null()) return absl::OkStatus();
  if (!it->is_array()) return Bad("architectures", "is not a list");
  for (const Json& name : *it) {
    if (!name.is_string()) return Bad("architectures", "has an entry that is not a string");
    CRISP_ASSIGN_OR_RETURN(const uint32_t token, Architecture(name.get<std::string>()));
    const int added = ::seccomp_arch_add(filter, token);
    if (added == -EEXIST) continue;  // The native one is there from the start.
    CRISP_RETURN_IF_ERROR(Check(added, name.get<std::string>()));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<scmp_arg_cmp>> Conditions(const Json& call) {
  std::vector<scmp_arg_cmp> conditions;
  const auto it = call.find("args");
  if (it == call.end() || it->is_null()) return conditions;
  if (!it->is_array()) return Bad("args", "is not a list");
  for (const Json& arg : *it) {
    if (!arg.is_object()) return Bad("args", "has an entry that is not an object");
    CRISP_RETURN_IF_ERROR(OnlyKeys(arg, {"index", "value", "valueTwo", "op"}));
    scmp_arg_cmp condition = {};
    CRISP_ASSIGN_OR_RETURN(const uint64_t index, Number(arg, "index", 5, 0));
    CRISP_ASSIGN_OR_RETURN(condition.datum_a, Number(arg, "value", UINT64_MAX, 0));
    CRISP_ASSIGN_OR_RETURN(condition.datum_b, Number(arg, "valueTwo", UINT64_MAX, 0));
    CRISP_ASSIGN_OR_RETURN(const std::string op, Text(arg, "op"));
    CRISP_ASSIGN_OR_RETURN(condition.op, Operator(op));
    condition.arg = static_cast<unsigned int>(index);
    conditions.push_back(condition);
  }
  return conditions;
}

bool RepeatsAnArgument(const std::vector<scmp_arg_cmp>& conditions) {
  unsigned int seen = 0;
  for (const scmp_arg_cmp& condition : conditions) {
    if ((seen & 1U << condition.arg) != 0) return true;
    seen |= 1U << condition.arg;
  }
  return false;
}

absl::Status AddCall(void* filter, const std::string& name, uint32_t action,
                     const std::vector<scmp_arg_cmp>& conditions) {
  const int number = ::seccomp_syscall_resolve_name(name.c_str());
  if (number == __NR_SCMP_ERROR) return absl::OkStatus();
  if (!RepeatsAnArgument(conditions)) {
    return Check(
        ::seccomp_rule_add_array(filter, action, number,
                                 static_cast<unsigned int>(conditions.size()), conditions.data()),
        name);
  }
  for (const scmp_arg_cmp& condition : conditions) {
    CRISP_RETURN_IF_ERROR(
        Check(::seccomp_rule_add_array(filter, action, number, 1, &condition), name));
  }
  return absl::OkStatus();
}

absl::Status AddRule(void* filter, const Json& call, uint32_t default_action) {
  if (!call.is_object()) return Bad("syscalls", "has an entry that is not an object");
  CRISP_RETURN_IF_ERROR(OnlyKeys(call, {"names", "action", "errnoRet", "args"}));
  CRISP_ASSIGN_OR_RETURN(const std::string action_name, Text(call, "action"));
  CRISP_ASSIGN_OR_RETURN(const uint64_t errno_ret, Number(call, "errnoRet", kMaxErrno, EPERM));
  CRISP_ASSIGN_OR_RETURN(const uint32_t action,
                         Action(action_name, static_cast<uint32_t>(errno_ret)));
  CRISP_ASSIGN_OR_RETURN(const std::vector<scmp_arg_cmp> conditions, Conditions(call));
  const auto names = call.find("names");
  if (names == call.end() || !names->is_array() || names->empty()) {
    return Bad("syscalls", "has an entry without names");
  }
  for (const Json& name : *names) {
    if (!name.is_string() || name.get<std::string>().empty()) {
      return Bad("names", "has an entry that is not a name");
    }
    // A rule that says what holds anyway; libseccomp would call it an error.
    if (action == default_action) continue;
    CRISP_RETURN_IF_ERROR(AddCall(filter, name.get<std::string>(), action, conditions));
  }
  return absl::OkStatus();
}

absl::Status CheckKeys(const Json& profile) {
  const auto listener = profile.find("listenerPath");
  if ((listener != profile.end() && *listener != "") || profile.contains("listenerMetadata")) {
    return Bad("listenerPath", "notification listeners are not supported");
  }
  return OnlyKeys(profile, {"defaultAction", "defaultErrnoRet", "architectures", "flags",
                            "syscalls", "listenerPath"});
}

absl::StatusOr<std::string> Export(void* filter) {
  CRISP_ASSIGN_OR_RETURN(
      UniqueFd fd, SysFd("memfd_create", [] { return ::memfd_create("seccomp", MFD_CLOEXEC); }));
  CRISP_RETURN_IF_ERROR(Check(::seccomp_export_bpf(filter, fd.get()), "filter"));
  CRISP_RETURN_IF_ERROR(Sys("rewind filter", [&] { return ::lseek(fd.get(), 0, SEEK_SET); }));
  auto program = ReadAll(fd.get(), kMaxProgram);
  if (absl::IsOutOfRange(program.status())) {
    return Bad("syscalls", "more rules than the kernel's 4096 instructions hold");
  }
  return program;
}

// The highest number of the profile's calls on one architecture; -1 if it names none.
int HighestCall(const Json& profile, uint32_t token) {
  int highest = -1;
  for (const Json& call : profile.at("syscalls")) {
    for (const Json& name : call.at("names")) {
      highest = std::max(highest, ::seccomp_syscall_resolve_name_arch(
                                      token, name.get_ref<const std::string&>().c_str()));
    }
  }
  return highest;
}

// A profile says nothing about calls that were invented after it. To refuse those with
// EPERM would break a libc that asks for the new call first and falls back on ENOSYS, so
// that a check in front of the filter answers ENOSYS to all numbers above the highest
// that the profile names. Not where the profile allows what it does not name.
absl::StatusOr<std::string> NewerCallsStub(void* filter, const Json& profile,
                                           uint32_t default_action) {
  const auto calls = profile.find("syscalls");
  if (default_action == SCMP_ACT_ALLOW || default_action == SCMP_ACT_LOG ||
      calls == profile.end() || !calls->is_array()) {
    return "";
  }
  // What the kernel calls an architecture, and the highest numbers of its ABIs: x32 is
  // x86-64 to the kernel, with a bit set in the number.
  constexpr uint32_t kX32Bit = 0x40000000;
  struct Limit {
    uint32_t audit_arch;
    int highest = -1, highest_x32 = -1;
  };
  std::vector<Limit> limits;
  for (const auto& [name, token] : kArchitectures) {
    if (::seccomp_arch_exist(filter, token) != 0) continue;
    const int highest = HighestCall(profile, token);
    if (highest < 0) continue;
    const uint32_t audit_arch = token == SCMP_ARCH_X32 ? SCMP_ARCH_X86_64 : token;
    auto limit = std::find_if(limits.begin(), limits.end(),
                              [&](const Limit& known) { return known.audit_arch == audit_arch; });
    if (limit == limits.end()) limit = limits.insert(limits.end(), Limit{audit_arch});
    (token == SCMP_ARCH_X32 ? limit->highest_x32 : limit->highest) = highest;
  }

  constexpr uint32_t kNoSys = SECCOMP_RET_ERRNO | ENOSYS;
  std::vector<sock_filter> stub = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch))};
  for (const Limit& limit : limits) {
    std::vector<sock_filter> one = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
    const auto refuse_above = [&one](int highest) {
      one.push_back(BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, static_cast<uint32_t>(highest), 0, 1));
      one.push_back(BPF_STMT(BPF_RET | BPF_K, kNoSys));
    };
    if (limit.audit_arch == SCMP_ARCH_X86_64) {
      // An ABI of which nothing is named is the filter's to judge.
      one.push_back(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, kX32Bit, 0, 3));
      const int x32 = limit.highest_x32 < 0 ? INT_MAX : limit.highest_x32;
      refuse_above(x32);
      one.push_back(BPF_STMT(BPF_JMP | BPF_JA, 2));
      refuse_above(limit.highest < 0 ? INT_MAX : limit.highest);
    } else {
      refuse_above(limit.highest);
    }
    // Without a next architecture in A: the filter behind loads what it needs anew.
    stub.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, limit.audit_arch, 0,
                            static_cast<uint8_t>(one.size() + 1)));
    stub.insert(stub.end(), one.begin(), one.end());
    // Past the remaining architectures; the distance is known when all are there.
    stub.push_back(BPF_STMT(BPF_JMP | BPF_JA, 0));
  }
  for (size_t i = 0; i < stub.size(); ++i) {
    if (stub[i].code == (BPF_JMP | BPF_JA) && stub[i].k == 0) {
      stub[i].k = static_cast<uint32_t>(stub.size() - i - 1);
    }
  }
  return std::string(reinterpret_cast<const char*>(stub.data()), stub.size() * sizeof(sock_filter));
}

}  // namespace

absl::StatusOr<unsigned> SeccompFlags(const Json& profile) {
  unsigned bits = 0;
  const auto flags = profile.find("flags");
  if (flags == profile.end() || flags->is_null()) return bits;
  if (!flags->is_array()) return Bad("flags", "is not a list");
  for (const Json& flag : *flags) {
    const std::string name = flag.is_string() ? flag.get<std::string>() : "";
    if (name == "SECCOMP_FILTER_FLAG_TSYNC") {
      bits |= SECCOMP_FILTER_FLAG_TSYNC;
    } else if (name == "SECCOMP_FILTER_FLAG_LOG") {
      bits |= SECCOMP_FILTER_FLAG_LOG;
    } else if (name == "SECCOMP_FILTER_FLAG_SPEC_ALLOW") {
      bits |= SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    } else {
      return Bad("flags", absl::StrCat("unknown flag ", Quoted(name)));
    }
  }
  return bits;
}

absl::StatusOr<std::string> CompileSeccomp(const Json& profile) {
  if (!profile.is_object()) return Bad("profile", "is not an object");
  CRISP_RETURN_IF_ERROR(CheckKeys(profile));
  CRISP_RETURN_IF_ERROR(SeccompFlags(profile).status());
  CRISP_ASSIGN_OR_RETURN(const std::string default_name, Text(profile, "defaultAction"));
  CRISP_ASSIGN_OR_RETURN(const uint64_t errno_ret,
                         Number(profile, "defaultErrnoRet", kMaxErrno, EPERM));
  CRISP_ASSIGN_OR_RETURN(const uint32_t default_action,
                         Action(default_name, static_cast<uint32_t>(errno_ret)));
  const Filter filter(::seccomp_init(default_action));
  if (filter == nullptr) return Bad("defaultAction", "libseccomp refuses it");
  CRISP_RETURN_IF_ERROR(AddArchitectures(filter.get(), profile));
  const auto calls = profile.find("syscalls");
  if (calls != profile.end() && !calls->is_null()) {
    if (!calls->is_array()) return Bad("syscalls", "is not a list");
    for (const Json& call : *calls) {
      CRISP_RETURN_IF_ERROR(AddRule(filter.get(), call, default_action));
    }
  }
  // A long chain of comparisons becomes a search tree.
  (void)::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  CRISP_ASSIGN_OR_RETURN(std::string program,
                         NewerCallsStub(filter.get(), profile, default_action));
  CRISP_ASSIGN_OR_RETURN(const std::string rules, Export(filter.get()));
  program += rules;
  if (program.size() > kMaxProgram) {
    return Bad("syscalls", "more rules than the kernel's 4096 instructions hold");
  }
  return program;
}

Json WithoutUnknownCalls(const Json& profile) {
  Json out = profile;
  Json kept = Json::array();
  const auto calls = profile.find("syscalls");
  if (calls == profile.end() || !calls->is_array()) return out;
  for (const Json& call : *calls) {
    Json names = Json::array();
    for (const Json& name : call.at("names")) {
      if (::seccomp_syscall_resolve_name(name.get<std::string>().c_str()) != __NR_SCMP_ERROR) {
        names.push_back(name);
      }
    }
    if (names.empty()) continue;
    Json one = call;
    one["names"] = std::move(names);
    kept.push_back(std::move(one));
  }
  out["syscalls"] = std::move(kept);
  return out;
}

std::vector<std::string> SeccompActionNames() { return NamesOf(kActions); }
std::vector<std::string> SeccompOperatorNames() { return NamesOf(kOperators); }

}  // namespace crisp
