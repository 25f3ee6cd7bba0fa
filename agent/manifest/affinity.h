// spec.affinity: what of it decides whether a pod can be on a machine that is the only one.
// Preferences choose between nodes; they are checked and then say nothing.
//
// Ownership: plain data. Threads: free functions.
// Errors:    of reading, to the reader's errors. What only several nodes could carry out is
//            refused by name.
#ifndef CRISP_AGENT_MANIFEST_AFFINITY_H_
#define CRISP_AGENT_MANIFEST_AFFINITY_H_

#include <optional>
#include <string>
#include <vector>

#include "agent/manifest/labels.h"
#include "agent/manifest/object_reader.h"

namespace crisp::agent {

// Met by a node that meets all of it; a term that asks for nothing is met by none.
struct NodeSelectorTerm {
  std::vector<Requirement> labels;
  std::vector<Requirement> fields;  // By the field: metadata.name is the only one.
};

// Which pods, in which namespaces. The topology is always the node itself.
struct PodAffinityTerm {
  bool selects = false;  // Without a labelSelector no pod is meant.
  std::vector<Requirement> labels;
  std::vector<std::string> namespaces;
  // Empty: every namespace. Absent, and `namespaces` empty: the pod's own.
  std::optional<std::vector<Requirement>> namespace_labels;
};

struct Affinity {
  // Of one of them the node must be. Absent: of any kind.
  std::optional<std::vector<NodeSelectorTerm>> node;
  std::vector<PodAffinityTerm> with, apart;
};

// Reads the field `affinity` of a pod's spec.
void ReadAffinity(ObjectReader& spec, Affinity* out);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_MANIFEST_AFFINITY_H_
