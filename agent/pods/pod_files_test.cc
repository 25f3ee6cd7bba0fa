#include "agent/pods/pod_files.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"

namespace crisp::agent {
namespace {

class PodFilesTest : public ::testing::Test {
 protected:
  PodFilesTest() {
    char pattern[] = "/tmp/crisp-pod-files.XXXXXX";
    root_ = ::mkdtemp(pattern);
    pod_.name = "web";
    pod_.ns = "default";
    web_.name = "web";
    pod_.containers = {web_};
    files_ = std::make_unique<PodFiles>(root_ + "/pods", root_ + "/logs", "default", "web", "uid");
    EXPECT_OK(files_->MakeDirectories(pod_));
  }
  ~PodFilesTest() override { EXPECT_OK(RemoveTree(root_)); }

  void WriteLog(int lines) {
    std::string text;
    for (int i = 0; i < lines; ++i) {
      absl::StrAppend(&text, "2026-01-01T00:00:00.000000000Z stderr F line ", i, "\n");
    }
    ASSERT_OK(WriteFileAtomic(files_->LogPath("web", 0), text, 0644));
  }

  std::string root_;
  Pod pod_;
  Container web_;
  std::unique_ptr<PodFiles> files_;
};

TEST_F(PodFilesTest, ATerminationMessageIsReadBounded) {
  ASSERT_OK_AND_ASSIGN(const std::string path, files_->MakeTerminationMessage("web", 0));
  struct stat info = {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0666u) << "any user of the container may write it";
  EXPECT_EQ(files_->ReadLastWords(web_, 0, true, ""), "");
  ASSERT_OK(WriteFileAtomic(path, std::string(10000, 'x'), 0666));
  EXPECT_EQ(files_->ReadLastWords(web_, 0, true, "").size(), 4096u);
  // Whatever a container made of it, nothing is followed and nobody waits.
  ASSERT_EQ(::unlink(path.c_str()), 0);
  ASSERT_EQ(::symlink("/etc/passwd", path.c_str()), 0);
  EXPECT_EQ(files_->ReadLastWords(web_, 0, true, ""), "");
  ASSERT_EQ(::unlink(path.c_str()), 0);
  ASSERT_EQ(::mkfifo(path.c_str(), 0666), 0);
  EXPECT_EQ(files_->ReadLastWords(web_, 0, true, ""), "");
}

TEST_F(PodFilesTest, TheLogSpeaksForAContainerThatFailedInSilence) {
  WriteLog(200);
  EXPECT_EQ(files_->ReadLastWords(web_, 0, true, ""), "") << "only where the policy says so";
  web_.termination_message_policy = "FallbackToLogsOnError";
  EXPECT_EQ(files_->ReadLastWords(web_, 0, false, ""), "");
  const std::string words = files_->ReadLastWords(web_, 0, true, "");
  EXPECT_LE(words.size(), 2048u);
  EXPECT_TRUE(absl::EndsWith(words, "line 199\n")) << words;
  EXPECT_FALSE(absl::StrContains(words, "line 119\n")) << "at most 80 lines";
  ASSERT_OK_AND_ASSIGN(const std::string path, files_->MakeTerminationMessage("web", 0));
  ASSERT_OK(WriteFileAtomic(path, "own words", 0666));
  EXPECT_EQ(files_->ReadLastWords(web_, 0, true, ""), "own words");
}

TEST_F(PodFilesTest, HostsAsKubeletWritesThem) {
  pod_.host_aliases = {{"10.1.2.3", {"foo", "bar"}}};
  EXPECT_EQ(HostsFile(pod_, {"10.85.0.7"}, ""),
            "# Kubernetes-managed hosts file.\n"
            "127.0.0.1\tlocalhost\n"
            "::1\tlocalhost ip6-localhost ip6-loopback\n"
            "fe00::0\tip6-localnet\n"
            "fe00::0\tip6-mcastprefix\n"
            "fe00::1\tip6-allnodes\n"
            "fe00::2\tip6-allrouters\n"
            "10.85.0.7\tweb\n"
            "\n"
            "# Entries added by HostAliases.\n"
            "10.1.2.3\tfoo\tbar\n");
  pod_.host_network = true;
  EXPECT_EQ(HostsFile(pod_, {}, "127.0.0.1 localhost"),
            "# Kubernetes-managed hosts file (host network).\n"
            "127.0.0.1 localhost\n"
            "\n"
            "# Entries added by HostAliases.\n"
            "10.1.2.3\tfoo\tbar\n");
}

TEST_F(PodFilesTest, AllGoesInTheEnd) {
  WriteLog(1);
  ASSERT_OK(files_->MakeTerminationMessage("web", 0).status());
  files_->RemoveContainer("web", 0);
  EXPECT_NE(::access(files_->LogPath("web", 0).c_str(), F_OK), 0);
  ASSERT_OK(files_->RemoveAll());
  EXPECT_FALSE(OpenDir(files_->log_directory()).ok());
  EXPECT_OK(files_->RemoveAll());
}

}  // namespace
}  // namespace crisp::agent
