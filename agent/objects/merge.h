// The three-way merge of `kubectl apply`.
//
// What the manifest says wins; what an earlier manifest said and this one does not is
// taken away; all else stays as it is. Lists of containers, ports, variables, volumes
// and such are merged element by element, by the field that names one.
//
// Threads: a free function over values.
#ifndef CRISP_AGENT_OBJECTS_MERGE_H_
#define CRISP_AGENT_OBJECTS_MERGE_H_

#include "agent/store/object.h"

namespace crisp::agent {

// `original`: what was applied last, or null. A null in `modified` takes a field away.
Json ThreeWayMerge(const Json& original, const Json& modified, const Json& current);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_OBJECTS_MERGE_H_
