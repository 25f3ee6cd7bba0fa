#include "agent/manifest/action_reader.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "agent/manifest/names.h"

namespace crisp::agent {
namespace {

constexpr int32_t kMaxPort = 65535;

void ReadPortRef(ObjectReader& action, PortRef* out) {
  const nlohmann::json* port = action.Raw("port");
  if (port == nullptr) return action.Fail("port", "Required value");
  if (port->is_string()) {
    out->name = port->get<std::string>();
    const std::string wrong = PortNameError(out->name);
    if (!wrong.empty()) action.Invalid("port", *port, wrong);
  } else {
    action.Read("port", &out->number, 1, kMaxPort);
  }
}

bool IsHeaderName(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(),
                                      [](char c) { return absl::ascii_isalnum(c) || c == '-'; });
}

void ReadExec(ObjectReader& action, ExecAction* out) {
  action.Read("command", &out->command);
  if (out->command.empty() && action.ok()) action.Fail("command", "Required value");
}

void ReadHttpGet(ObjectReader& action, HttpGetAction* out) {
  ReadPortRef(action, &out->port);
  action.Read("host", &out->host);
  action.Read("path", &out->path);
  if (out->path.empty()) out->path.push_back('/');
  action.ReadChoice("scheme", {"HTTP", "HTTPS"}, &out->scheme);
  action.Each("httpHeaders", [&](ObjectReader& header) {
    std::string name, value;
    const bool named = header.Require("name", &name);
    header.Read("value", &value);
    if (named && !IsHeaderName(name)) {
      header.Invalid("name", name,
                     "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. "
                     "'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')");
    }
    if (value.find_first_of("\r\n") != std::string::npos) {
      header.Invalid("value", value, "must be one line");
    }
    out->headers.emplace_back(std::move(name), std::move(value));
  });
}

void ReadTcpSocket(ObjectReader& action, TcpSocketAction* out) {
  ReadPortRef(action, &out->port);
  action.Read("host", &out->host);
}

void ReadGrpc(ObjectReader& action, GrpcAction* out) {
  if (!action.Has("port")) action.Fail("port", "Required value");
  action.Read("port", &out->port, 1, kMaxPort);
  action.Read("service", &out->service);
}

// The action that `reader` names; exactly one must stand there.
template <typename Action, typename Variant>
void ReadAction(ObjectReader& reader, const char* name, void (*read)(ObjectReader&, Action*),
                int* found, Variant* out) {
  if (!reader.Has(name)) {
    reader.Ignore({name});
    return;
  }
  if (++*found > 1) {
    reader.Ignore({name});
    return reader.Forbidden(name, "may not specify more than 1 handler type");
  }
  Action action;
  reader.Object(name, [&](ObjectReader& inner) { read(inner, &action); });
  *out = std::move(action);
}

void ReadSleep(ObjectReader& action, SleepAction* out) {
  std::optional<int64_t> seconds;
  action.Read("seconds", &seconds, 0);
  if (!action.Has("seconds")) action.Fail("seconds", "Required value");
  out->seconds = seconds.value_or(0);
}

// 0 is taken for the default, as Kubernetes takes it.
void ReadTime(ObjectReader& probe, const char* name, int32_t* out) {
  std::optional<int64_t> value;
  probe.ReadCount(name, &value);
  if (value.value_or(0) != 0) *out = static_cast<int32_t>(*value);
}

void ReadHook(ObjectReader& lifecycle, const char* name, std::optional<LifecycleHandler>* out) {
  lifecycle.Object(name, [&](ObjectReader& hook) {
    LifecycleHandler handler;
    int found = 0;
    ReadAction(hook, "exec", ReadExec, &found, &handler.action);
    ReadAction(hook, "httpGet", ReadHttpGet, &found, &handler.action);
    ReadAction(hook, "tcpSocket", ReadTcpSocket, &found, &handler.action);
    ReadAction(hook, "sleep", ReadSleep, &found, &handler.action);
    if (found == 0) hook.Fail("", "Required value: must specify a handler type");
    *out = std::move(handler);
  });
}

}  // namespace

void ReadProbe(ObjectReader& container, const char* name, ProbeKind kind,
               std::optional<Probe>* out) {
  container.Object(name, [&](ObjectReader& reader) {
    Probe probe;
    int found = 0;
    ReadAction(reader, "exec", ReadExec, &found, &probe.action);
    ReadAction(reader, "httpGet", ReadHttpGet, &found, &probe.action);
    ReadAction(reader, "tcpSocket", ReadTcpSocket, &found, &probe.action);
    ReadAction(reader, "grpc", ReadGrpc, &found, &probe.action);
    if (found == 0) reader.Fail("", "Required value: must specify a handler type");
    ReadTime(reader, "initialDelaySeconds", &probe.initial_delay_seconds);
    ReadTime(reader, "periodSeconds", &probe.period_seconds);
    ReadTime(reader, "timeoutSeconds", &probe.timeout_seconds);
    ReadTime(reader, "successThreshold", &probe.success_threshold);
    ReadTime(reader, "failureThreshold", &probe.failure_threshold);
    if (kind != ProbeKind::kReadiness && probe.success_threshold != 1) {
      reader.Invalid("successThreshold", probe.success_threshold, "must be 1");
    }
    reader.Read("terminationGracePeriodSeconds", &probe.termination_grace_period_seconds, 1);
    if (kind == ProbeKind::kReadiness && probe.termination_grace_period_seconds.has_value()) {
      reader.Invalid("terminationGracePeriodSeconds", *probe.termination_grace_period_seconds,
                     "must not be set for readinessProbes");
    }
    *out = std::move(probe);
  });
}

void ReadLifecycle(ObjectReader& container, Container* out) {
  container.Object("lifecycle", [&](ObjectReader& lifecycle) {
    ReadHook(lifecycle, "postStart", &out->post_start);
    ReadHook(lifecycle, "preStop", &out->pre_stop);
    lifecycle.NotYet({"stopSignal"});
  });
}

}  // namespace crisp::agent
