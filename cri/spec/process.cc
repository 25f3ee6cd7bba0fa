#include "cri/spec/process.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/utf8.h"
#include "cri/spec/field_text.h"

namespace crisp::cri {
namespace {

constexpr char kDefaultPath[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

bool IsPlain(absl::string_view text) {
  return IsUtf8(text) && text.find('\0') == absl::string_view::npos;
}

absl::string_view KeyOf(absl::string_view entry) { return entry.substr(0, entry.find('=')); }

std::string WorkingDir(const runtime::v1::ContainerConfig& config, const ImageConfigView& image) {
  const std::string& dir = config.working_dir().empty() ? image.working_dir : config.working_dir();
  // Images built for other systems may have it relative; the root is its base.
  return CleanPath(absl::StrCat("/", dir));
}

}  // namespace

absl::Status CheckWords(absl::string_view field, const std::vector<std::string>& words) {
  if (words.empty() || words.front().empty()) return BadField(field, "no command");
  for (size_t i = 0; i < words.size(); ++i) {
    if (!IsPlain(words[i])) {
      return BadField(absl::StrCat(field, "[", i, "]"), "contains NUL or is not UTF-8");
    }
  }
  return absl::OkStatus();
}

void SetEnv(std::vector<std::string>* env, const std::string& entry) {
  const auto same = std::find_if(env->begin(), env->end(), [&](const std::string& have) {
    return KeyOf(have) == KeyOf(entry);
  });
  if (same != env->end()) {
    *same = entry;
  } else {
    env->push_back(entry);
  }
}

bool HasEnv(const std::vector<std::string>& env, absl::string_view key) {
  return std::any_of(env.begin(), env.end(),
                     [&](const std::string& have) { return KeyOf(have) == key; });
}

absl::StatusOr<std::vector<std::string>> BuildArgs(const runtime::v1::ContainerConfig& config,
                                                   const ImageConfigView& image) {
  std::vector<std::string> words(config.command().begin(), config.command().end());
  const bool own_command = !words.empty();
  if (!own_command) words = image.entrypoint;
  if (!config.args().empty()) {
    words.insert(words.end(), config.args().begin(), config.args().end());
  } else if (!own_command) {
    words.insert(words.end(), image.cmd.begin(), image.cmd.end());
  }
  if (words.empty()) {
    return BadField("config.command", "is empty, and the image has neither entrypoint nor cmd");
  }
  CRISP_RETURN_IF_ERROR(CheckWords("process arguments", words));
  return words;
}

absl::StatusOr<std::vector<std::string>> BuildEnv(const runtime::v1::ContainerConfig& config,
                                                  const ImageConfigView& image,
                                                  const std::string& hostname,
                                                  const ResolvedUser& user) {
  std::vector<std::string> env = {kDefaultPath};
  if (!hostname.empty()) env.push_back(absl::StrCat("HOSTNAME=", hostname));
  if (config.tty()) env.push_back("TERM=xterm");
  for (const std::string& entry : image.env) {
    if (KeyOf(entry).empty() || !absl::StrContains(entry, '=') || !IsPlain(entry)) {
      return BadField("image env", absl::StrCat(Quoted(entry), " is not KEY=value in UTF-8"));
    }
    SetEnv(&env, entry);
  }
  for (int i = 0; i < config.envs_size(); ++i) {
    const std::string entry = absl::StrCat(config.envs(i).key(), "=", config.envs(i).value());
    if (!IsPlain(entry)) {
      return BadField(absl::StrCat("config.envs[", i, "].value"),
                      absl::StrCat("the value of ", Quoted(config.envs(i).key()),
                                   " contains NUL or is not UTF-8"));
    }
    SetEnv(&env, entry);
  }
  if (!HasEnv(env, "HOME")) env.push_back(absl::StrCat("HOME=", user.home));
  return env;
}

absl::StatusOr<nlohmann::json> BuildProcess(const ProcessInput& input) {
  const auto& security = input.config.linux().security_context();
  CRISP_ASSIGN_OR_RETURN(const auto args, BuildArgs(input.config, input.image));
  CRISP_ASSIGN_OR_RETURN(const auto env,
                         BuildEnv(input.config, input.image, input.hostname, input.user));
  const std::string cwd = WorkingDir(input.config, input.image);
  if (!IsUtf8(cwd) || HasControl(cwd)) return BadField("image working dir", "is not plain text");
  const int oom = static_cast<int>(input.config.linux().resources().oom_score_adj());
  // No rlimits: what the service manager gave to the runtime is what containers get.
  return nlohmann::json{{"terminal", input.config.tty()},
                        {"user",
                         {{"uid", input.user.uid},
                          {"gid", input.user.gid},
                          {"additionalGids", input.user.additional_gids}}},
                        {"args", args},
                        {"env", env},
                        {"cwd", cwd},
                        {"capabilities", CapabilitiesToOci(input.capabilities)},
                        {"noNewPrivileges", security.no_new_privs()},
                        {"oomScoreAdj", ClampOomScoreAdj(oom, input.host)}};
}

}  // namespace crisp::cri
