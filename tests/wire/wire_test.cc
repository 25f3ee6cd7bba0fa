// The schema of api/cri/v1 against bytes that the real crictl sent.
//
// Each capture holds one request as it left crictl's own encoder. Our schema must
// explain every byte of it, encode it back to the same bytes, and find in it what
// the JSON input or the command line said.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/unknown_field_set.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "api/cri/v1/api.pb.h"

namespace crisp {
namespace {

namespace pb = google::protobuf;
using testing::ElementsAre;
using testing::Pair;
using testing::UnorderedElementsAre;

constexpr char kDir[] = "tests/wire/";
constexpr char kId[] = "4f6a1c0d2b3e4f5061728394a5b6c7d8e9f00112233445566778899aabbccdde";

struct Capture {
  std::string method;
  std::string bytes;
};

Capture ReadCapture(const std::string& name) {
  std::ifstream in(std::string(kDir) + "captures/" + name + ".hex");
  EXPECT_TRUE(in.good()) << name;
  Capture capture;
  std::string line;
  std::getline(in, line);  // The command, for the reader.
  std::getline(in, capture.method);
  for (std::string byte; in >> byte;) {
    capture.bytes.push_back(static_cast<char>(std::stoi(byte, nullptr, 16)));
  }
  return capture;
}

template <typename T>
T Decode(const std::string& name) {
  T message;
  EXPECT_TRUE(message.ParseFromString(ReadCapture(name).bytes)) << name;
  return message;
}

nlohmann::json ReadInput(const std::string& name) {
  std::ifstream in(std::string(kDir) + "inputs/" + name);
  EXPECT_TRUE(in.good()) << name;
  return nlohmann::json::parse(in);
}

std::string Base64(const std::string& bytes) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t block = 0;
    for (size_t k = 0; k < 3; ++k) {
      block = block << 8 | (i + k < bytes.size() ? static_cast<uint8_t>(bytes[i + k]) : 0);
    }
    for (size_t k = 0; k < 4; ++k) {
      out += i + k > bytes.size() ? '=' : kDigits[block >> (18 - 6 * k) & 63];
    }
  }
  return out;
}

// The input as a message: JSON's names are resolved by our schema, the capture's
// numbers are crictl's. Both agree only if each field has the right number and type.
template <typename T>
T FromInput(const std::string& name) {
  nlohmann::json input = ReadInput(name);
  // An environment value is bytes in our schema, and bytes are base64 in JSON.
  if (input.contains("envs")) {
    for (auto& env : input["envs"]) env["value"] = Base64(env["value"].get<std::string>());
  }
  T message;
  const auto status = pb::util::JsonStringToMessage(input.dump(), &message);
  EXPECT_TRUE(status.ok()) << name << ": " << status.ToString();
  return message;
}

template <typename T>
std::string Differences(const T& expected, const T& actual) {
  std::string report;
  pb::util::MessageDifferencer differencer;
  differencer.ReportDifferencesToString(&report);
  differencer.Compare(expected, actual);
  return report;
}

// What a message and the messages in it are made of, by "Type.field".
struct Fields {
  std::set<std::string> unknown;  // Numbers that the schema does not know.
  std::set<std::string> seen;     // Present in at least one message of the type.
  std::set<std::string> unseen;   // Declared, yet absent from every one of them.
};

void Inspect(const pb::Message& message, Fields* fields) {
  const pb::Reflection* reflection = message.GetReflection();
  const pb::UnknownFieldSet& unknown = reflection->GetUnknownFields(message);
  for (int i = 0; i < unknown.field_count(); ++i) {
    fields->unknown.insert(message.GetDescriptor()->name() + "#" +
                           std::to_string(unknown.field(i).number()));
  }
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const pb::FieldDescriptor* field = message.GetDescriptor()->field(i);
    const std::string name = message.GetDescriptor()->name() + "." + field->name();
    const bool repeated = field->is_repeated();
    const int count = repeated ? reflection->FieldSize(message, field)
                               : (reflection->HasField(message, field) ? 1 : 0);
    if (count > 0) {
      fields->seen.insert(name);
      fields->unseen.erase(name);
    } else if (fields->seen.count(name) == 0) {
      fields->unseen.insert(name);
    }
    if (field->cpp_type() != pb::FieldDescriptor::CPPTYPE_MESSAGE || field->is_map()) continue;
    for (int k = 0; k < count; ++k) {
      Inspect(repeated ? reflection->GetRepeatedMessage(message, field, k)
                       : reflection->GetMessage(message, field),
              fields);
    }
  }
}

