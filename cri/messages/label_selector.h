// CRI's label selector: every pair of the selector is among the labels.
#ifndef CRISP_CRI_MESSAGES_LABEL_SELECTOR_H_
#define CRISP_CRI_MESSAGES_LABEL_SELECTOR_H_

#include <google/protobuf/map.h>

#include <string>

namespace crisp::cri {

using Labels = google::protobuf::Map<std::string, std::string>;

inline bool Selects(const Labels& selector, const Labels& labels) {
  for (const auto& [key, value] : selector) {
    const auto found = labels.find(key);
    if (found == labels.end() || found->second != value) return false;
  }
  return true;
}

}  // namespace crisp::cri

#endif  // CRISP_CRI_MESSAGES_LABEL_SELECTOR_H_
