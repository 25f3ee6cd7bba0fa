#include "agent/store/object.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/ids.h"

namespace crisp::agent {
namespace {

constexpr char kTimestampFormat[] = "%Y-%m-%dT%H:%M:%SZ";

const Json& Null() {
  static const Json* const null = new Json();
  return *null;
}

}  // namespace

const Json& At(const Json& object, absl::string_view path) {
  const Json* at = &object;
  for (const absl::string_view part : absl::StrSplit(path, '.')) {
    if (!at->is_object()) return Null();
    const auto found = at->find(std::string(part));
    if (found == at->end()) return Null();
    at = &*found;
  }
  return *at;
}

std::string TextAt(const Json& object, absl::string_view path, absl::string_view otherwise) {
  const Json& value = At(object, path);
  return value.is_string() ? value.get<std::string>() : std::string(otherwise);
}

int64_t NumberAt(const Json& object, absl::string_view path, int64_t otherwise) {
  const Json& value = At(object, path);
  return value.is_number() ? value.get<int64_t>() : otherwise;
}

bool TruthAt(const Json& object, absl::string_view path, bool otherwise) {
  const Json& value = At(object, path);
  return value.is_boolean() ? value.get<bool>() : otherwise;
}

std::string LabelOf(const Json& object, const std::string& key) {
  const Json& labels = At(object, "metadata.labels");
  const auto found = labels.is_object() ? labels.find(key) : labels.end();
  return found != labels.end() && found->is_string() ? found->get<std::string>() : "";
}

std::string AnnotationOf(const Json& object, const std::string& key) {
  const Json& annotations = At(object, "metadata.annotations");
  const auto found = annotations.is_object() ? annotations.find(key) : annotations.end();
  return found != annotations.end() && found->is_string() ? found->get<std::string>() : "";
}

ObjectKey KeyOf(const Json& object) {
  return {TextAt(object, "kind"), TextAt(object, "metadata.namespace"),
          TextAt(object, "metadata.name")};
}

std::string UidOf(const Json& object) { return TextAt(object, "metadata.uid"); }

bool IsBeingDeleted(const Json& object) {
  return At(object, "metadata.deletionTimestamp").is_string();
}

std::string ToText(const Json& object) {
  return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string Timestamp(absl::Time time) {
  return absl::FormatTime(kTimestampFormat, time, absl::UTCTimeZone());
}

absl::Time ReadTimestamp(absl::string_view text) {
  absl::Time time;
  std::string error;
  return absl::ParseTime(absl::RFC3339_full, text, &time, &error) ? time : absl::InfiniteFuture();
}

std::string NewUid() {
  std::string hex = RandomHex(32);
  hex[12] = '4';
  hex[16] = "89ab"[hex[16] % 4];
  const absl::string_view v = hex;
  return absl::StrCat(v.substr(0, 8), "-", v.substr(8, 4), "-", v.substr(12, 4), "-",
                      v.substr(16, 4), "-", v.substr(20));
}

std::string ResourceOf(absl::string_view kind) {
  if (kind == "Endpoints") return "endpoints";
  std::string plural = absl::StrCat(absl::AsciiStrToLower(kind), "s");
  if (kind == "Deployment" || kind == "ReplicaSet" || kind == "DaemonSet") plural += ".apps";
  if (kind == "Job") plural += ".batch";
  return plural;
}

}  // namespace crisp::agent
