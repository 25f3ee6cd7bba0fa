#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/commands/commands.h"
#include "agent/commands/session.h"
#include "base/status_macros.h"

namespace crisp::cli {
namespace {

struct Flags {
  std::string file;
  std::string name;
};

absl::Status Send(std::istream& archive, const Flags& flags, Session& session) {
  CRISP_ASSIGN_OR_RETURN(RuntimeClient * runtime, session.runtime());
  CRISP_ASSIGN_OR_RETURN(
      const std::vector<ImportedImage> images,
      runtime->Import(archive, flags.file == "-" ? "standard input" : flags.file, flags.name));
  for (const ImportedImage& image : images) {
    session.out << "image/" << image.name << " imported (" << image.id << ")\n";
  }
  return absl::OkStatus();
}

absl::Status Run(const Flags& flags, Session& session) {
  if (flags.file == "-") return Send(session.in, flags, session);
  std::ifstream file(flags.file, std::ios::binary);
  if (!file || file.peek() == std::ifstream::traits_type::eof()) {
    return absl::NotFoundError(absl::StrCat(flags.file, ": cannot be read, or is empty"));
  }
  return Send(file, flags, session);
}

}  // namespace

void AddImport(Verb& crisp) {
  auto flags = std::make_shared<Flags>();
  Verb verb = crisp.Add("import", "Bring images from an archive onto the node");
  verb.Word("IMAGE.tar", &flags->file,
            "An OCI image layout or the output of docker save; - for standard input")
      .Required();
  verb.Option("--name", &flags->name, "The name of an image that the archive leaves nameless",
              "NAME");
  verb.Notes(R"(Needs crispd as the runtime. Works without an agent, with --address.

Examples:
  crisp import busybox.tar
  docker save nginx:alpine | crisp import -
  crisp import rootfs-image.tar --name docker.io/library/app:dev)");
  verb.Runs([flags](Session& session) { return Run(*flags, session); });
}

}  // namespace crisp::cli
