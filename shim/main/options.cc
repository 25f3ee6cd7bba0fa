#include "shim/main/options.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace crisp::shim {
namespace {

struct Flag {
  absl::string_view name;
  std::string Options::*text;
  bool Options::*boolean;
};

constexpr Flag kFlags[] = {
    {"id", &Options::id, nullptr},           {"namespace", &Options::container_namespace, nullptr},
    {"address", &Options::address, nullptr}, {"publish-binary", &Options::publish_binary, nullptr},
    {"bundle", &Options::bundle, nullptr},   {"state", &Options::state, nullptr},
    {"debug", nullptr, &Options::debug},     {"v", nullptr, &Options::version},
    {"version", nullptr, &Options::version}, {"info", nullptr, &Options::info},
};

}  // namespace

absl::StatusOr<Options> ParseOptions(const std::vector<std::string>& args) {
  Options options;
  std::string socket_fd;
  size_t i = 0;
  for (; i < args.size(); ++i) {
    absl::string_view arg = args[i];
    if (!absl::ConsumePrefix(&arg, "-")) break;
    if (absl::ConsumePrefix(&arg, "-") && arg.empty()) {  // "--" ends the flags.
      ++i;
      break;
    }
    const size_t equals = arg.find('=');
    const absl::string_view name = arg.substr(0, equals);
    const Flag* found = nullptr;
    for (const Flag& flag : kFlags) {
      if (flag.name == name) found = &flag;
    }
    if (found != nullptr && found->boolean != nullptr) {
      bool value = true;
      if (equals != absl::string_view::npos && !absl::SimpleAtob(arg.substr(equals + 1), &value)) {
        return absl::InvalidArgumentError(absl::StrCat("flag -", name, ": not true or false"));
      }
      options.*found->boolean = value;
      continue;
    }
    std::string* const text = found != nullptr      ? &(options.*found->text)
                              : name == "socket-fd" ? &socket_fd
                                                    : nullptr;
    if (text == nullptr) return absl::InvalidArgumentError(absl::StrCat("unknown flag -", name));
    if (equals != absl::string_view::npos) {
      *text = std::string(arg.substr(equals + 1));
    } else if (i + 1 < args.size()) {
      *text = args[++i];
    } else {
      return absl::InvalidArgumentError(absl::StrCat("flag -", name, " needs a value"));
    }
  }
  if (!socket_fd.empty() &&
      (!absl::SimpleAtoi(socket_fd, &options.socket_fd) || options.socket_fd < 0)) {
    return absl::InvalidArgumentError("flag -socket-fd: not a descriptor");
  }
  if (i < args.size()) options.action = args[i++];
  if (i < args.size()) {
    return absl::InvalidArgumentError(absl::StrCat("unexpected argument ", args[i]));
  }
  return options;
}

}  // namespace crisp::shim
