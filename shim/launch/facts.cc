#include "shim/launch/facts.h"

#include "base/status_macros.h"
#include "shim/launch/protocol.h"

namespace crisp::shim {

std::string ExecFacts::Encode() const {
  WireWriter writer;
  writer.Number(namespaces);
  writer.Text(seccomp_key);
  writer.Text(seccomp_key.empty() ? seccomp_program : "");
  writer.Number(seccomp_flags);
  writer.Number(own_keyring ? 1 : 0);
  return writer.Take();
}

absl::StatusOr<ExecFacts> ExecFacts::Decode(const std::string& bytes) {
  WireReader reader(bytes);
  ExecFacts facts;
  facts.namespaces = reader.Number();
  facts.seccomp_key = reader.Text();
  facts.seccomp_program = reader.Text();
  facts.seccomp_flags = reader.Number();
  facts.own_keyring = reader.Number() != 0;
  CRISP_RETURN_IF_ERROR(Annotate(reader.Done(), "exec facts"));
  return facts;
}

std::string EncodeFacts(const ContainerFacts& facts) {
  WireWriter writer;
  writer.Number(static_cast<uint32_t>(facts.pid));
  writer.Text(facts.cgroup_path);
  writer.Number(facts.private_pid_namespace ? 1 : 0);
  writer.Text(facts.hooks_json);
  writer.Text(facts.exec_facts);
  return writer.Take();
}

absl::StatusOr<ContainerFacts> DecodeFacts(const std::string& bytes) {
  WireReader reader(bytes);
  ContainerFacts facts;
  facts.pid = static_cast<pid_t>(reader.Number());
  facts.cgroup_path = reader.Text();
  facts.private_pid_namespace = reader.Number() != 0;
  facts.hooks_json = reader.Text();
  facts.exec_facts = reader.Text();
  CRISP_RETURN_IF_ERROR(Annotate(reader.Done(), "container facts"));
  return facts;
}

}  // namespace crisp::shim
