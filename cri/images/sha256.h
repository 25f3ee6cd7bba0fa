// The digest of bytes that arrive in pieces. Whole strings: cri/containerd/digest.h.
//
// Threads: a Sha256 belongs to one thread.
#ifndef CRISP_CRI_IMAGES_SHA256_H_
#define CRISP_CRI_IMAGES_SHA256_H_

#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace crisp::cri {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void Update(absl::string_view data);
  std::string Finish();  // "sha256:…"; once.

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_SHA256_H_
