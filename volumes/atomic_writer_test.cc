#include "volumes/atomic_writer.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"
#include "base/sys.h"
#include "base/unique_fd.h"
#include "volumes/mounts.h"
#include "volumes/temp_dir.h"

namespace crisp::volumes {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class AtomicWriterTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_OK_AND_ASSIGN(fd_, OpenDir(dir_.path())); }

  absl::StatusOr<bool> Write(const Payload& payload, const WriteOptions& options = {}) {
    return WriteVolume(fd_.get(), payload, options);
  }
  std::string Read(const std::string& name) { return Slurp(dir_.path() + "/" + name); }
  mode_t Mode(const std::string& name) {
    struct stat st = {};
    EXPECT_EQ(::stat((dir_.path() + "/" + name).c_str(), &st), 0) << name;
    return st.st_mode & 07777;
  }
  // Names in the volume, version directories counted as "version".
  std::multiset<std::string> Names() {
    std::multiset<std::string> names;
    for (const auto& entry : fs::directory_iterator(dir_.path())) {
      const std::string name = entry.path().filename();
      names.insert(name.size() > 6 && name[2] == '2' && name[0] == '.' ? "version" : name);
    }
    return names;
  }

  TempDir dir_;
  UniqueFd fd_;
};

using Set = std::multiset<std::string>;

TEST_F(AtomicWriterTest, WritesFilesWithTheirModes) {
  const mode_t umask = ::umask(077);
  EXPECT_THAT(Write({{"a", {"1", 0644}}, {"d/e/f", {"2", 0400}}, {"x.sh", {"3", 0755}}}),
              IsOkAndHolds(true));
  ::umask(umask);
  EXPECT_EQ(Read("a"), "1");
  EXPECT_EQ(Read("d/e/f"), "2");
  EXPECT_EQ(Mode("a"), 0644u);
  EXPECT_EQ(Mode("d/e/f"), 0400u);
  EXPECT_EQ(Mode("x.sh"), 0755u);
  EXPECT_EQ(Mode("d"), 0755u);
  EXPECT_EQ(Mode("d/e"), 0755u);
  EXPECT_EQ(Mode("..data"), 0755u);
  EXPECT_EQ(fs::read_symlink(dir_.path() + "/a"), "..data/a");
  EXPECT_EQ(Names(), (Set{"..data", "version", "a", "d", "x.sh"}));
}

TEST_F(AtomicWriterTest, AnEmptyPayloadIsAnEmptyVolume) {
  EXPECT_THAT(Write({}), IsOkAndHolds(true));
  EXPECT_THAT(Write({}), IsOkAndHolds(false));
  EXPECT_EQ(Names(), (Set{"..data", "version"}));
  EXPECT_THAT(Write({{"late", {"1", 0644}}}), IsOkAndHolds(true));
  EXPECT_EQ(Read("late"), "1");
}

TEST_F(AtomicWriterTest, UpdatesAddRemoveAndReplace) {
  struct Case {
    const char* name;
    Payload before, after;
    Set names;
    bool changed;
  };
  const Case kCases[] = {
      {"same", {{"a", {"1"}}}, {{"a", {"1"}}}, {"a"}, false},
      {"other bytes", {{"a", {"1"}}}, {{"a", {"2"}}}, {"a"}, true},
      {"other mode", {{"a", {"1", 0644}}}, {{"a", {"1", 0600}}}, {"a"}, true},
      {"add", {{"a", {"1"}}}, {{"a", {"1"}}, {"b", {"2"}}}, {"a", "b"}, true},
      {"remove", {{"a", {"1"}}, {"b", {"2"}}}, {{"a", {"1"}}}, {"a"}, true},
      {"remove nested", {{"d/a", {"1"}}, {"d/b", {"2"}}}, {{"d/a", {"1"}}}, {"d"}, true},
      {"remove directory", {{"d/a", {"1"}}, {"e", {"2"}}}, {{"e", {"2"}}}, {"e"}, true},
      {"file becomes directory", {{"a", {"1"}}}, {{"a/b", {"2"}}}, {"a"}, true},
      {"directory becomes file", {{"a/b", {"1"}}}, {{"a", {"2"}}}, {"a"}, true},
      {"all gone", {{"a", {"1"}}, {"d/b", {"2"}}}, {}, {}, true},
      {"empty file", {{"a", {"1"}}}, {{"a", {""}}}, {"a"}, true},
      {"moved deeper", {{"d/a", {"1"}}}, {{"d/d/a", {"1"}}}, {"d"}, true},
  };
  for (const Case& test : kCases) {
    SCOPED_TRACE(test.name);
    ASSERT_OK(Write(test.before));
    EXPECT_THAT(Write(test.after), IsOkAndHolds(test.changed));
    for (const auto& [path, file] : test.after) EXPECT_EQ(Read(path), file.bytes) << path;
    Set names = test.names;
    names.insert({"..data", "version"});
    EXPECT_EQ(Names(), names);
    for (const auto& [path, file] : test.before) {
      if (test.after.count(path) != 0) continue;
      EXPECT_FALSE(fs::is_regular_file(dir_.path() + "/" + path));
    }
    ASSERT_OK(Write({}));
  }
}

