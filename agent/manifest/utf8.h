// Whether bytes are text, as Kubernetes means it: well-formed UTF-8.
#ifndef CRISP_AGENT_MANIFEST_UTF8_H_
#define CRISP_AGENT_MANIFEST_UTF8_H_

#include "absl/strings/string_view.h"

namespace crisp::agent {

// Surrogates, overlong forms and code points above U+10FFFF are refused.
bool IsUtf8(absl::string_view bytes);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_MANIFEST_UTF8_H_