class EveryCapture : public testing::TestWithParam<std::string> {};

TEST_P(EveryCapture, IsExplainedAndEncodedBackByteForByte) {
  const Capture capture = ReadCapture(GetParam());
  const pb::Descriptor* type = pb::DescriptorPool::generated_pool()->FindMessageTypeByName(
      "runtime.v1." + capture.method + "Request");
  ASSERT_NE(type, nullptr) << capture.method;
  std::unique_ptr<pb::Message> message(
      pb::MessageFactory::generated_factory()->GetPrototype(type)->New());
  ASSERT_TRUE(message->ParseFromString(capture.bytes));

  Fields fields;
  Inspect(*message, &fields);
  EXPECT_THAT(fields.unknown, ElementsAre());
  EXPECT_EQ(message->SerializeAsString(), capture.bytes);
}

std::vector<std::string> CaptureNames() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(kDir) + "captures")) {
    if (entry.path().extension() == ".hex") names.push_back(entry.path().stem());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string TestName(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Wire, EveryCapture, testing::ValuesIn(CaptureNames()), TestName);

TEST(Wire, EnoughMethodsAreCaptured) { EXPECT_GE(CaptureNames().size(), 24u); }

TEST(Wire, RunPodSandboxCarriesThePodConfig) {
  const auto request = Decode<runtime::v1::RunPodSandboxRequest>("run-pod-sandbox");
  EXPECT_EQ(request.runtime_handler(), "kata");
  EXPECT_EQ(Differences(FromInput<runtime::v1::PodSandboxConfig>("pod.json"), request.config()),
            "");
}

TEST(Wire, CreateContainerCarriesBothConfigs) {
  const auto request = Decode<runtime::v1::CreateContainerRequest>("create-container");
  EXPECT_EQ(request.pod_sandbox_id(), kId);
  EXPECT_EQ(
      Differences(FromInput<runtime::v1::ContainerConfig>("container.json"), request.config()), "");
  EXPECT_EQ(
      Differences(FromInput<runtime::v1::PodSandboxConfig>("pod.json"), request.sandbox_config()),
      "");
}

TEST(Wire, ContainerLifecycleNamesTheContainer) {
  EXPECT_EQ(Decode<runtime::v1::StartContainerRequest>("start-container").container_id(), kId);
  const auto stop = Decode<runtime::v1::StopContainerRequest>("stop-container");
  EXPECT_EQ(stop.container_id(), kId);
  EXPECT_EQ(stop.timeout(), 9);
  EXPECT_EQ(Decode<runtime::v1::RemoveContainerRequest>("remove-container").container_id(), kId);
  EXPECT_EQ(Decode<runtime::v1::StopPodSandboxRequest>("stop-pod-sandbox").pod_sandbox_id(), kId);
  EXPECT_EQ(Decode<runtime::v1::RemovePodSandboxRequest>("remove-pod-sandbox").pod_sandbox_id(),
            kId);
}

TEST(Wire, FiltersArriveAsGiven) {
  const auto containers = Decode<runtime::v1::ListContainersRequest>("list-containers").filter();
  EXPECT_EQ(containers.pod_sandbox_id(), kId);
  EXPECT_EQ(containers.state().state(), runtime::v1::CONTAINER_RUNNING);
  EXPECT_THAT(containers.label_selector(), UnorderedElementsAre(Pair("a", "b")));

  const auto pods = Decode<runtime::v1::ListPodSandboxRequest>("list-pod-sandbox").filter();
  EXPECT_EQ(pods.id(), kId);
  EXPECT_TRUE(pods.has_state());
  EXPECT_EQ(pods.state().state(), runtime::v1::SANDBOX_READY);
  EXPECT_THAT(pods.label_selector(), UnorderedElementsAre(Pair("a", "b")));
}

TEST(Wire, StatusAsksForDetail) {
  EXPECT_TRUE(Decode<runtime::v1::StatusRequest>("status").verbose());
  EXPECT_EQ(Decode<runtime::v1::ContainerStatusRequest>("container-status").container_id(), kId);
  EXPECT_EQ(Decode<runtime::v1::PodSandboxStatusRequest>("pod-sandbox-status").pod_sandbox_id(),
            kId);
}

TEST(Wire, ExecSyncCarriesCommandAndTimeout) {
  const auto request = Decode<runtime::v1::ExecSyncRequest>("exec-sync");
  EXPECT_EQ(request.container_id(), kId);
  EXPECT_EQ(request.timeout(), 11);
  EXPECT_THAT(request.cmd(), ElementsAre("sh", "-c", "exit 3"));
}

TEST(Wire, StreamingRequestsSayWhichStreams) {
  const auto exec = Decode<runtime::v1::ExecRequest>("exec");
  EXPECT_TRUE(exec.stdin() && exec.stdout() && exec.stderr());
  EXPECT_FALSE(exec.tty());
  EXPECT_THAT(exec.cmd(), ElementsAre("cat"));
  EXPECT_EQ(Decode<runtime::v1::AttachRequest>("attach").container_id(), kId);
  EXPECT_EQ(Decode<runtime::v1::PortForwardRequest>("port-forward").pod_sandbox_id(), kId);
}

TEST(Wire, UpdateCarriesResources) {
  const auto request =
      Decode<runtime::v1::UpdateContainerResourcesRequest>("update-container-resources");
  EXPECT_EQ(request.container_id(), kId);
  EXPECT_EQ(request.linux().cpu_period(), 100000);
  EXPECT_EQ(request.linux().cpu_quota(), 20000);
  EXPECT_EQ(request.linux().cpu_shares(), 333);
  EXPECT_EQ(request.linux().memory_limit_in_bytes(), 268435456);
  EXPECT_EQ(request.linux().cpuset_cpus(), "0");
  EXPECT_EQ(request.linux().cpuset_mems(), "0");
}

TEST(Wire, ImagesAreNamedAndCredentialsArrive) {
  const auto pull = Decode<runtime::v1::PullImageRequest>("pull-image");
  EXPECT_EQ(pull.image().image(), "registry.example/app:1");
  EXPECT_EQ(pull.auth().username(), "user");
  EXPECT_EQ(pull.auth().password(), "open sesame");
  EXPECT_EQ(pull.sandbox_config().metadata().name(), "every-field");
  EXPECT_EQ(Decode<runtime::v1::ListImagesRequest>("list-images").filter().image().image(),
            "registry.example/app");
  EXPECT_EQ(Decode<runtime::v1::RemoveImageRequest>("remove-image").image().image(),
            "registry.example/app:1");
}

// The inputs fill everything that crictl can send; what they leave out is named here.
TEST(Wire, InputsFillEveryField) {
  Fields fields;
  Inspect(Decode<runtime::v1::RunPodSandboxRequest>("run-pod-sandbox"), &fields);
  Inspect(Decode<runtime::v1::CreateContainerRequest>("create-container"), &fields);
  EXPECT_THAT(fields.unseen, ElementsAre("ContainerConfig.windows",
                                         "ImageSpec.image_ref",  // Younger than this crictl.
                                         "Mount.mount_options",  // Younger than this crictl.
                                         "PodSandboxConfig.windows"));
}

}  // namespace
}  // namespace crisp
