#include "cri/images/image_config.h"

#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "cri/containerd/digest.h"
#include "cri/images/json_fields.h"

namespace crisp::cri {
namespace {

using nlohmann::json;

absl::Status ReadRuntimePart(const json& object, ImageConfig* out) {
  CRISP_ASSIGN_OR_RETURN(out->env, TextsField(object, "Env"));
  CRISP_ASSIGN_OR_RETURN(out->entrypoint, TextsField(object, "Entrypoint"));
  CRISP_ASSIGN_OR_RETURN(out->cmd, TextsField(object, "Cmd"));
  CRISP_ASSIGN_OR_RETURN(out->working_dir, TextField(object, "WorkingDir"));
  CRISP_ASSIGN_OR_RETURN(out->user, TextField(object, "User"));
  CRISP_ASSIGN_OR_RETURN(out->stop_signal, TextField(object, "StopSignal"));
  CRISP_ASSIGN_OR_RETURN(out->volumes, KeysField(object, "Volumes"));
  CRISP_ASSIGN_OR_RETURN(out->exposed_ports, KeysField(object, "ExposedPorts"));
  CRISP_ASSIGN_OR_RETURN(out->labels, TextMapField(object, "Labels"));
  return absl::OkStatus();
}

absl::Status ReadRootfs(const json& object, ImageConfig* out) {
  CRISP_ASSIGN_OR_RETURN(const std::string type, TextField(object, "type"));
  if (type != "layers") {
    return absl::InvalidArgumentError(
        absl::StrCat("field \"type\": \"", type, "\", not \"layers\""));
  }
  CRISP_ASSIGN_OR_RETURN(out->diff_ids, TextsField(object, "diff_ids"));
  for (const std::string& diff_id : out->diff_ids) {
    CRISP_RETURN_IF_ERROR(Annotate(ValidateDigest(diff_id), "field \"diff_ids\""));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ImageConfig> ParseImageConfig(absl::string_view text, const std::string& id) {
  CRISP_ASSIGN_OR_RETURN(const json body, ParseJsonObject(text));
  ImageConfig out;
  out.id = id;
  CRISP_ASSIGN_OR_RETURN(out.platform.os, TextField(body, "os"));
  CRISP_ASSIGN_OR_RETURN(out.platform.architecture, TextField(body, "architecture"));
  CRISP_ASSIGN_OR_RETURN(out.platform.variant, TextField(body, "variant"));
  CRISP_ASSIGN_OR_RETURN(const json* config, ObjectField(body, "config"));
  if (config != nullptr) {
    CRISP_RETURN_IF_ERROR(Annotate(ReadRuntimePart(*config, &out), "field \"config\""));
  }
  CRISP_ASSIGN_OR_RETURN(const json* rootfs, ObjectField(body, "rootfs"));
  if (rootfs == nullptr) return absl::InvalidArgumentError("field \"rootfs\" is missing");
  CRISP_RETURN_IF_ERROR(Annotate(ReadRootfs(*rootfs, &out), "field \"rootfs\""));
  return out;
}

ImageUser UserOf(absl::string_view user) {
  const absl::string_view name = user.substr(0, user.find(':'));
  ImageUser out;
  bool digits = !name.empty();
  for (const char c : name) digits = digits && absl::ascii_isdigit(c);
  int64_t uid = 0;
  if (digits && absl::SimpleAtoi(name, &uid) && uid <= std::numeric_limits<int32_t>::max()) {
    out.uid = uid;
  } else {
    out.username = std::string(name);
  }
  return out;
}

}  // namespace crisp::cri
