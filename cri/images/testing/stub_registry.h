// A registry of test images behind an HttpStub, with hooks for what goes wrong.
#ifndef CRISP_CRI_IMAGES_TESTING_STUB_REGISTRY_H_
#define CRISP_CRI_IMAGES_TESTING_STUB_REGISTRY_H_

#include <functional>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "cri/images/testing/http_stub.h"
#include "cri/images/testing/test_image.h"

namespace crisp::cri {

class StubRegistry {
 public:
  // Looks at a request first; an answer from here is final.
  using Hook = std::function<absl::optional<StubReply>(const StubRequest&)>;

  explicit StubRegistry(Hook hook = nullptr)
      : hook_(std::move(hook)), http([this](const StubRequest& r) { return Answer(r); }) {}

  // Before the first request.
  void Add(const TestImage& image, const std::string& repository, const std::string& tag) {
    for (const auto& [digest, bytes] : image.blobs) {
      blobs_[digest] = bytes;
      // What is a document is known by its media type.
    }
    types_[image.digest] = image.media_type;
    tags_[absl::StrCat(repository, ":", tag)] = image.digest;
  }

  // The honest answer, for hooks that spoil it.
  StubReply Answer(const StubRequest& request, bool with_hook = true) {
    if (with_hook && hook_) {
      if (absl::optional<StubReply> reply = hook_(request)) return *std::move(reply);
    }
    for (const char* kind : {"/manifests/", "/blobs/"}) {
      const size_t at = request.path.find(kind);
      if (at == std::string::npos || !absl::StartsWith(request.path, "/v2/")) continue;
      const std::string repository = request.path.substr(4, at - 4);
      std::string object = request.path.substr(at + std::string(kind).size());
      const auto tag = tags_.find(absl::StrCat(repository, ":", object));
      if (tag != tags_.end()) object = tag->second;
      const auto blob = blobs_.find(object);
      if (blob == blobs_.end()) break;
      return Deliver(request, object, blob->second);
    }
    return {.status = 404,
            .body = R"({"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]})"};
  }

 private:
  StubReply Deliver(const StubRequest& request, const std::string& digest,
                    const std::string& bytes) const {
    StubReply reply;
    const auto type = types_.find(digest);
    reply.headers = {{"Docker-Content-Digest", digest},
                     {"Content-Type", type != types_.end() ? type->second
                                      : absl::StrContains(request.path, "/manifests/")
                                          ? "application/vnd.oci.image.manifest.v1+json"
                                          : "application/octet-stream"}};
    int64_t from = 0;
    const std::string range = request.Header("range");
    if (absl::StartsWith(range, "bytes=") &&
        absl::SimpleAtoi(range.substr(6, range.size() - 7), &from)) {
      reply.status = 206;
      reply.headers.emplace_back(
          "Content-Range", absl::StrCat("bytes ", from, "-", bytes.size() - 1, "/", bytes.size()));
    }
    reply.body = bytes.substr(static_cast<size_t>(from));
    return reply;
  }

  const Hook hook_;
  std::map<std::string, std::string> blobs_, types_, tags_;

 public:
  HttpStub http;  // Last: its threads use all of the above.
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_TESTING_STUB_REGISTRY_H_