TEST_F(AtomicWriterTest, ABadPayloadWritesNothing) {
  ASSERT_OK(Write({{"a", {"1"}}}));
  const Set before = Names();
  for (const char* path : {"../x", "/x", "..data", "..x/y", "", "a/../b"}) {
    EXPECT_THAT(Write({{"ok", {"2"}}, {path, {"3"}}}), StatusIs(absl::StatusCode::kInvalidArgument))
        << path;
  }
  EXPECT_EQ(Names(), before);
  EXPECT_EQ(Read("a"), "1");
}

TEST_F(AtomicWriterTest, AKeptVersionStaysUntilItIsNot) {
  ASSERT_OK(Write({{"a", {"1"}}}));
  const std::string version = fs::read_symlink(dir_.path() + "/..data");
  ASSERT_OK(Write({{"a", {"2"}}}, {.keep = {version}}));
  ASSERT_OK(Write({{"a", {"3"}}}, {.keep = {version}}));
  EXPECT_EQ(Read(version + "/a"), "1");
  EXPECT_EQ(Names(), (Set{"..data", "version", "version", "a"}));
  EXPECT_THAT(Write({{"a", {"3"}}}), IsOkAndHolds(false));
  EXPECT_EQ(Names(), (Set{"..data", "version", "a"}));
}

TEST_F(AtomicWriterTest, AnOpenFileKeepsItsBytes) {
  ASSERT_OK(Write({{"a", {"old"}}}));
  ASSERT_OK_AND_ASSIGN(UniqueFd open, OpenBeneath(fd_.get(), "a", O_RDONLY));
  ASSERT_OK(Write({{"a", {"new"}}}));
  EXPECT_THAT(ReadAll(open.get(), 100), IsOkAndHolds("old"));
  EXPECT_EQ(Read("a"), "new");
}

TEST_F(AtomicWriterTest, FsGroupMayReadEverything) {
  if (::geteuid() != 0) GTEST_SKIP() << "chgrp to another group needs root";
  const WriteOptions options = {.group = 4321};
  ASSERT_OK(Write({{"a", {"1", 0400}}, {"d/b", {"2", 0644}}}, options));
  EXPECT_THAT(Write({{"a", {"1", 0400}}, {"d/b", {"2", 0644}}}, options), IsOkAndHolds(false));
  EXPECT_EQ(Mode("a"), 0440u);
  EXPECT_EQ(Mode("d/b"), 0644u);
  EXPECT_EQ(Mode("d"), 02755u);
  struct stat st;
  for (const char* name : {"a", "d", "d/b", "..data"}) {
    ASSERT_EQ(::stat((dir_.path() + "/" + name).c_str(), &st), 0);
    EXPECT_EQ(st.st_gid, 4321u) << name;
  }
}

// CVE-2017-1002102: a forged ..data made the writer's cleanup delete host files.
TEST_F(AtomicWriterTest, ForgedLinksFailClosed) {
  TempDir outside;
  Spill(outside.path() + "/precious", "keep");
  fs::create_directory(dir_.path() + "/plain");
  const std::string targets[] = {
      outside.path(), "../" + fs::path(outside.path()).filename().string(),
      "plain",        ".",
      "..",           "..2020_01_01_00_00_00.ab/../../x"};
  for (const std::string& target : targets) {
    ASSERT_OK(Write({{"a", {"1"}}}));
    ASSERT_EQ(::unlinkat(fd_.get(), "..data", 0), 0);
    ASSERT_EQ(::symlinkat(target.c_str(), fd_.get(), "..data"), 0);
    EXPECT_THAT(Write({{"b", {"2"}}}),
                StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("..data")))
        << target;
    EXPECT_EQ(Slurp(outside.path() + "/precious"), "keep");
    ASSERT_EQ(::unlinkat(fd_.get(), "..data", 0), 0);
  }
}

