// `-info`: what containerd from 2.0 on asks a runtime about itself.
#ifndef CRISP_SHIM_MAIN_INFO_H_
#define CRISP_SHIM_MAIN_INFO_H_

#include "api/shim/wire/bootstrap.pb.h"

namespace crisp::shim {

// With the OCI runtime features (https://github.com/opencontainers/runtime-spec,
// features.md): without them containerd refuses specs with idmapped mounts.
wire::RuntimeInfo Info();

}  // namespace crisp::shim

#endif  // CRISP_SHIM_MAIN_INFO_H_
