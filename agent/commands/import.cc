#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "agent/commands/commands.h"

namespace crisp::agent {
namespace {

constexpr size_t kChunk = 512 << 10;

struct Flags {
  std::string file;
  std::string name;
};

absl::Status Send(std::istream& file, const Flags& flags, Session& session) {
  grpc::ClientContext context;
  images::v1::ImportImageResponse reply;
  auto writer = session.node().images().ImportImage(&context, &reply);
  images::v1::ImportImageRequest request;
  request.set_name(flags.name);
  std::string chunk(kChunk, '\0');
  bool sent = true;
  // The first message goes out even for an empty file: the server says what is wrong.
  do {
    file.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
    request.set_data(chunk.data(), static_cast<size_t>(file.gcount()));
    sent = writer->Write(request);
    request.clear_name();
  } while (sent && file);
  if (file.bad()) {
    context.TryCancel();
    (void)writer->Finish();
    return absl::DataLossError(absl::StrCat("reading ", flags.file, " failed"));
  }
  // A failed write means that the server has ended the call: Finish says why.
  if (sent) writer->WritesDone();
  if (const grpc::Status status = writer->Finish(); !status.ok()) {
    return session.node().Explain(status);
  }
  for (const auto& image : reply.images()) {
    session.out << "image/" << image.name() << " imported (" << image.id() << ")\n";
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

void AddImport(CLI::App& app, Action* action) {
  CLI::App* verb = app.add_subcommand("import", "Bring images from an archive onto the node");
  auto flags = std::make_shared<Flags>();
  verb->add_option("IMAGE.tar", flags->file,
                   "An OCI image layout or the output of docker save; - for standard input")
      ->required();
  verb->add_option("--name", flags->name, "The name of an image that the archive leaves nameless");
  verb->footer(R"(Examples:
  crisp import busybox.tar
  docker save nginx:alpine | crisp import -
  crisp import rootfs-image.tar --name docker.io/library/app:dev)");
  verb->callback(
      [flags, action] { *action = [flags](Session& session) { return Run(*flags, session); }; });
}

}  // namespace crisp::agent