TEST_F(AtomicWriterTest, AVersionThatIsALinkIsNotFollowed) {
  TempDir outside;
  Spill(outside.path() + "/precious", "keep");
  ASSERT_EQ(::symlinkat(outside.path().c_str(), fd_.get(), "..2020_01_01_00_00_00.ab"), 0);
  ASSERT_OK(Write({{"a", {"1"}}}));
  EXPECT_EQ(Slurp(outside.path() + "/precious"), "keep");
  EXPECT_EQ(Names(), (Set{"..data", "version", "a"}));
  ASSERT_EQ(::symlinkat(outside.path().c_str(), fd_.get(), "..2020_01_01_00_00_00.cd"), 0);
  ASSERT_EQ(::unlinkat(fd_.get(), "..data", 0), 0);
  ASSERT_EQ(::symlinkat("..2020_01_01_00_00_00.cd", fd_.get(), "..data"), 0);
  EXPECT_FALSE(Write({{"b", {"2"}}}).ok());
  EXPECT_EQ(Slurp(outside.path() + "/precious"), "keep");
}

TEST_F(AtomicWriterTest, ANameTakenByAMountPointStopsTheUpdate) {
  ASSERT_OK(Write({{"a", {"1"}}}));
  ASSERT_EQ(::mkdirat(fd_.get(), "nested", 0755), 0);
  EXPECT_THAT(Write({{"a", {"2"}}, {"nested", {"3"}}}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("'nested' exists")));
  EXPECT_EQ(Read("a"), "1");
  EXPECT_THAT(Write({{"a", {"2"}}}), IsOkAndHolds(true));
  EXPECT_TRUE(fs::is_directory(dir_.path() + "/nested"));
}

// One name for each step that a crash may follow.
TEST_F(AtomicWriterTest, ACrashAtAnyStepIsHealedByTheNextWrite) {
  const Payload kOld = {{"keep", {"old"}}, {"gone", {"old"}}, {"d/x", {"old"}}};
  const Payload kNew = {{"keep", {"new"}}, {"fresh", {"new"}}, {"d/x", {"new"}}};
  for (const bool first_write : {true, false}) {
    for (int step = 0; step <= static_cast<int>(WriteStep::kRemovedOld); ++step) {
      SCOPED_TRACE(step);
      for (const auto& entry : fs::directory_iterator(dir_.path())) fs::remove_all(entry);
      if (!first_write) {
        ASSERT_OK(Write(kOld));
      }
      const pid_t child = ::fork();
      ASSERT_GE(child, 0);
      if (child == 0) {
        (void)Write(kNew, {.after = [step](WriteStep at) {
                      if (static_cast<int>(at) == step) ::_exit(42);
                    }});
        ::_exit(1);
      }
      int status = 0;
      ASSERT_EQ(::waitpid(child, &status, 0), child);
      ASSERT_EQ(WEXITSTATUS(status), 42);
      if (!first_write) {
        const bool committed = step >= static_cast<int>(WriteStep::kCommitted);
        EXPECT_EQ(Read("keep"), committed ? "new" : "old");
        EXPECT_EQ(Read("d/x"), committed ? "new" : "old");
      }
      ASSERT_OK(Write(kNew));
      for (const auto& [path, file] : kNew) EXPECT_EQ(Read(path), file.bytes) << path;
      EXPECT_EQ(Names(), (Set{"..data", "version", "keep", "fresh", "d"}));
      EXPECT_THAT(Write(kNew), IsOkAndHolds(false));
    }
  }
}

