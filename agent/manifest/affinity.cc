#include "agent/manifest/affinity.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "agent/manifest/names.h"

namespace crisp::agent {
namespace {

constexpr char kRequired[] = "requiredDuringSchedulingIgnoredDuringExecution";
constexpr char kPreferred[] = "preferredDuringSchedulingIgnoredDuringExecution";
constexpr char kHostname[] = "kubernetes.io/hostname";

void ReadFieldRequirement(ObjectReader& expression, Requirement* out) {
  std::string op;
  std::vector<std::string> values;
  const bool keyed = expression.Require("key", &out->key);
  const bool given = expression.Require("operator", &op);
  expression.Read("values", &values);
  if (given && op != "In" && op != "NotIn") {
    expression.Invalid("operator", op, "not a valid selector operator");
  } else if (given && values.size() != 1) {
    expression.Fail("values",
                    "Required value: must be only one value when `operator` is 'In' or 'NotIn' "
                    "for node field selector");
  }
  if (keyed && out->key != "metadata.name") {
    expression.Invalid("key", out->key, "not a valid field selector key");
  }
  out->op = op == "NotIn" ? Requirement::Op::kNotIn : Requirement::Op::kIn;
  out->values.insert(values.begin(), values.end());
}

void ReadNodeTerm(ObjectReader& reader, NodeSelectorTerm* out) {
  reader.Each("matchExpressions", [&](ObjectReader& expression) {
    ReadNodeRequirement(expression, &out->labels.emplace_back());
  });
  reader.Each("matchFields", [&](ObjectReader& expression) {
    ReadFieldRequirement(expression, &out->fields.emplace_back());
  });
}

void ReadWeight(ObjectReader& preference) {
  std::optional<int64_t> weight;
  preference.Read("weight", &weight, INT32_MIN, INT32_MAX);
  if (weight.value_or(0) < 1 || weight.value_or(0) > 100) {
    preference.Invalid("weight", weight.value_or(0), "must be in the range 1-100");
  }
}

void ReadNodeAffinity(ObjectReader& affinity, Affinity* out) {
  affinity.Object(kRequired, [&](ObjectReader& required) {
    std::vector<NodeSelectorTerm>& terms = out->node.emplace();
    required.Each("nodeSelectorTerms",
                  [&](ObjectReader& term) { ReadNodeTerm(term, &terms.emplace_back()); });
    if (terms.empty() && required.ok()) {
      required.Fail("nodeSelectorTerms",
                    "Required value: must have at least one node selector term");
    }
  });
  affinity.Each(kPreferred, [](ObjectReader& preference) {
    ReadWeight(preference);
    if (!preference.Has("preference")) preference.Fail("preference", "Required value");
    preference.Object("preference", [](ObjectReader& term) {
      NodeSelectorTerm unused;
      ReadNodeTerm(term, &unused);
    });
  });
}

void ReadPodTerm(ObjectReader& reader, bool required, PodAffinityTerm* out) {
  out->selects = reader.Has("labelSelector");
  reader.Object("labelSelector",
                [&](ObjectReader& selector) { ReadLabelSelector(selector, &out->labels); });
  reader.Read("namespaces", &out->namespaces);
  for (const std::string& ns : out->namespaces) {
    const std::string wrong = LabelNameError(ns);
    if (!wrong.empty()) reader.Invalid("namespaces", ns, wrong);
  }
  reader.Object("namespaceSelector", [&](ObjectReader& selector) {
    ReadLabelSelector(selector, &out->namespace_labels.emplace());
  });
  std::string topology;
  if (!reader.Has("topologyKey")) {
    reader.Fail("topologyKey", "Required value: can not be empty");
  } else if (reader.Require("topologyKey", &topology)) {
    const std::string wrong = LabelKeyError(topology);
    if (!wrong.empty()) {
      reader.Invalid("topologyKey", topology, wrong);
    } else if (required && topology != kHostname) {
      reader.Fail("topologyKey", absl::StrCat("Unsupported value: \"", topology,
                                              "\": supported values: \"", kHostname, "\""));
    }
  }
  reader.NotYet({"matchLabelKeys", "mismatchLabelKeys"});
}

void ReadPodAffinity(ObjectReader& affinity, std::vector<PodAffinityTerm>* out) {
  affinity.Each(kRequired, [&](ObjectReader& term) {
    ReadPodTerm(term, /*required=*/true, &out->emplace_back());
  });
  affinity.Each(kPreferred, [](ObjectReader& preference) {
    ReadWeight(preference);
    if (!preference.Has("podAffinityTerm")) preference.Fail("podAffinityTerm", "Required value");
    preference.Object("podAffinityTerm", [](ObjectReader& term) {
      PodAffinityTerm unused;
      ReadPodTerm(term, /*required=*/false, &unused);
    });
  });
}

}  // namespace

void ReadAffinity(ObjectReader& spec, Affinity* out) {
  spec.Object("affinity", [&](ObjectReader& affinity) {
    affinity.Object("nodeAffinity", [&](ObjectReader& node) { ReadNodeAffinity(node, out); });
    affinity.Object("podAffinity", [&](ObjectReader& pods) { ReadPodAffinity(pods, &out->with); });
    affinity.Object("podAntiAffinity",
                    [&](ObjectReader& pods) { ReadPodAffinity(pods, &out->apart); });
  });
}

}  // namespace crisp::agent
