#include "agent/controllers/pod_affinity.h"

#include <algorithm>
#include <map>

#include "agent/manifest/affinity.h"
#include "agent/manifest/field_errors.h"
#include "agent/manifest/labels.h"
#include "agent/manifest/object_reader.h"

namespace crisp::agent {
namespace {

// The label that each namespace of a cluster has.
constexpr char kNamespaceName[] = "kubernetes.io/metadata.name";

// Of a stored spec, which was valid when it was stored.
Affinity AffinityOf(const Json& spec) {
  Affinity out;
  if (!At(spec, "affinity").is_object()) return out;
  FieldErrors ignored;
  ObjectReader reader(spec, "", &ignored);
  ReadAffinity(reader, &out);
  return out;
}

// Whether `term` of a pod in namespace `ns` means `pod`.
bool Means(const PodAffinityTerm& term, const std::string& ns, const Json& pod) {
  if (!term.selects || !AllMatch(term.labels, At(pod, "metadata.labels"))) return false;
  const std::string theirs = TextAt(pod, "metadata.namespace");
  if (std::find(term.namespaces.begin(), term.namespaces.end(), theirs) != term.namespaces.end()) {
    return true;
  }
  if (term.namespace_labels.has_value()) {
    return AllMatch(*term.namespace_labels, Labels{{kNamespaceName, theirs}});
  }
  return term.namespaces.empty() && theirs == ns;
}

bool AnyMeans(const std::vector<PodAffinityTerm>& terms, const std::string& ns, const Json& pod) {
  return std::any_of(terms.begin(), terms.end(),
                     [&](const PodAffinityTerm& term) { return Means(term, ns, pod); });
}

bool AllMean(const std::vector<PodAffinityTerm>& terms, const std::string& ns, const Json& pod) {
  return std::all_of(terms.begin(), terms.end(),
                     [&](const PodAffinityTerm& term) { return Means(term, ns, pod); });
}

// Kubernetes counts the pods that all terms mean. The first of a group that wants to be
// together finds nobody there: it may come if it is what it asks for.
bool CompanyIsThere(const Affinity& affinity, const Json& pod,
                    const std::vector<ObjectPtr>& there) {
  const std::string ns = TextAt(pod, "metadata.namespace");
  const bool found = std::any_of(there.begin(), there.end(), [&](const ObjectPtr& other) {
    return AllMean(affinity.with, ns, *other);
  });
  return found || affinity.with.empty() || AllMean(affinity.with, ns, pod);
}

}  // namespace

bool NodeMatches(const Json& pod_spec, const Json& node) {
  const Json& labels = At(node, "metadata.labels");
  if (const Json& wanted = At(pod_spec, "nodeSelector"); wanted.is_object()) {
    for (const auto& [key, value] : wanted.items()) {
      if (!labels.is_object() || !labels.contains(key) || labels[key] != value) return false;
    }
  }
  const Affinity affinity = AffinityOf(pod_spec);
  if (!affinity.node.has_value()) return true;
  const Labels fields = {{"metadata.name", TextAt(node, "metadata.name")}};
  return std::any_of(affinity.node->begin(), affinity.node->end(),
                     [&](const NodeSelectorTerm& term) {
                       return !(term.labels.empty() && term.fields.empty()) &&
                              AllMatch(term.labels, labels) && AllMatch(term.fields, fields);
                     });
}

std::vector<std::string> AffinityReasons(const Json& pod, const std::vector<ObjectPtr>& there) {
  const std::string ns = TextAt(pod, "metadata.namespace");
  const Affinity affinity = AffinityOf(At(pod, "spec"));
  std::vector<std::string> reasons;
  if (!CompanyIsThere(affinity, pod, there)) {
    reasons.emplace_back("1 node(s) didn't match pod affinity rules");
  }
  if (std::any_of(there.begin(), there.end(),
                  [&](const ObjectPtr& other) { return AnyMeans(affinity.apart, ns, *other); })) {
    reasons.emplace_back("1 node(s) didn't match pod anti-affinity rules");
  }
  if (std::any_of(there.begin(), there.end(), [&](const ObjectPtr& other) {
        return AnyMeans(AffinityOf(At(*other, "spec")).apart, TextAt(*other, "metadata.namespace"),
                        pod);
      })) {
    reasons.emplace_back("1 node(s) didn't satisfy existing pods anti-affinity rules");
  }
  return reasons;
}

}  // namespace crisp::agent
