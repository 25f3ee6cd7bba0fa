// One RPC on a CRI socket, from JSON to JSON: for what crictl cannot say.
//
//   cri_call [--timeout SECONDS] unix:///SOCKET runtime.v1.RuntimeService/StopContainer '{...}'
//
// The request is protobuf's JSON (bytes in base64; `-` reads it from stdin). Prints
// {"code": "OK", "reply": {...}} or {"code": "NOT_FOUND", "message": "..."}, and exits
// with 0 whenever the server answered.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "api/cri/v1/api.pb.h"
#include "api/volumes/v1/volumes.pb.h"

namespace {

namespace pb = google::protobuf;

constexpr const char* kCodes[] = {
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
};

std::unique_ptr<pb::Message> New(const pb::Descriptor* type) {
  return std::unique_ptr<pb::Message>(
      pb::MessageFactory::generated_factory()->GetPrototype(type)->New());
}

grpc::Status Call(const std::string& endpoint, const std::string& method,
                  const std::string& request, std::chrono::seconds timeout, std::string* reply) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(64 * 1024 * 1024);
  grpc::GenericStub stub(
      grpc::CreateCustomChannel(endpoint, grpc::InsecureChannelCredentials(), arguments));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + timeout);
  context.set_authority("localhost");
  grpc::CompletionQueue queue;
  grpc::Slice slice(request);
  auto call = stub.PrepareUnaryCall(&context, "/" + method, grpc::ByteBuffer(&slice, 1), &queue);
  call->StartCall();
  grpc::ByteBuffer buffer;
  grpc::Status status;
  call->Finish(&buffer, &status, &status);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  std::vector<grpc::Slice> slices;
  if (status.ok() && buffer.Dump(&slices).ok()) {
    for (const grpc::Slice& part : slices) {
      reply->append(reinterpret_cast<const char*>(part.begin()), part.size());
    }
  }
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  // The linker would drop descriptors that nothing names.
  (void)runtime::v1::VersionRequest::descriptor();
  (void)crisp::volumes::v1::ConfigMap::descriptor();

  std::vector<std::string> args(argv + 1, argv + argc);
  std::chrono::seconds timeout(60);
  if (args.size() == 5 && args[0] == "--timeout") {
    timeout = std::chrono::seconds(std::stol(args[1]));
    args.erase(args.begin(), args.begin() + 2);
  }
  if (args.size() != 3) {
    fprintf(stderr, "usage: cri_call [--timeout SECONDS] ENDPOINT SERVICE/METHOD JSON|-\n");
    return 2;
  }
  std::string name = args[1];
  const pb::MethodDescriptor* method = nullptr;
  if (const size_t slash = name.find('/'); slash != std::string::npos) {
    name[slash] = '.';
    method = pb::DescriptorPool::generated_pool()->FindMethodByName(name);
  }
  if (method == nullptr) {
    fprintf(stderr, "no such method: %s\n", args[1].c_str());
    return 2;
  }
  std::string json = args[2];
  if (json == "-") json.assign(std::istreambuf_iterator<char>(std::cin), {});
  const auto request = New(method->input_type());
  if (const auto parsed = pb::util::JsonStringToMessage(json, request.get()); !parsed.ok()) {
    fprintf(stderr, "request: %s\n", parsed.ToString().c_str());
    return 2;
  }

  std::string bytes;
  const grpc::Status status = Call(args[0], args[1], request->SerializeAsString(), timeout, &bytes);
  nlohmann::json out = {{"code", kCodes[status.error_code()]}};
  if (status.ok()) {
    const auto reply = New(method->output_type());
    std::string text;
    pb::util::JsonPrintOptions options;
    options.preserve_proto_field_names = true;
    if (!reply->ParseFromString(bytes) ||
        !pb::util::MessageToJsonString(*reply, &text, options).ok()) {
      fprintf(stderr, "the reply is no %s\n", method->output_type()->full_name().c_str());
      return 1;
    }
    out["reply"] = nlohmann::json::parse(text);
  } else {
    out["message"] = status.error_message();
  }
  std::cout << out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
}
