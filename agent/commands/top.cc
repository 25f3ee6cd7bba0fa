#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "agent/commands/commands.h"
#include "agent/commands/session.h"
#include "agent/commands/targets.h"
#include "agent/output/fields.h"
#include "agent/output/table.h"
#include "base/status_macros.h"

namespace crisp::cli {
namespace {

struct Flags {
  std::string name, ns, selector, sort_by;
  bool containers = false, all_namespaces = false, no_headers = false;
};

constexpr int64_t kMebi = 1 << 20;

// Rounded up, as kubectl shows them: an idle container uses 1m.
std::string Cpu(int64_t nano_cores) {
  return absl::StrCat((nano_cores + 999'999) / 1'000'000, "m");
}
std::string Memory(int64_t bytes) { return absl::StrCat(bytes / kMebi, "Mi"); }

struct Usage {
  int64_t cpu = 0, memory = 0;
};

Usage UsageOf(const PodUsage& pod) {
  Usage sum;
  for (const ContainerUsage& each : pod.containers) {
    sum.cpu += each.cpu_nano_cores;
    sum.memory += each.memory_bytes;
  }
  return sum;
}

absl::Status TopPods(const Flags& flags, Session& session) {
  CRISP_ASSIGN_OR_RETURN(
      std::vector<PodUsage> pods,
      session.agent().Stats(flags.all_namespaces ? "" : Session::NamespaceOr(flags.ns), flags.name,
                            flags.selector));
  if (pods.empty()) {
    if (!flags.name.empty()) {
      return absl::NotFoundError(absl::StrCat("Metrics not available for pod ",
                                              Session::NamespaceOr(flags.ns), "/", flags.name));
    }
    session.err << "No resources found"
                << (flags.all_namespaces
                        ? ""
                        : absl::StrCat(" in ", Session::NamespaceOr(flags.ns), " namespace."))
                << std::endl;
    return absl::OkStatus();
  }
  if (!flags.sort_by.empty()) {
    std::stable_sort(pods.begin(), pods.end(), [&](const PodUsage& a, const PodUsage& b) {
      const Usage left = UsageOf(a), right = UsageOf(b);
      return flags.sort_by == "cpu" ? left.cpu > right.cpu : left.memory > right.memory;
    });
  }
  std::vector<Row> rows;
  if (!flags.no_headers) {
    rows.emplace_back();
    if (flags.all_namespaces) rows[0].push_back("NAMESPACE");
    if (flags.containers) {
      rows[0].insert(rows[0].end(), {"POD", "NAME"});
    } else {
      rows[0].push_back("NAME");
    }
    rows[0].insert(rows[0].end(), {"CPU(cores)", "MEMORY(bytes)"});
  }
  for (const PodUsage& pod : pods) {
    const auto add = [&](const char* container, const Usage& usage) {
      Row row;
      if (flags.all_namespaces) row.push_back(pod.ns);
      row.push_back(pod.name);
      if (container != nullptr) row.push_back(container);
      row.insert(row.end(), {Cpu(usage.cpu), Memory(usage.memory)});
      rows.push_back(row);
    };
    if (!flags.containers) add(nullptr, UsageOf(pod));
    for (const ContainerUsage& each : pod.containers) {
      if (flags.containers) add(each.name.c_str(), {each.cpu_nano_cores, each.memory_bytes});
    }
  }
  session.out << FormatTable(rows);
  return absl::OkStatus();
}

// "4", "3900m"; thousandths of a core.
int64_t CpuQuantity(absl::string_view text) {
  int64_t number = 0;
  if (absl::ConsumeSuffix(&text, "m")) return absl::SimpleAtoi(text, &number) ? number : 0;
  return absl::SimpleAtoi(text, &number) ? number * 1000 : 0;
}

// "16Gi", "16384Ki", "123456".
int64_t MemoryQuantity(absl::string_view text) {
  int64_t number = 0;
  int64_t unit = 1;
  for (const auto& [suffix, size] :
       {std::pair{"Ki", int64_t{1} << 10}, std::pair{"Mi", kMebi},
        std::pair{"Gi", int64_t{1} << 30}, std::pair{"Ti", int64_t{1} << 40}}) {
    if (absl::ConsumeSuffix(&text, suffix)) unit = size;
  }
  return absl::SimpleAtoi(text, &number) ? number * unit : 0;
}

std::string Percent(int64_t part, int64_t whole) {
  return whole == 0 ? "<unknown>" : absl::StrCat(part * 100 / whole, "%");
}

// The node's use is that of its pods: this machine runs more than them.
absl::Status TopNode(const Flags& flags, Session& session) {
  CRISP_ASSIGN_OR_RETURN(const ObjectList nodes,
                         session.agent().List({.kind = "Node", .name = flags.name}));
  CRISP_ASSIGN_OR_RETURN(const std::vector<PodUsage> pods, session.agent().Stats("", "", ""));
  Usage sum;
  for (const PodUsage& pod : pods) {
    sum.cpu += UsageOf(pod).cpu;
    sum.memory += UsageOf(pod).memory;
  }
  std::vector<Row> rows;
  if (!flags.no_headers) {
    rows.push_back({"NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"});
  }
  for (const Json& node : nodes.objects) {
    const int64_t cpu = CpuQuantity(AnyText(Field(node, "status.allocatable.cpu")));
    const int64_t memory = MemoryQuantity(AnyText(Field(node, "status.allocatable.memory")));
    rows.push_back({Name(node), Cpu(sum.cpu), Percent(sum.cpu / 1'000'000, cpu), Memory(sum.memory),
                    Percent(sum.memory, memory)});
  }
  if (nodes.objects.empty()) {
    return absl::NotFoundError(absl::StrCat("nodes \"", flags.name, "\" not found"));
  }
  session.out << FormatTable(rows);
  return absl::OkStatus();
}

}  // namespace

void AddTop(Verb& crisp) {
  Verb top = crisp.Add("top", "Show what pods use of CPU and memory");
  top.Notes(R"(Examples:
  crisp top pods
  crisp top pod web --containers
  crisp top pods -A --sort-by=memory
  crisp top node)");
  top.Runs([](Session&) { return absl::InvalidArgumentError("top pods, or top node?"); });
  auto flags = std::make_shared<Flags>();
  Verb pods = top.Add("pods", "CPU over the last seconds, and memory, of pods", {"pod", "po"});
  pods.Word("NAME", &flags->name, "One pod");
  pods.Option("-l,--selector", &flags->selector, "Only pods with these labels", "SELECTOR");
  pods.Switch("--containers", &flags->containers, "A row for each container");
  pods.Option("--sort-by", &flags->sort_by, "The largest first", "").OneOf({"cpu", "memory"});
  pods.Switch("-A,--all-namespaces", &flags->all_namespaces, "In every namespace");
  pods.Switch("--no-headers", &flags->no_headers, "Leave out the table's head");
  pods.Namespace(&flags->ns);
  pods.Runs([flags](Session& session) { return TopPods(*flags, session); });
  Verb node = top.Add("node", "The same of all pods of the node together", {"nodes", "no"});
  node.Word("NAME", &flags->name, "The node's name");
  node.Switch("--no-headers", &flags->no_headers, "Leave out the table's head");
  node.Runs([flags](Session& session) { return TopNode(*flags, session); });
}

}  // namespace crisp::cli
