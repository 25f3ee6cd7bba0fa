// One GET, as probes and hooks make it unless told otherwise: no proxy, no check of
// certificates, redirects on the same host alone.
//
// Threads: free function, blocks for `timeout` at most.
// Errors:  Unavailable with the reason when there was no answer; DeadlineExceeded;
//          InvalidArgument for a header that cannot be sent; OutOfRange for a body that
//          is too long.
#ifndef CRISP_AGENT_PROBES_HTTP_GET_H_
#define CRISP_AGENT_PROBES_HTTP_GET_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace crisp::agent {

struct HttpGetRequest {
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  absl::Duration timeout = absl::Seconds(1);
  size_t max_body = 10 << 10;
  bool may_truncate = true;  // The rest of a longer body is left; else it is an error.
  bool check_certificates = false;
};

struct HttpGetReply {
  long status = 0;
  std::string body;
  // The last answer was a redirect to another host, which is not followed.
  bool redirects_elsewhere = false;
};

absl::StatusOr<HttpGetReply> HttpGet(const HttpGetRequest& request);

// "http://10.0.0.1:80/path"; an IPv6 address gets its brackets.
std::string MakeUrl(const std::string& scheme, const std::string& host, int port,
                    const std::string& path);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_PROBES_HTTP_GET_H_
