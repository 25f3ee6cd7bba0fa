#include "cri/images/testing/test_image.h"

#include <zlib.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "cri/containerd/digest.h"
#include "cri/images/import/tar_writer.h"
#include "cri/images/media_types.h"
#include "cri/images/platform.h"

namespace crisp::cri {
namespace {

using nlohmann::json;

std::string Gzip(const std::string& data) {
  z_stream stream{};
  // 16 more window bits: a gzip header instead of zlib's.
  if (deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) std::abort();
  std::string out(deflateBound(&stream, data.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) std::abort();
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string Layer(size_t number, const TestImageOptions& options) {
  TarWriter tar;
  if (number == 0 && options.with_busybox) {
    const absl::StatusOr<std::string> busybox = ReadFile("/bin/busybox");
    if (!busybox.ok()) std::abort();
    tar.Directory("bin/");
    tar.File("bin/busybox", *busybox, 0755);
    tar.Symlink("bin/sh", "busybox");
  }
  tar.File(absl::StrCat("layer", number), options.layers[number]);
  return tar.Finish();
}

std::string Add(TestImage* image, const std::string& bytes) {
  const std::string digest = Sha256Digest(bytes);
  image->blobs[digest] = bytes;
  return digest;
}

json DescriptorOf(const std::string& type, const std::string& digest, size_t size) {
  return {{"mediaType", type}, {"digest", digest}, {"size", size}};
}

std::string BlobPath(const std::string& digest) {
  return absl::StrCat("blobs/sha256/", absl::StripPrefix(digest, "sha256:"));
}

}  // namespace

std::string Noise(size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(random());
  return out;
}

TestImage MakeImage(const TestImageOptions& options) {
  TestImage image;
  json layers = json::array(), diff_ids = json::array();
  for (size_t i = 0; i < options.layers.size(); ++i) {
    const std::string tar = Layer(i, options);
    diff_ids.push_back(Sha256Digest(tar));
    const std::string bytes = options.gzip ? Gzip(tar) : tar;
    image.layer_digests.push_back(Add(&image, bytes));
    layers.push_back(DescriptorOf(
        absl::StrCat("application/vnd.oci.image.layer.v1.tar", options.gzip ? "+gzip" : ""),
        image.layer_digests.back(), bytes.size()));
  }
  json config = {{"os", "linux"},
                 {"architecture", options.architecture.empty() ? HostPlatform().architecture
                                                               : options.architecture},
                 {"config", {{"Env", {"A=b"}}, {"Cmd", {"/bin/sh"}}, {"User", options.user}}},
                 {"rootfs", {{"type", "layers"}, {"diff_ids", diff_ids}}}};
  const std::string config_text = config.dump();
  image.config_digest = Add(&image, config_text);
  const json manifest = {
      {"schemaVersion", 2},
      {"mediaType", kOciManifest},
      {"config", DescriptorOf(kOciConfig, image.config_digest, config_text.size())},
      {"layers", layers}};
  image.media_type = kOciManifest;
  image.digest = Add(&image, manifest.dump());
  return image;
}

TestImage MakeIndex(const std::vector<std::pair<TestImage, std::string>>& images_and_archs) {
  TestImage out;
  json attestation = DescriptorOf(kOciManifest, Sha256Digest("attestation"), 11);
  attestation["platform"] = {{"os", "unknown"}, {"architecture", "unknown"}};
  json manifests = json::array({attestation});
  for (const auto& [image, arch] : images_and_archs) {
    json entry = DescriptorOf(image.media_type, image.digest, image.blobs.at(image.digest).size());
    entry["platform"] = {{"os", "linux"}, {"architecture", arch}};
    manifests.push_back(entry);
    out.blobs.insert(image.blobs.begin(), image.blobs.end());
  }
  const json index = {{"schemaVersion", 2}, {"mediaType", kOciIndex}, {"manifests", manifests}};
  out.media_type = kOciIndex;
  out.digest = Add(&out, index.dump());
  return out;
}

std::string OciArchive(const TestImage& image, const std::string& name) {
  TarWriter tar;
  tar.File("oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
  tar.Directory("blobs/");
  for (const auto& [digest, bytes] : image.blobs) tar.File(BlobPath(digest), bytes);
  json entry = DescriptorOf(image.media_type, image.digest, image.blobs.at(image.digest).size());
  if (!name.empty()) entry["annotations"] = {{"io.containerd.image.name", name}};
  tar.File("index.json", json({{"schemaVersion", 2}, {"manifests", json::array({entry})}}).dump());
  return tar.Finish();
}

std::string DockerArchive(const TestImage& image, const std::string& tag) {
  TarWriter tar;
  json layers = json::array();
  for (size_t i = 0; i < image.layer_digests.size(); ++i) {
    const std::string path = absl::StrCat("id", i, "/layer.tar");
    tar.File(path, image.blobs.at(image.layer_digests[i]));
    // The way docker repeats a layer that it has written already.
    tar.Symlink(absl::StrCat("link", i, "/layer.tar"), absl::StrCat("../", path));
    layers.push_back(absl::StrCat("link", i, "/layer.tar"));
  }
  const std::string config =
      absl::StrCat(absl::StripPrefix(image.config_digest, "sha256:"), ".json");
  tar.File(config, image.blobs.at(image.config_digest));
  json entry = {{"Config", config}, {"Layers", layers}, {"RepoTags", nullptr}};
  if (!tag.empty()) entry["RepoTags"] = json::array({tag});
  tar.File("manifest.json", json::array({entry}).dump());
  return tar.Finish();
}

}  // namespace crisp::cri
