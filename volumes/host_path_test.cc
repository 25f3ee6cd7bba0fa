#include "volumes/host_path.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <filesystem>
#include <string>

#include "base/status_matchers.h"
#include "base/unique_fd.h"
#include "volumes/temp_dir.h"

namespace crisp::volumes {
namespace {

using ::testing::HasSubstr;

TEST(HostPathTest, EachTypeAcceptsWhatItNames) {
  TempDir dir;
  const std::string directory = dir.path() + "/d";
  const std::string file = dir.path() + "/f";
  const std::string socket = dir.path() + "/s";
  std::filesystem::create_directory(directory);
  Spill(file, "x");
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, socket.c_str(), sizeof(address.sun_path) - 1);
  ASSERT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  const struct {
    const char* type;
    std::string good;
  } kCases[] = {{"Directory", directory}, {"DirectoryOrCreate", directory},
                {"File", file},           {"FileOrCreate", file},
                {"Socket", socket},       {"CharDevice", "/dev/null"}};
  for (const auto& test : kCases) {
    const HostPathType type = *HostPathTypeOf(test.type);
    for (const std::string& path : {directory, file, socket, std::string("/dev/null")}) {
      const absl::Status status = EnsureHostPath({path, type});
      if (path == test.good) {
        EXPECT_OK(status) << test.type << " " << path;
      } else {
        EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("is not a")))
            << test.type << " " << path;
      }
      EXPECT_OK(EnsureHostPath({path, HostPathType::kAny}));
    }
  }
}

TEST(HostPathTest, MakesOnlyWhatItMay) {
  TempDir dir;
  for (const char* type : {"Directory", "File", "Socket", "CharDevice", "BlockDevice"}) {
    EXPECT_THAT(EnsureHostPath({dir.path() + "/none", *HostPathTypeOf(type)}),
                StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("does not exist")));
  }
  EXPECT_OK(EnsureHostPath({dir.path() + "/a/b", HostPathType::kDirectoryOrCreate}));
  EXPECT_OK(EnsureHostPath({dir.path() + "/c/d", HostPathType::kAny}));
  EXPECT_OK(EnsureHostPath({dir.path() + "/f", HostPathType::kFileOrCreate}));
  EXPECT_FALSE(EnsureHostPath({dir.path() + "/no/f", HostPathType::kFileOrCreate}).ok());
  struct stat st;
  ASSERT_EQ(::stat((dir.path() + "/a/b").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode, static_cast<mode_t>(S_IFDIR | 0755));
  ASSERT_EQ(::stat((dir.path() + "/f").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode, static_cast<mode_t>(S_IFREG | 0644));
}

TEST(HostPathTest, CheckMakesNothing) {
  TempDir dir;
  EXPECT_OK(CheckHostPath({dir.path() + "/a", HostPathType::kDirectoryOrCreate}));
  EXPECT_FALSE(std::filesystem::exists(dir.path() + "/a"));
}

}  // namespace
}  // namespace crisp::volumes
