#include "storage/file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <thread>

#include "core/check.h"
#include "storage/episode_format.h"
#include "storage/episode_writer.h"
#include "support/script.h"
#include "support/temporary_directory.h"

namespace goalpost {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// All ways in which a whole file is written.
struct Writer {
  const char* name;
  void (*write)(const fs::path&);
};
void PrintTo(const Writer& w, std::ostream* out) { *out << w.name; }

void write_episodes(const fs::path& path) {
  EpisodeFileWriter writer(path, EpisodeHeader::of(test::script_spec(6), 1, ""), false);
  writer.close();
}
const Writer kWriters[] = {
    {"Text", [](const fs::path& path) { write_file_atomically(path, "new"); }},
    {"Temporary",
     [](const fs::path& path) {
       OutputFile(temporary_name(path), OutputFile::Mode::replace).write("new");
       replace_by_temporary(path);
     }},
    {"Episodes", write_episodes},
};

class Replacement : public testing::TestWithParam<Writer> {
 protected:
  void write(const fs::path& path) { GetParam().write(path); }
  static bool is_new(const std::string& text) { return text == "new" || text.starts_with("\x89HDF"); }
  TemporaryDirectory dir_;
};

TEST_P(Replacement, LeavesADeviceWhatItIs) {
  const fs::path device = dir_ / "null";
  if (::mknod(device.c_str(), S_IFCHR | 0666, makedev(1, 3)) != 0) GTEST_SKIP() << "only root can make a device";
  write(device);
  EXPECT_TRUE(fs::is_character_file(device));
  fs::create_symlink(device, dir_ / "link");
  write(dir_ / "link");
  EXPECT_TRUE(fs::is_character_file(device));
  EXPECT_TRUE(fs::is_symlink(dir_ / "link"));
  EXPECT_EQ(std::distance(fs::directory_iterator(dir_.path()), {}), 2);
}

TEST_P(Replacement, WritesIntoAPipe) {
  const fs::path pipe = dir_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0666), 0);
  std::string read;
  std::thread reader([&] { read = content(pipe); });
  write(pipe);
  reader.join();
  EXPECT_TRUE(is_new(read));
  EXPECT_TRUE(fs::is_fifo(pipe));
}

TEST_P(Replacement, WritesIntoAnOpenFile) {
  set_content(dir_ / "out", "old");
  const int file = ::open((dir_ / "out").c_str(), O_WRONLY | O_APPEND);
  write("/dev/fd/" + std::to_string(file));
  EXPECT_EQ(::write(file, "er", 2), 2);  // it is still the file of this name
  ::close(file);
  const std::string text = content(dir_ / "out");
  EXPECT_TRUE(text.starts_with("old") && is_new(text.substr(3, text.size() - 5)) && text.ends_with("er"));
}

TEST_P(Replacement, GoesThroughSymbolicLinks) {
  fs::create_directory(dir_ / "far");
  set_content(dir_ / "far/file", "old");
  fs::create_symlink("far/file", dir_ / "link");
  fs::create_symlink("link", dir_ / "second");
  fs::create_symlink("far/none", dir_ / "dangling");
  for (const char* link : {"link", "second", "dangling"}) {
    write(dir_ / link);
    EXPECT_TRUE(fs::is_symlink(dir_ / link)) << link;
    EXPECT_TRUE(is_new(content(dir_ / link))) << link;
  }
  EXPECT_TRUE(is_new(content(dir_ / "far/none")));
  EXPECT_EQ(std::distance(fs::directory_iterator(dir_ / "far"), {}), 2) << "nothing else is left";
  fs::create_symlink("circle", dir_ / "circle");
  EXPECT_THAT(message_of<std::system_error>([&] { write(dir_ / "circle"); }), HasSubstr("circle: Too many levels"));
}

TEST_P(Replacement, RefusesADirectory) {
  fs::create_directory(dir_ / "d");
  EXPECT_THAT(message_of<std::system_error>([&] { write(dir_ / "d"); }), HasSubstr("d: Is a directory"));
  EXPECT_FALSE(fs::exists(dir_ / "d.tmp"));
}

INSTANTIATE_TEST_SUITE_P(Files, Replacement, testing::ValuesIn(kWriters), [](const auto& i) { return i.param.name; });

TEST(NewFile, TakesNoPlaceThatIsTaken) {
  const TemporaryDirectory dir;
  const auto refusal = [](const std::filesystem::path& path) {
    return message_of<UsageError>([&] { expect_new(path); });
  };
  set_content(dir / "a", "mine");
  std::filesystem::create_symlink("a", dir / "link");
  std::filesystem::create_symlink("nothing", dir / "free");
  for (const char* name : {"a", "link"})
    EXPECT_EQ(refusal(dir / name), (dir / name).string() + ": the file already exists; expected a new name");
  EXPECT_THAT(refusal(dir.path()), testing::HasSubstr("the directory already exists"));
  EXPECT_THAT(refusal(dir / "no/b"), testing::EndsWith("/no/b: there is no directory " + (dir / "no").string()));
  for (const std::filesystem::path& path : {dir / "b", dir / "free", std::filesystem::path("/dev/null")})
    EXPECT_EQ(refusal(path), "") << path;
}

TEST(Device, ThatIsFullIsTold) {
  EXPECT_THAT(message_of<std::system_error>([] { write_file_atomically("/dev/full", "text"); }),
              HasSubstr("cannot write to /dev/full: No space left on device"));
  EXPECT_TRUE(fs::is_character_file("/dev/full"));
}

}  // namespace
}  // namespace goalpost
