// The methods that a server offers, by path ("/runtime.v1.RuntimeService/Version"), and
// what turns a typed handler into one.
//
// Ownership: plain values; a handler lives as long as its method.
// Threads:   a handler runs on any number of threads at once, one of a pool each, and may
//            take its time. What AtHand adds runs on the threads that have the
//            connections, at once too: it answers from memory, or leaves it to the handler.
// Errors:    the handler's status goes to the client as it is. A request that does not
//            parse is InvalidArgument.
#ifndef CRISP_GRPC_SERVER_METHODS_H_
#define CRISP_GRPC_SERVER_METHODS_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/status_macros.h"
#include "grpc_server/call.h"
#include "grpc_server/outgoing_message.h"
#include "grpc_server/server_call.h"

namespace crisp::grpcserver {

struct Method {
  std::function<absl::Status(ServerCall&)> run;
  bool client_stream = false;
  // May be null. The answer to a unary request; nothing if it is not at hand.
  std::function<std::optional<absl::StatusOr<Message>>(const std::string& request)> at_hand =
      nullptr;
};

using Methods = absl::flat_hash_map<std::string, Method>;

// Hands one message of a stream to the client; false once it is gone. It waits while the
// client is slow.
template <typename Response>
using Send = std::function<bool(const Response&)>;

// The next message of the client's stream; false at its end, or once it is gone.
template <typename Request>
using Receive = std::function<bool(Request*)>;

template <typename Proto>
Message Serialized(const Proto& proto) {
  return std::make_shared<const std::string>(proto.SerializeAsString());
}

template <typename Proto>
absl::Status ParseRequest(const std::string& bytes, Proto* request) {
  if (request->ParseFromString(bytes)) return absl::OkStatus();
  return absl::InvalidArgumentError("the request does not parse");
}

// An answer that is bytes already. `f`: absl::StatusOr<Message>(const Call&, const Request&).
template <typename Request, typename F>
Method EncodedUnary(F f) {
  return {.run = [f = std::move(f)](ServerCall& call) -> absl::Status {
    Request request;
    CRISP_RETURN_IF_ERROR(ParseRequest(call.request(), &request));
    CRISP_ASSIGN_OR_RETURN(Message answer, f(call.call(), request));
    return call.Reply(std::move(answer));
  }};
}

// `f`: absl::Status(const Call&, const Request&, Response*).
template <typename Request, typename Response, typename F>
Method Unary(F f) {
  return EncodedUnary<Request>(
      [f = std::move(f)](const Call& call, const Request& request) -> absl::StatusOr<Message> {
        Response response;
        CRISP_RETURN_IF_ERROR(f(call, request, &response));
        return Serialized(response);
      });
}

// `f`: std::optional<absl::StatusOr<Message>>(const Request&). `otherwise` is asked when
// that is nothing.
template <typename Request, typename F>
Method AtHand(F f, Method otherwise) {
  otherwise.at_hand =
      [f = std::move(f)](const std::string& bytes) -> std::optional<absl::StatusOr<Message>> {
    Request request;
    CRISP_RETURN_IF_ERROR(ParseRequest(bytes, &request));
    return f(request);
  };
  return otherwise;
}

// Messages that are bytes already. `f`: absl::Status(const Call&, const Request&, const
// Send<Message>&).
template <typename Request, typename F>
Method EncodedStream(F f) {
  return {.run = [f = std::move(f)](ServerCall& call) -> absl::Status {
    Request request;
    CRISP_RETURN_IF_ERROR(ParseRequest(call.request(), &request));
    absl::Status written;
    const absl::Status status = f(call.call(), request, [&](const Message& message) {
      written = call.Write(message);
      return written.ok();
    });
    return written.ok() ? status : written;
  }};
}

// `f`: absl::Status(const Call&, const Request&, const Send<Response>&).
template <typename Request, typename Response, typename F>
Method ServerStream(F f) {
  return EncodedStream<Request>([f = std::move(f)](const Call& call, const Request& request,
                                                   const Send<Message>& send) {
    return f(call, request, [&](const Response& response) { return send(Serialized(response)); });
  });
}

// `f`: absl::Status(const Call&, const Receive<Request>&, Response*).
template <typename Request, typename Response, typename F>
Method ClientStream(F f) {
  return {.run = [f = std::move(f)](ServerCall& call) -> absl::Status {
            absl::Status parsed;
            Response response;
            const absl::Status status = f(
                call.call(),
                [&](Request* request) {
                  const std::optional<std::string> bytes = call.Read();
                  if (!bytes.has_value()) return false;
                  parsed = ParseRequest(*bytes, request);
                  return parsed.ok();
                },
                &response);
            CRISP_RETURN_IF_ERROR(parsed);
            CRISP_RETURN_IF_ERROR(status);
            return call.Reply(Serialized(response));
          },
          .client_stream = true};
}

}  // namespace crisp::grpcserver

#endif  // CRISP_GRPC_SERVER_METHODS_H_
