#include "shim/launch/process_reader.h"

#include <linux/sched.h>
#include <sched.h>
#include <sys/resource.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/capability_names.h"
#include "base/status_macros.h"
#include "shim/launch/json_fields.h"

namespace crisp::shim {
namespace {

using Json = nlohmann::json;

struct NamedValue {
  const char* name;
  int value;
};

constexpr NamedValue kRlimits[] = {
    {"RLIMIT_AS", RLIMIT_AS},
    {"RLIMIT_CORE", RLIMIT_CORE},
    {"RLIMIT_CPU", RLIMIT_CPU},
    {"RLIMIT_DATA", RLIMIT_DATA},
    {"RLIMIT_FSIZE", RLIMIT_FSIZE},
    {"RLIMIT_LOCKS", RLIMIT_LOCKS},
    {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
    {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
    {"RLIMIT_NICE", RLIMIT_NICE},
    {"RLIMIT_NOFILE", RLIMIT_NOFILE},
    {"RLIMIT_NPROC", RLIMIT_NPROC},
    {"RLIMIT_RSS", RLIMIT_RSS},
    {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
    {"RLIMIT_RTTIME", RLIMIT_RTTIME},
    {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
    {"RLIMIT_STACK", RLIMIT_STACK},
};

constexpr NamedValue kPolicies[] = {
    {"SCHED_OTHER", SCHED_OTHER}, {"SCHED_FIFO", SCHED_FIFO}, {"SCHED_RR", SCHED_RR},
    {"SCHED_BATCH", SCHED_BATCH}, {"SCHED_IDLE", SCHED_IDLE}, {"SCHED_DEADLINE", SCHED_DEADLINE},
};

constexpr NamedValue kSchedulerFlags[] = {
    {"SCHED_FLAG_RESET_ON_FORK", SCHED_FLAG_RESET_ON_FORK},
    {"SCHED_FLAG_RECLAIM", SCHED_FLAG_RECLAIM},
    {"SCHED_FLAG_DL_OVERRUN", SCHED_FLAG_DL_OVERRUN},
    {"SCHED_FLAG_KEEP_POLICY", SCHED_FLAG_KEEP_POLICY},
    {"SCHED_FLAG_KEEP_PARAMS", SCHED_FLAG_KEEP_PARAMS},
    {"SCHED_FLAG_UTIL_CLAMP_MIN", SCHED_FLAG_UTIL_CLAMP_MIN},
    {"SCHED_FLAG_UTIL_CLAMP_MAX", SCHED_FLAG_UTIL_CLAMP_MAX},
};

// Of linux/ioprio.h, which C++ cannot include in every version: a parameter of an inline
// function is called class.
constexpr NamedValue kIoClasses[] = {
    {"IOPRIO_CLASS_RT", 1},
    {"IOPRIO_CLASS_BE", 2},
    {"IOPRIO_CLASS_IDLE", 3},
};
constexpr int kIoClassShift = 13;

template <size_t N>
const NamedValue* Find(const NamedValue (&table)[N], const std::string& name) {
  for (const NamedValue& entry : table) {
    if (name == entry.name) return &entry;
  }
  return nullptr;
}

absl::Status ReadUser(const Json& json, const std::string& path, User* user) {
  JsonFields fields(json, path);
  fields.ReadNumber("uid", &user->uid);
  fields.ReadNumber("gid", &user->gid);
  fields.ReadNumber("umask", &user->umask);
  fields.Each("additionalGids", [user](const Json& gid, const std::string& where) -> absl::Status {
    if (!gid.is_number_integer() || gid < 0 || gid > UINT32_MAX) {
      return absl::InvalidArgumentError(absl::StrCat(where, ": is not a group id"));
    }
    user->additional_gids.push_back(gid.get<uint32_t>());
    return absl::OkStatus();
  });
  fields.Refuse("username");
  return fields.Done();
}

absl::Status ReadCapabilities(const Json& json, const std::string& path, Capabilities* out) {
  JsonFields fields(json, path);
  const auto read = [&fields](const char* name, uint64_t* set) {
    fields.Each(name, [set](const Json& capability, const std::string& where) -> absl::Status {
      const int number =
          capability.is_string() ? CapabilityByName(capability.get<std::string>()) : -1;
      if (number < 0) {
        return absl::InvalidArgumentError(
            absl::StrCat(where, ": ", capability.dump(), " is not a capability"));
      }
      *set |= uint64_t{1} << number;
      return absl::OkStatus();
    });
  };
  read("bounding", &out->bounding);
  read("effective", &out->effective);
  read("permitted", &out->permitted);
  read("inheritable", &out->inheritable);
  read("ambient", &out->ambient);
  return fields.Done();
}

absl::Status ReadRlimit(const Json& json, const std::string& path, std::vector<Rlimit>* out) {
  JsonFields fields(json, path);
  std::string type;
  Rlimit limit;
  fields.Read("type", &type);
  fields.ReadNumber("soft", &limit.soft);
  fields.ReadNumber("hard", &limit.hard);
  const NamedValue* known = Find(kRlimits, type);
  if (known == nullptr) {
    fields.Fail("type", "is not a resource limit");
  } else {
    limit.resource = known->value;
  }
  if (limit.soft > limit.hard) fields.Fail("soft", "is above the hard limit");
  for (const Rlimit& other : *out) {
    if (other.resource == limit.resource) fields.Fail("type", "is there twice");
  }
  out->push_back(limit);
  return fields.Done();
}

absl::Status ReadScheduler(const Json& json, const std::string& path, Scheduler* out) {
  JsonFields fields(json, path);
  std::string policy;
  std::vector<std::string> flags;
  fields.Read("policy", &policy);
  fields.ReadNumber("nice", &out->nice);
  fields.ReadNumber("priority", &out->priority);
  fields.Read("flags", &flags);
  fields.ReadNumber("runtime", &out->runtime);
  fields.ReadNumber("deadline", &out->deadline);
  fields.ReadNumber("period", &out->period);
  if (const NamedValue* known = Find(kPolicies, policy); known != nullptr) {
    out->policy = static_cast<uint32_t>(known->value);
  } else {
    fields.Fail("policy", "is not supported");
  }
  for (const std::string& flag : flags) {
    const NamedValue* known = Find(kSchedulerFlags, flag);
    if (known == nullptr) {
      fields.Fail("flags", absl::StrCat(flag, " is not supported"));
    } else {
      out->flags |= static_cast<uint64_t>(known->value);
    }
  }
  return fields.Done();
}

absl::Status ReadIoPriority(const Json& json, const std::string& path, std::optional<int>* out) {
  JsonFields fields(json, path);
  std::string name;
  int priority = 0;
  fields.Read("class", &name);
  fields.ReadNumber("priority", &priority);
  const NamedValue* known = Find(kIoClasses, name);
  if (known == nullptr) {
    fields.Fail("class", "is not an I/O class");
  } else if (priority < 0 || priority > 7) {
    fields.Fail("priority", "is not between 0 and 7");
  } else {
    *out = known->value << kIoClassShift | priority;
  }
  return fields.Done();
}

bool IsEnvironment(const std::string& entry) {
  const size_t equals = entry.find('=');
  return equals != std::string::npos && equals != 0;
}

}  // namespace

absl::StatusOr<Process> ReadProcess(const Json& json, const std::string& path) {
  Process out;
  JsonFields fields(json, path);
  fields.Read("terminal", &out.terminal);
  if (const Json* size = fields.Take("consoleSize"); size != nullptr) {
    JsonFields console(*size, fields.PathOf("consoleSize"));
    console.ReadNumber("height", &out.console_height);
    console.ReadNumber("width", &out.console_width);
    fields.Check(console.Done());
  }
  if (const Json* user = fields.Take("user"); user != nullptr) {
    fields.Check(ReadUser(*user, fields.PathOf("user"), &out.user));
  }
  fields.Read("args", &out.args);
  fields.Refuse("commandLine");
  fields.Read("env", &out.env);
  fields.Read("cwd", &out.cwd);
  if (const Json* sets = fields.Take("capabilities"); sets != nullptr) {
    fields.Check(ReadCapabilities(*sets, fields.PathOf("capabilities"), &out.capabilities));
  }
  fields.Each("rlimits", [&out](const Json& limit, const std::string& where) {
    return ReadRlimit(limit, where, &out.rlimits);
  });
  fields.Read("noNewPrivileges", &out.no_new_privileges);
  fields.Read("apparmorProfile", &out.apparmor_profile);
  fields.Read("selinuxLabel", &out.selinux_label);
  fields.ReadNumber("oomScoreAdj", &out.oom_score_adj);
  if (const Json* scheduler = fields.Take("scheduler"); scheduler != nullptr) {
    out.scheduler.emplace();
    fields.Check(ReadScheduler(*scheduler, fields.PathOf("scheduler"), &*out.scheduler));
  }
  if (const Json* priority = fields.Take("ioPriority"); priority != nullptr) {
    fields.Check(ReadIoPriority(*priority, fields.PathOf("ioPriority"), &out.io_priority));
  }
  if (const Json* affinity = fields.Take("execCPUAffinity"); affinity != nullptr) {
    JsonFields cpus(*affinity, fields.PathOf("execCPUAffinity"));
    cpus.Read("initial", &out.initial_affinity);
    cpus.Read("final", &out.final_affinity);
    fields.Check(cpus.Done());
  }

  if (out.args.empty() || out.args[0].empty()) fields.Fail("args", "names no program");
  if (!absl::StartsWith(out.cwd, "/")) fields.Fail("cwd", "is not an absolute path");
  if (!std::all_of(out.env.begin(), out.env.end(), IsEnvironment)) {
    fields.Fail("env", "has an entry that is not name=value");
  }
  if (out.oom_score_adj.has_value() && (*out.oom_score_adj < -1000 || *out.oom_score_adj > 1000)) {
    fields.Fail("oomScoreAdj", "is not between -1000 and 1000");
  }
  CRISP_RETURN_IF_ERROR(fields.Done());
  return out;
}

}  // namespace crisp::shim