TEST_F(AtomicWriterTest, AFullVolumeKeepsTheOldVersion) {
  if (const std::string why = EnterPrivateMounts(); !why.empty()) GTEST_SKIP() << why;
  ASSERT_OK_AND_ASSIGN(UniqueFd tmpfs, NewTmpfs(64 << 10, 0755));
  ASSERT_OK_AND_ASSIGN(UniqueFd target, OpenDir(dir_.path()));
  ASSERT_OK(AttachMount(tmpfs.get(), target.get(), "private"));
  ASSERT_OK_AND_ASSIGN(fd_, OpenDir(dir_.path()));
  ASSERT_OK(Write({{"a", {"old"}}, {"b", {"old"}}}));
  const absl::StatusOr<bool> full = Write({{"a", {"new"}}, {"b", {std::string(1 << 20, 'x')}}});
  EXPECT_EQ(ErrnoOf(full.status()), ENOSPC) << full.status();
  EXPECT_EQ(Read("a"), "old");
  EXPECT_EQ(Read("b"), "old");
  EXPECT_EQ(Names(), (Set{"..data", "version", "a", "b"}));
  EXPECT_THAT(Write({{"a", {"new"}}}), IsOkAndHolds(true));
  fd_.reset();
  target.reset();
  tmpfs.reset();
  EXPECT_EQ(::umount2(dir_.path().c_str(), MNT_DETACH), 0);
}

// kubernetes/kubernetes#93686: links made before the data made watchers see a file
// that cannot be opened.
TEST_F(AtomicWriterTest, AWatcherNeverSeesADanglingFile) {
  ASSERT_OK(Write({{"first", {"1"}}}));
  UniqueFd watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  ASSERT_GE(::inotify_add_watch(watch.get(), dir_.path().c_str(), IN_CREATE | IN_MOVED_TO), 0);
  std::atomic<bool> done = false;
  int seen = 0;
  std::vector<std::string> dangling;
  std::thread watcher([&] {
    alignas(inotify_event) char buffer[16 << 10];
    while (true) {
      const bool last = done.load();
      pollfd poll = {watch.get(), POLLIN, 0};
      (void)::poll(&poll, 1, 10);
      const ssize_t n = ::read(watch.get(), buffer, sizeof(buffer));
      for (ssize_t at = 0; at < n;) {
        const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
        at += static_cast<ssize_t>(sizeof(*event)) + event->len;
        const std::string name = event->name;
        if (name.compare(0, 2, "..") == 0) continue;
        ++seen;
        if (!fs::exists(dir_.path() + "/" + name)) dangling.push_back(name);
      }
      if (n <= 0 && last) return;
    }
  });
  Payload payload = {{"first", {"1"}}};
  for (int i = 0; i < 60; ++i) {
    // Keys are only added: one taken away again may be gone when the watcher looks.
    payload["k" + std::to_string(i)] = {std::to_string(i)};
    ASSERT_OK(Write(payload));
  }
  done = true;
  watcher.join();
  EXPECT_EQ(seen, 60);
  EXPECT_THAT(dangling, ::testing::IsEmpty());
}

TEST_F(AtomicWriterTest, AReaderNeverSeesAMix) {
  ASSERT_OK(Write({{"a", {"0"}}, {"d/b", {"0"}}}));
  std::atomic<bool> done = false;
  int reads = 0;
  int mixes = 0;
  std::thread reader([&] {
    while (!done.load()) {
      // As a program does that wants both: the directory first, then its files.
      auto version = OpenBeneath(fd_.get(), "..data", O_RDONLY | O_DIRECTORY);
      if (!version.ok()) continue;
      auto a = OpenBeneath(version->get(), "a", O_RDONLY);
      auto b = OpenBeneath(version->get(), "d/b", O_RDONLY);
      if (!a.ok() || !b.ok()) continue;  // Superseded and deleted meanwhile.
      const auto a_bytes = ReadAll(a->get(), 100);
      const auto b_bytes = ReadAll(b->get(), 100);
      if (!a_bytes.ok() || !b_bytes.ok() || *a_bytes != *b_bytes || a_bytes->empty()) ++mixes;
      ++reads;
    }
  });
  for (int i = 1; i <= 300; ++i) {
    const std::string text = std::to_string(i);
    ASSERT_OK(Write({{"a", {text}}, {"d/b", {text}}}));
  }
  done = true;
  reader.join();
  EXPECT_GT(reads, 0);
  EXPECT_EQ(mixes, 0);
}

}  // namespace
}  // namespace crisp::volumes
