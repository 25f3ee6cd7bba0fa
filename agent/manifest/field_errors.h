// What is wrong with one object: all of it, in the order in which its fields are read.
//
// Two kinds stand apart, as they do in Kubernetes: a field that no such object has is a
// decoding error, and where there is one nothing else is told.
//
// Ownership: plain data. Threads: one thread.
// Bounds:    a hostile object has no more to say than kMostErrors lines of kLongestError bytes;
//            how many were left out is the last of them.
#ifndef CRISP_AGENT_MANIFEST_FIELD_ERRORS_H_
#define CRISP_AGENT_MANIFEST_FIELD_ERRORS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace crisp::agent {

class FieldErrors {
 public:
  static constexpr size_t kMostErrors = 64;
  static constexpr size_t kLongestError = 1024;

  // "spec.containers[0].image: Required value".
  void Add(std::string error);
  // A field of Kubernetes' API that is not carried out here: "path: not supported yet".
  void AddUnsupported(absl::string_view path);
  // "unknown field \"spec.hostnam\"".
  void AddUndecodable(std::string error);

  bool empty() const { return count_ == 0; }
  // How many there were; grows with each Add.
  size_t count() const { return count_; }

  // One error as it stands, several as "[a, b]"; "strict decoding error: a, b". Unimplemented
  // if fields that are not supported are all there is, else InvalidArgument.
  absl::Status ToStatus() const;
  // As kubectl prints them: "The Pod "web" is invalid: a", or a list of lines with "* ".
  absl::Status ToStatus(absl::string_view kind, absl::string_view name,
                        absl::string_view api_version) const;

 private:
  struct Error {
    std::string text;
    bool unsupported = false;
  };
  void Keep(std::string text, bool unsupported, std::vector<Error>* out);
  std::vector<std::string> Texts(const std::vector<Error>& errors) const;
  std::string Undecodable() const;

  std::vector<Error> invalid_, undecodable_;
  size_t count_ = 0;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_MANIFEST_FIELD_ERRORS_H_
