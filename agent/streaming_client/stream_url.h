// The URL of a stream, as CRI answers it.
#ifndef CRISP_AGENT_STREAMING_CLIENT_STREAM_URL_H_
#define CRISP_AGENT_STREAMING_CLIENT_STREAM_URL_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace crisp::cli {

struct StreamUrl {
  std::string host, port, path;

  // http://HOST:PORT/PATH. Unimplemented for https.
  static absl::StatusOr<StreamUrl> Parse(absl::string_view url);
};

}  // namespace crisp::cli

#endif  // CRISP_AGENT_STREAMING_CLIENT_STREAM_URL_H_
