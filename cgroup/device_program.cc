#include "cgroup/device_program.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"

namespace crisp::cgroup {
namespace {

constexpr char kName[] = "crisp_devices";  // At most 15 characters (BPF_OBJ_NAME_LEN).

// Registers of the program.
constexpr uint8_t kResult = BPF_REG_0;
constexpr uint8_t kContext = BPF_REG_1;  // A bpf_cgroup_dev_ctx; free after the prologue.
constexpr uint8_t kType = BPF_REG_2;
constexpr uint8_t kAccess = BPF_REG_3;
constexpr uint8_t kMajor = BPF_REG_4;
constexpr uint8_t kMinor = BPF_REG_5;
constexpr uint8_t kScratch = BPF_REG_1;

bpf_insn Load(uint8_t to, int16_t offset) {
  return {.code = BPF_LDX | BPF_MEM | BPF_W,
          .dst_reg = to,
          .src_reg = kContext,
          .off = offset,
          .imm = 0};
}
bpf_insn Move(uint8_t to, uint8_t from) {
  return {.code = BPF_ALU | BPF_MOV | BPF_X, .dst_reg = to, .src_reg = from, .off = 0, .imm = 0};
}
bpf_insn Compute(uint8_t operation, uint8_t to, int32_t value) {
  return {.code = static_cast<uint8_t>(BPF_ALU | operation | BPF_K),
          .dst_reg = to,
          .src_reg = 0,
          .off = 0,
          .imm = value};
}
bpf_insn JumpIf(uint8_t comparison, uint8_t left, int32_t value) {
  return {.code = static_cast<uint8_t>(BPF_JMP32 | comparison | BPF_K),
          .dst_reg = left,
          .src_reg = 0,
          .off = 0,
          .imm = value};
}
bpf_insn Exit() {
  return {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0};
}

int32_t AccessBits(absl::string_view access) {
  return (absl::StrContains(access, 'm') ? BPF_DEVCG_ACC_MKNOD : 0) |
         (absl::StrContains(access, 'r') ? BPF_DEVCG_ACC_READ : 0) |
         (absl::StrContains(access, 'w') ? BPF_DEVCG_ACC_WRITE : 0);
}

// Ends the program with the exception's answer if the access is its.
void AppendException(const DevicePolicy::Device& device, absl::string_view access, bool allow,
                     std::vector<bpf_insn>* out) {
  const auto& [type, major, minor] = device;
  const size_t first = out->size();
  out->push_back(JumpIf(BPF_JNE, kType, type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR));
  // An allowance must hold all that is asked for; a denial refuses for any part of it.
  out->push_back(Move(kScratch, kAccess));
  const int32_t bits = AccessBits(access);
  out->push_back(Compute(BPF_AND, kScratch, allow ? 7 & ~bits : bits));
  out->push_back(JumpIf(allow ? BPF_JNE : BPF_JEQ, kScratch, 0));
  if (major != DevicePolicy::kAll) {
    out->push_back(JumpIf(BPF_JNE, kMajor, static_cast<int32_t>(major)));
  }
  if (minor != DevicePolicy::kAll) {
    out->push_back(JumpIf(BPF_JNE, kMinor, static_cast<int32_t>(minor)));
  }
  out->push_back(Compute(BPF_MOV, kResult, allow ? 1 : 0));
  out->push_back(Exit());
  // All jumps lead behind this exception.
  for (size_t i = first; i < out->size(); ++i) {
    bpf_insn& insn = (*out)[i];
    if (BPF_CLASS(insn.code) == BPF_JMP32) insn.off = static_cast<int16_t>(out->size() - i - 1);
  }
}

absl::StatusOr<long> Bpf(const char* what, int command, bpf_attr* attr) {
  return SysValue(what, [&] { return ::syscall(SYS_bpf, command, attr, sizeof(*attr)); });
}

absl::StatusOr<UniqueFd> LoadProgram(const std::vector<bpf_insn>& program) {
  bpf_attr attr;
  std::memset(&attr, 0, sizeof(attr));
  attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  attr.insn_cnt = static_cast<uint32_t>(program.size());
  attr.insns = reinterpret_cast<uint64_t>(program.data());
  attr.license = reinterpret_cast<uint64_t>("Apache-2.0");  // No helper asks for another.
  std::memcpy(attr.prog_name, kName, sizeof(kName));
  CRISP_ASSIGN_OR_RETURN(const long fd, Bpf("load the device program", BPF_PROG_LOAD, &attr));
  return UniqueFd(static_cast<int>(fd));
}

// The program that an earlier call attached, or none.
absl::StatusOr<UniqueFd> FindOurs(int directory) {
  uint32_t ids[64];  // BPF_CGROUP_MAX_PROGS
  bpf_attr attr;
  std::memset(&attr, 0, sizeof(attr));
  attr.query.target_fd = static_cast<uint32_t>(directory);
  attr.query.attach_type = BPF_CGROUP_DEVICE;
  attr.query.prog_ids = reinterpret_cast<uint64_t>(ids);
  attr.query.prog_cnt = std::size(ids);
  CRISP_RETURN_IF_ERROR(Bpf("list the device programs", BPF_PROG_QUERY, &attr).status());
  const uint32_t count = attr.query.prog_cnt;
  for (uint32_t i = 0; i < count; ++i) {
    std::memset(&attr, 0, sizeof(attr));
    attr.prog_id = ids[i];
    const auto fd = Bpf("open a device program", BPF_PROG_GET_FD_BY_ID, &attr);
    if (ErrnoOf(fd.status()) == ENOENT) continue;  // Detached meanwhile.
    CRISP_RETURN_IF_ERROR(fd.status());
    UniqueFd program(static_cast<int>(*fd));
    bpf_prog_info info;
    std::memset(&info, 0, sizeof(info));
    std::memset(&attr, 0, sizeof(attr));
    attr.info.bpf_fd = static_cast<uint32_t>(program.get());
    attr.info.info_len = sizeof(info);
    attr.info.info = reinterpret_cast<uint64_t>(&info);
    CRISP_RETURN_IF_ERROR(Bpf("ask a device program", BPF_OBJ_GET_INFO_BY_FD, &attr).status());
    if (absl::string_view(info.name) == kName) return program;
  }
  return UniqueFd();
}

}  // namespace

std::vector<bpf_insn> DeviceProgram(const DevicePolicy& policy) {
  std::vector<bpf_insn> out = {
      // access_type holds the type in its lower half, the access in its upper.
      Load(kType, offsetof(bpf_cgroup_dev_ctx, access_type)),
      Load(kMajor, offsetof(bpf_cgroup_dev_ctx, major)),
      Load(kMinor, offsetof(bpf_cgroup_dev_ctx, minor)),
      Move(kAccess, kType),
      Compute(BPF_RSH, kAccess, 16),
      Compute(BPF_AND, kType, 0xffff),
  };
  for (const auto& [device, access] : policy.exceptions) {
    AppendException(device, access, !policy.allow_others, &out);
  }
  out.push_back(Compute(BPF_MOV, kResult, policy.allow_others ? 1 : 0));
  out.push_back(Exit());
  return out;
}

absl::Status AttachDevicePolicy(int directory, const DevicePolicy& policy) {
  CRISP_ASSIGN_OR_RETURN(const UniqueFd old, FindOurs(directory));
  CRISP_ASSIGN_OR_RETURN(const UniqueFd program, LoadProgram(DeviceProgram(policy)));
  bpf_attr attr;
  std::memset(&attr, 0, sizeof(attr));
  attr.target_fd = static_cast<uint32_t>(directory);
  attr.attach_bpf_fd = static_cast<uint32_t>(program.get());
  attr.attach_type = BPF_CGROUP_DEVICE;
  // MULTI: systemd or a nested runtime may attach theirs beside it.
  attr.attach_flags = BPF_F_ALLOW_MULTI;
  if (old.ok()) {
    attr.attach_flags |= BPF_F_REPLACE;
    attr.replace_bpf_fd = static_cast<uint32_t>(old.get());
  }
  return Bpf("attach the device program", BPF_PROG_ATTACH, &attr).status();
}

}  // namespace crisp::cgroup
