// The version of this build of crisp.
#ifndef CRISP_BASE_VERSION_H_
#define CRISP_BASE_VERSION_H_

namespace crisp {

inline constexpr char kCrispVersion[] = "0.1.0";

}  // namespace crisp

#endif  // CRISP_BASE_VERSION_H_
