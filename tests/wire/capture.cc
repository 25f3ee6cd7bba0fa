// Records what a CRI client sends: a gRPC server that answers every method and
// writes the bytes of each request to DIR/<n>-<Method>.bin.
//
//   capture unix:///tmp/capture.sock DIR
//
// tests/wire/record drives the real crictl against it. The answers are the least
// that keeps crictl going; nothing here decodes a request with our schema.
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "api/cri/v1/api.grpc.pb.h"

namespace {

constexpr char kId[] = "4f6a1c0d2b3e4f5061728394a5b6c7d8e9f00112233445566778899aabbccdde";

// What the client needs to read to send its next request.
std::string ReplyTo(const std::string& method) {
  using namespace runtime::v1;  // NOLINT: every name below is a message of it
  if (method == "Version") {
    VersionResponse reply;
    reply.set_version("0.1.0");
    reply.set_runtime_name("capture");
    reply.set_runtime_version("0");
    reply.set_runtime_api_version("v1");
    return reply.SerializeAsString();
  }
  if (method == "ImageFsInfo") {
    ImageFsInfoResponse reply;
    reply.add_image_filesystems()->set_timestamp(1);
    return reply.SerializeAsString();
  }
  if (method == "ImageStatus") {
    ImageStatusResponse reply;
    reply.mutable_image()->set_id("sha256:" + std::string(kId));
    reply.mutable_image()->set_size(1);
    return reply.SerializeAsString();
  }
  if (method == "PullImage") {
    PullImageResponse reply;
    reply.set_image_ref("sha256:" + std::string(kId));
    return reply.SerializeAsString();
  }
  if (method == "RunPodSandbox") {
    RunPodSandboxResponse reply;
    reply.set_pod_sandbox_id(kId);
    return reply.SerializeAsString();
  }
  if (method == "CreateContainer") {
    CreateContainerResponse reply;
    reply.set_container_id(kId);
    return reply.SerializeAsString();
  }
  if (method == "PodSandboxStatus") {
    PodSandboxStatusResponse reply;
    PodSandboxStatus* status = reply.mutable_status();
    status->set_id(kId);
    status->mutable_metadata()->set_name("n");
    status->mutable_metadata()->set_namespace_("n");
    status->mutable_metadata()->set_uid("u");
    status->set_created_at(1);
    status->set_state(SANDBOX_NOTREADY);
    return reply.SerializeAsString();
  }
  if (method == "ContainerStatus") {
    ContainerStatusResponse reply;
    ContainerStatus* status = reply.mutable_status();
    status->set_id(kId);
    status->mutable_metadata()->set_name("n");
    status->set_created_at(1);
    status->mutable_image()->set_image("i");
    status->set_image_ref("i");
    status->set_state(CONTAINER_RUNNING);
    return reply.SerializeAsString();
  }
  return "";
}

class Call {
 public:
  Call(grpc::AsyncGenericService* service, grpc::ServerCompletionQueue* queue, std::string dir)
      : service_(service), queue_(queue), dir_(std::move(dir)), stream_(&context_) {
    service_->RequestCall(&context_, &stream_, queue_, queue_, this);
  }

  // The next step of this call; false when it is over.
  bool Advance(bool ok, int* count) {
    switch (step_++) {
      case 0:
        if (!ok) return false;
        new Call(service_, queue_, dir_);
        stream_.Read(&request_, this);
        return true;
      case 1: {
        const std::string path = context_.method();
        const std::string method = path.substr(path.rfind('/') + 1);
        if (ok) Save(method, ++*count);
        const std::string reply = ReplyTo(method);
        grpc::Slice slice(reply);
        stream_.WriteAndFinish(grpc::ByteBuffer(&slice, 1), grpc::WriteOptions(), grpc::Status::OK,
                               this);
        return true;
      }
      default:
        return false;
    }
  }

 private:
  void Save(const std::string& method, int number) {
    std::vector<grpc::Slice> slices;
    if (!request_.Dump(&slices).ok()) return;
    char name[16];
    snprintf(name, sizeof(name), "%03d", number);
    std::ofstream out(dir_ + "/" + name + "-" + method + ".bin", std::ios::binary);
    for (const grpc::Slice& slice : slices) {
      out.write(reinterpret_cast<const char*>(slice.begin()),
                static_cast<std::streamsize>(slice.size()));
    }
  }

  grpc::AsyncGenericService* service_;
  grpc::ServerCompletionQueue* queue_;
  const std::string dir_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_;
  grpc::ByteBuffer request_;
  int step_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: capture unix:///SOCKET DIR\n");
    return 2;
  }
  grpc::AsyncGenericService service;
  grpc::ServerBuilder builder;
  builder.RegisterAsyncGenericService(&service);
  builder.AddListeningPort(argv[1], grpc::InsecureServerCredentials());
  std::unique_ptr<grpc::ServerCompletionQueue> queue = builder.AddCompletionQueue();
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    fprintf(stderr, "cannot listen on %s\n", argv[1]);
    return 1;
  }
  new Call(&service, queue.get(), argv[2]);
  printf("listening\n");
  fflush(stdout);
  int count = 0;
  void* tag = nullptr;
  bool ok = false;
  while (queue->Next(&tag, &ok)) {
    Call* call = static_cast<Call*>(tag);
    if (!call->Advance(ok, &count)) delete call;
  }
}
