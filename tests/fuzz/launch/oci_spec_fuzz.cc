// OCI specs and processes from anybody: reading and planning one never crashes, hangs or
// grows without bound, and no plan puts anything at the root or into /proc but what may
// be there.
//
//   bazel build --config=fuzz //tests/fuzz/launch:oci_spec
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "shim/launch/mount_plan.h"
#include "shim/launch/spec_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  (void)crisp::shim::ParseProcess(text);
  const auto spec = crisp::shim::ParseSpec(text);
  if (!spec.ok()) return 0;
  crisp::shim::PlanContext context;
  context.bundle = "/bundle";
  context.crisp_options = size % 2 == 0;
  context.cgroup_path = "/pod";
  context.hosts.v1 = {{{"memory"}, "/sys/fs/cgroup/memory"}};
  const auto plan = crisp::shim::PlanMounts(*spec, context);
  if (!plan.ok()) return 0;
  for (const auto& mount : plan->mounts) {
    if (mount.destination.empty() || mount.destination.front() != '/' || mount.destination == "/" ||
        mount.destination.find("/../") != std::string::npos) {
      std::abort();
    }
  }
  return 0;
}
