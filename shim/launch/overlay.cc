#include "shim/launch/overlay.h"

#include <fcntl.h>
#include <unistd.h>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "shim/launch/id_maps.h"
#include "shim/launch/mount_source.h"
#include "shim/launch/overlay_aside.h"

namespace crisp::shim {
namespace {

// The kernel's bound on a string option.
constexpr size_t kMaxValue = 255;

struct Layers : OverlayParts {
  IdMaps id_maps;
};

// "0:100000:65536,65536:..." as inside, outside, count.
absl::Status ReadMap(absl::string_view text, std::vector<IdMap>* out) {
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    const std::vector<absl::string_view> numbers = absl::StrSplit(part, ':');
    IdMap map;
    if (numbers.size() != 3 || !absl::SimpleAtoi(numbers[0], &map.inside) ||
        !absl::SimpleAtoi(numbers[1], &map.outside) || !absl::SimpleAtoi(numbers[2], &map.count)) {
      return absl::InvalidArgumentError(absl::StrCat("overlay: \"", part, "\" is not an id map"));
    }
    out->push_back(map);
  }
  return absl::OkStatus();
}

// Layers are separated by colons; one that belongs to a name has a backslash before it.
std::vector<std::string> SplitLower(absl::string_view text) {
  std::vector<std::string> out(1);
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      out.back().push_back(text[++i]);
    } else if (text[i] == ':') {
      out.emplace_back();
    } else {
      out.back().push_back(text[i]);
    }
  }
  return out;
}

absl::StatusOr<Layers> Read(const std::vector<std::string>& options) {
  Layers layers;
  for (absl::string_view option : options) {
    if (absl::ConsumePrefix(&option, "lowerdir=")) {
      layers.lower = SplitLower(option);
    } else if (absl::ConsumePrefix(&option, "lowerdir+=")) {
      layers.lower.emplace_back(option);
    } else if (absl::ConsumePrefix(&option, "upperdir=")) {
      layers.upper = std::string(option);
    } else if (absl::ConsumePrefix(&option, "workdir=")) {
      layers.work = std::string(option);
    } else if (absl::ConsumePrefix(&option, "uidmap=")) {
      CRISP_RETURN_IF_ERROR(ReadMap(option, &layers.id_maps.uids));
    } else if (absl::ConsumePrefix(&option, "gidmap=")) {
      CRISP_RETURN_IF_ERROR(ReadMap(option, &layers.id_maps.gids));
    } else {
      layers.is_volatile = layers.is_volatile || option == "volatile";
      layers.rest.emplace_back(option);
    }
  }
  if (layers.lower.empty()) return absl::InvalidArgumentError("overlay: no lowerdir");
  return layers;
}

// Of descriptors, as kernels take it from 6.7 on, and earlier ones most of it.
absl::StatusOr<UniqueFd> FromDescriptors(const OverlayParts& parts, uint64_t attributes) {
  std::vector<UniqueFd> held;
  const auto open = [&held](const std::string& path, int id_map) -> absl::StatusOr<std::string> {
    CRISP_ASSIGN_OR_RETURN(UniqueFd fd, OpenLayer(path, id_map));
    held.push_back(std::move(fd));
    return absl::StrCat(held.back().get());
  };

  // A string option is short and paths of layers are long. Seen from /proc/self/fd a
  // descriptor's number is a path, so that 60 layers fit; the kernel takes more of them
  // one at a time where it knows "lowerdir+".
  std::vector<std::string> data = parts.rest;
  std::string lower;
  std::vector<std::string> one_by_one;
  for (const std::string& path : parts.lower) {
    CRISP_ASSIGN_OR_RETURN(const std::string number, open(path, parts.user_namespace));
    absl::StrAppend(&lower, lower.empty() ? "" : ":", number);
    one_by_one.push_back(absl::StrCat("lowerdir+=", number));
  }
  if (lower.size() <= kMaxValue) {
    data.push_back(absl::StrCat("lowerdir=", lower));
  } else {
    data.insert(data.end(), one_by_one.begin(), one_by_one.end());
  }
  if (!parts.upper.empty()) {
    CRISP_ASSIGN_OR_RETURN(const std::string upper, open(parts.upper, -1));
    CRISP_ASSIGN_OR_RETURN(const std::string work, open(parts.work, -1));
    if (parts.is_volatile) ForgetEarlierMount(held.back().get());
    data.push_back(absl::StrCat("upperdir=", upper));
    data.push_back(absl::StrCat("workdir=", work));
  }

  CRISP_ASSIGN_OR_RETURN(const UniqueFd before, SysFd("open working directory", [] {
                           return ::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
                         }));
  CRISP_RETURN_IF_ERROR(Sys("chdir /proc/self/fd", [] { return ::chdir("/proc/self/fd"); }));
  const absl::Cleanup back = [&before] { (void)!::fchdir(before.get()); };
  return NewFilesystem("overlay", "overlay", data, attributes);
}

}  // namespace

absl::StatusOr<UniqueFd> MakeOverlay(const std::vector<std::string>& options, uint64_t attributes) {
  CRISP_ASSIGN_OR_RETURN(Layers layers, Read(options));
  UniqueFd users;
  if (!layers.id_maps.empty()) {
    CRISP_ASSIGN_OR_RETURN(users, UserNamespaceWith(layers.id_maps));
    layers.user_namespace = users.get();
  }
  auto overlay = FromDescriptors(layers, attributes);
  // What an older kernel does not understand it calls invalid; so is what no kernel does.
  if (ErrnoOf(overlay.status()) != EINVAL) return overlay;
  auto aside = MountOverlayAside(layers, attributes);
  return aside.ok() ? std::move(aside) : std::move(overlay);
}

}  // namespace crisp::shim
