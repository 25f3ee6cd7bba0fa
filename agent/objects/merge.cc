#include "agent/objects/merge.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace crisp::agent {
namespace {

// Lists whose elements have a name of their own. The same field name means the same
// thing in every kind. The second part of a name may be absent: it has a default.
struct MergeKey {
  const char* list;
  const char* first;
  const char* second = nullptr;
  const char* second_default = nullptr;
};
constexpr MergeKey kMergeKeys[] = {
    {"containers", "name"},
    {"ephemeralContainers", "name"},
    {"initContainers", "name"},
    {"ports", "containerPort", "protocol", "TCP"},
    {"env", "name"},
    {"volumes", "name"},
    {"volumeMounts", "mountPath"},
    {"volumeDevices", "devicePath"},
    {"hostAliases", "ip"},
    {"imagePullSecrets", "name"},
    {"ownerReferences", "uid"},
    {"topologySpreadConstraints", "topologyKey"},
};

const MergeKey* MergeKeyOf(absl::string_view list) {
  for (const MergeKey& key : kMergeKeys) {
    if (list == key.list) return &key;
  }
  return nullptr;
}

// A union: fields that go with another choice do not stay beside this one.
bool IsUnion(absl::string_view field) {
  return field == "volumes" || field == "strategy" || field == "updateStrategy";
}

// Who an element is, or null if it does not say.
Json IdentityOf(const Json& element, const MergeKey& key) {
  if (!element.is_object() || !element.contains(key.first)) return nullptr;
  Json identity = Json::array({element[key.first]});
  if (key.second != nullptr) {
    const auto found = element.find(key.second);
    identity.push_back(found != element.end() && found->is_string() ? *found
                                                                    : Json(key.second_default));
  }
  return identity;
}

const Json* FindElement(const Json& list, const Json& identity, const MergeKey& key) {
  if (!list.is_array()) return nullptr;
  const auto found = std::find_if(list.begin(), list.end(), [&](const Json& element) {
    return IdentityOf(element, key) == identity;
  });
  return found == list.end() ? nullptr : &*found;
}

Json WithoutNulls(const Json& value) {
  if (!value.is_structured()) return value;
  Json out = value.is_object() ? Json::object() : Json::array();
  for (const auto& [key, inner] : value.items()) {
    if (value.is_array()) {
      out.push_back(WithoutNulls(inner));
    } else if (!inner.is_null()) {
      out[key] = WithoutNulls(inner);
    }
  }
  return out;
}

Json Merge(const Json* original, const Json& modified, const Json& current, absl::string_view name);

Json MergeObjects(const Json* original, const Json& modified, const Json& current,
                  absl::string_view name) {
  Json out = current;
  if (original != nullptr && original->is_object()) {
    for (const auto& [field, value] : original->items()) {
      if (!modified.contains(field)) out.erase(field);
    }
  }
  for (const auto& [field, value] : modified.items()) {
    const auto there = out.find(field);
    if (value.is_null()) {
      out.erase(field);
    } else if (there == out.end()) {
      out[field] = WithoutNulls(value);
    } else {
      const Json* before = nullptr;
      if (original != nullptr && original->is_object() && original->contains(field)) {
        before = &(*original)[field];
      }
      *there = Merge(before, value, *there, field);
    }
  }
  if (!IsUnion(name)) return out;
  for (auto it = out.begin(); it != out.end();) {
    it = modified.contains(it.key()) ? std::next(it) : out.erase(it);
  }
  return out;
}

// In the order of the manifest; what it does not know comes after.
Json MergeLists(const Json* original, const Json& modified, const Json& current,
                const MergeKey& key) {
  Json out = Json::array();
  std::vector<Json> seen;
  for (const Json& element : modified) {
    const Json identity = IdentityOf(element, key);
    const Json* there = identity.is_null() ? nullptr : FindElement(current, identity, key);
    if (there == nullptr) {
      out.push_back(WithoutNulls(element));
    } else {
      const Json* before = original == nullptr ? nullptr : FindElement(*original, identity, key);
      out.push_back(Merge(before, element, *there, key.list));
    }
    seen.push_back(identity);
  }
  for (const Json& element : current) {
    const Json identity = IdentityOf(element, key);
    if (std::find(seen.begin(), seen.end(), identity) != seen.end()) continue;
    if (original != nullptr && FindElement(*original, identity, key) != nullptr) continue;
    out.push_back(element);
  }
  return out;
}

Json Merge(const Json* original, const Json& modified, const Json& current,
           absl::string_view name) {
  if (modified.is_object() && current.is_object()) {
    return MergeObjects(original, modified, current, name);
  }
  const MergeKey* key = MergeKeyOf(name);
  if (key != nullptr && modified.is_array() && current.is_array()) {
    return MergeLists(original, modified, current, *key);
  }
  return WithoutNulls(modified);
}

}  // namespace

Json ThreeWayMerge(const Json& original, const Json& modified, const Json& current) {
  return Merge(original.is_null() ? nullptr : &original, modified, current, "");
}

}  // namespace crisp::agent
