#include "shim/launch/hooks.h"

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/status_macros.h"
#include "base/subprocess.h"
#include "shim/launch/json_fields.h"
#include "shim/launch/spec_reader.h"

namespace crisp::shim {
namespace {

using Json = nlohmann::json;

// A hook without a timeout of its own may take long, but not for ever: nobody could
// tell it from one that hangs.
constexpr absl::Duration kLongest = absl::Minutes(10);

Json ToJson(const std::vector<Hook>& hooks) {
  Json out = Json::array();
  for (const Hook& hook : hooks) {
    Json one = {{"path", hook.path}, {"args", hook.args}, {"env", hook.env}};
    if (hook.timeout.has_value()) one["timeout"] = *hook.timeout;
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace

std::string HookState::ToJson(const char* status, pid_t pid) const {
  Json out = {{"ociVersion", version}, {"id", id}, {"status", status}, {"bundle", bundle}};
  if (pid != 0) out["pid"] = pid;
  if (!annotations.empty()) out["annotations"] = annotations;
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::Status RunHooks(const char* name, const std::vector<Hook>& hooks, const std::string& state) {
  for (size_t i = 0; i < hooks.size(); ++i) {
    const Hook& hook = hooks[i];
    const std::string field = absl::StrCat(name, "[", i, "] ", hook.path);
    ProcessSpec process;
    process.argv = hook.args.empty() ? std::vector<std::string>{hook.path} : hook.args;
    process.program = hook.path;
    process.environment = hook.env;
    process.stdin_data = state;
    process.timeout = hook.timeout.has_value() ? absl::Seconds(*hook.timeout) : kLongest;
    auto result = RunProcess(process);
    if (!result.ok()) return Annotate(result.status(), field);
    if (result->exit_code != 0) {
      return absl::AbortedError(
          absl::StrCat(field, ": exit code ", result->exit_code, ": ", result->err));
    }
  }
  return absl::OkStatus();
}

std::string HooksToKeep(const Hooks& hooks, const HookState& state) {
  if (hooks.poststart.empty() && hooks.poststop.empty()) return "";
  const Json out = {
      {"hooks", {{"poststart", ToJson(hooks.poststart)}, {"poststop", ToJson(hooks.poststop)}}},
      {"ociVersion", state.version},
      {"id", state.id},
      {"annotations", state.annotations}};
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::StatusOr<KeptHooks> ReadKeptHooks(const std::string& text) {
  KeptHooks out;
  if (text.empty()) return out;
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  JsonFields fields(json, "kept hooks");
  if (const Json* hooks = fields.Take("hooks"); hooks != nullptr) {
    auto parsed = ParseHooks(*hooks);
    fields.Check(parsed.status());
    if (parsed.ok()) out.hooks = *std::move(parsed);
  }
  fields.Read("ociVersion", &out.state.version);
  fields.Read("id", &out.state.id);
  if (const Json* annotations = fields.Take("annotations"); annotations != nullptr) {
    out.state.annotations = *annotations;
  }
  CRISP_RETURN_IF_ERROR(fields.Done());
  return out;
}

}  // namespace crisp::shim
