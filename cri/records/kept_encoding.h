// A message made from a record, as bytes, kept for as long as the record does not change.
//
// Ownership: shares the bytes with the answers that have them.
// Threads:   safe; one makes the bytes, others who want them wait for it.
#ifndef CRISP_CRI_RECORDS_KEPT_ENCODING_H_
#define CRISP_CRI_RECORDS_KEPT_ENCODING_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace crisp::cri {

using Encoded = std::shared_ptr<const std::string>;

class KeptEncoding {
 public:
  // What `make` made of the record when it had this version; the version is to be read
  // before the call, and `make` reads the record as it is then.
  template <typename F>  // std::string F()
  Encoded Get(uint64_t version, F make) {
    absl::MutexLock lock(&mu_);
    if (bytes_ == nullptr || version != version_) {
      bytes_ = std::make_shared<const std::string>(make());
      version_ = version;
    }
    return bytes_;
  }

 private:
  absl::Mutex mu_;
  Encoded bytes_ ABSL_GUARDED_BY(mu_);
  uint64_t version_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_RECORDS_KEPT_ENCODING_H_
