// An HTTP/1.1 server on loopback for tests, whose every answer a test decides,
// down to where the connection breaks.
//
// Ownership: owns the socket and a thread per connection; the destructor ends them.
// Threads:   the handler runs on many at once.
#ifndef CRISP_CRI_IMAGES_TESTING_HTTP_STUB_H_
#define CRISP_CRI_IMAGES_TESTING_HTTP_STUB_H_

#include <atomic>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/unique_fd.h"

namespace crisp::cri {

struct StubRequest {
  std::string method;
  std::string path;                            // Without the query.
  std::string query;                           // After the '?'.
  std::map<std::string, std::string> headers;  // Names in lower case.
  std::string body;

  std::string Header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

struct StubReply {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  int64_t content_length = -1;  // -1: the body's size. HEAD replies use it too.
  int64_t cut_after = -1;       // Bytes of the body after which the connection breaks,
  bool stall = false;           // or, with this, merely goes silent.
};

class HttpStub {
 public:
  using Handler = std::function<StubReply(const StubRequest&)>;

  explicit HttpStub(Handler handler);
  ~HttpStub();

  int port() const { return port_; }
  std::string Address() const;  // "localhost:PORT"
  std::vector<StubRequest> Requests() const;
  // How many requests had this method and a path ending so.
  int Count(const std::string& method, const std::string& path_end) const;

 private:
  void Accept();
  void Serve(int fd);

  const Handler handler_;
  UniqueFd listener_;
  int port_ = 0;
  std::atomic<bool> stop_{false};
  std::thread acceptor_;
  mutable absl::Mutex mu_;
  std::vector<StubRequest> requests_ ABSL_GUARDED_BY(mu_);
  std::vector<std::thread> connections_ ABSL_GUARDED_BY(mu_);
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_TESTING_HTTP_STUB_H_
