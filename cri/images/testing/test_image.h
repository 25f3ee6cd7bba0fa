// Images for tests, made of bytes at hand: documents and layers by digest.
#ifndef CRISP_CRI_IMAGES_TESTING_TEST_IMAGE_H_
#define CRISP_CRI_IMAGES_TESTING_TEST_IMAGE_H_

#include <map>
#include <string>
#include <vector>

namespace crisp::cri {

struct TestImage {
  std::string media_type;                    // Of the document below.
  std::string digest;                        // Of the manifest or index.
  std::string config_digest;                 // The image id.
  std::vector<std::string> layer_digests;    // Bottom first.
  std::map<std::string, std::string> blobs;  // Digest to bytes, documents included.
};

struct TestImageOptions {
  std::string user;
  std::string architecture;  // Empty: this machine's.
  bool gzip = true;          // Compress the layers.
  // Content of a file /layer<N> of each layer; the first layer has a shell also.
  std::vector<std::string> layers = {"one", "two"};
  bool with_busybox = true;
};

TestImage MakeImage(const TestImageOptions& options = {});

// An index of `images`, with an attestation entry first. `digest` of the result
// is the index's; blobs are those of all.
TestImage MakeIndex(const std::vector<std::pair<TestImage, std::string>>& images_and_archs);

// Incompressible text, the same for the same seed.
std::string Noise(size_t size, unsigned seed);

// The image as an archive: an OCI layout with this name ("" for none), or what
// `docker save` writes.
std::string OciArchive(const TestImage& image, const std::string& name);
std::string DockerArchive(const TestImage& image, const std::string& tag);

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_TESTING_TEST_IMAGE_H_
