#include "agent/pods/subordinate_ids.h"

#include <cerrno>
#include <optional>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/node_facts.h"
#include "agent/pod_config.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::agent {
namespace {

constexpr char kUser[] = "kubelet";
// The last id stands for none, so the range that it is in cannot be mapped.
constexpr SubordinateIds kDefault = {kIdsPerPod, (uint32_t{1} << 16) - 2};

struct IdRange {
  uint64_t first = 0, length = 0;
  bool operator==(const IdRange&) const = default;
};

using Lines = std::vector<std::vector<std::string>>;

// Lines of fields between colons; a file that is missing has none.
absl::StatusOr<Lines> ReadLines(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok() && ErrnoOf(text.status()) == ENOENT) return Lines();
  if (!text.ok()) return Annotate(text.status(), path);
  Lines out;
  for (const absl::string_view line : absl::StrSplit(*text, '\n')) {
    out.push_back(absl::StrSplit(line, ':'));
  }
  return out;
}

// As passwd writes it, or nullopt if there is no such user.
absl::StatusOr<std::optional<std::string>> UidOfUser(const std::string& passwd) {
  CRISP_ASSIGN_OR_RETURN(const auto lines, ReadLines(passwd));
  for (const auto& fields : lines) {
    if (fields[0] == kUser && fields.size() > 2) return fields[2];
  }
  return std::nullopt;
}

// subuid(5): the owner by name or by uid, the first id, how many.
absl::StatusOr<std::vector<IdRange>> RangesOf(const std::string& path, const std::string& uid) {
  CRISP_ASSIGN_OR_RETURN(const auto lines, ReadLines(path));
  std::vector<IdRange> out;
  for (const auto& fields : lines) {
    if (fields[0] != kUser && fields[0] != uid) continue;
    uint32_t first = 0, length = 0;
    if (fields.size() != 3 || !absl::SimpleAtoi(fields[1], &first) ||
        !absl::SimpleAtoi(fields[2], &length)) {
      return absl::FailedPreconditionError(
          absl::StrCat(path, ": the line of the user ", kUser, " is not name:first:count"));
    }
    out.push_back({first, length});
  }
  return out;
}

absl::StatusOr<SubordinateIds> Check(const IdRange& range) {
  const auto refuse = [](const auto&... words) {
    return absl::FailedPreconditionError(absl::StrCat("kubelet user assigned ", words...));
  };
  if (range.first % kIdsPerPod != 0) {
    return refuse("ID ", range.first, " is not a multiple of ", kIdsPerPod);
  }
  if (range.first < kIdsPerPod) {
    return refuse("ID ", range.first, " must be greater or equal to ", kIdsPerPod);
  }
  if (range.length % kIdsPerPod != 0) {
    return refuse("IDs length ", range.length, " is not a multiple of ", kIdsPerPod);
  }
  if (range.length / kIdsPerPod < kMaxPods) {
    return refuse("IDs are not enough to support ", kMaxPods, " pods");
  }
  // As far as ids go.
  const uint64_t last = uint64_t{kDefault.first} + uint64_t{kDefault.ranges} * kIdsPerPod;
  if (range.first + range.length > last) return refuse("IDs reach beyond the last one");
  return SubordinateIds{static_cast<uint32_t>(range.first),
                        static_cast<uint32_t>(range.length / kIdsPerPod)};
}

}  // namespace

absl::StatusOr<SubordinateIds> ReadSubordinateIds(const std::string& etc) {
  CRISP_ASSIGN_OR_RETURN(const std::optional<std::string> uid, UidOfUser(JoinPath(etc, "passwd")));
  if (!uid.has_value()) return kDefault;
  CRISP_ASSIGN_OR_RETURN(const auto uids, RangesOf(JoinPath(etc, "subuid"), *uid));
  CRISP_ASSIGN_OR_RETURN(const auto gids, RangesOf(JoinPath(etc, "subgid"), *uid));
  if (uids.empty() && gids.empty()) return kDefault;
  if (uids != gids) {
    return absl::FailedPreconditionError(
        absl::StrCat("mismatched subuids and subgids for user \"", kUser, "\""));
  }
  if (uids.size() != 1) {
    return absl::FailedPreconditionError(
        absl::StrCat("the user ", kUser, " has ", uids.size(), " ranges of ids; it must be one"));
  }
  return Check(uids[0]);
}

}  // namespace crisp::agent
