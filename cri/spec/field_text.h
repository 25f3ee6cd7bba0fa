// How a request's texts are judged, and how a refusal reads: "<field>: <reason>".
//
// Threads: free functions.
#ifndef CRISP_CRI_SPEC_FIELD_TEXT_H_
#define CRISP_CRI_SPEC_FIELD_TEXT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace crisp::cri {

// InvalidArgument "<field>: <reason>".
absl::Status BadField(absl::string_view field, absl::string_view reason);

// Quoted and escaped for a message, cut to a length that a log line bears.
std::string Quoted(absl::string_view text);

// Any byte below 0x20, or DEL: what could start a line or end a string early.
bool HasControl(absl::string_view text);

// A path inside the container: absolute, UTF-8, without ".." elements or control
// characters, and not the root. The result is clean.
absl::StatusOr<std::string> CheckContainerPath(absl::string_view field, absl::string_view path);

// The same for a path on the host, where the root is allowed.
absl::StatusOr<std::string> CheckHostPath(absl::string_view field, absl::string_view path);

}  // namespace crisp::cri

#endif  // CRISP_CRI_SPEC_FIELD_TEXT_H_
