// From frames to files.
#include "render/video_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/check.h"
#include "support/read_video.h"
#include "support/temporary_directory.h"

namespace goalpost {
namespace {

using testing::AllOf;
using testing::HasSubstr;

Frame gradient(int width, int height, int shift) {
  Frame p(width, height);
  for (std::size_t i = 0; i < p.rgb.size(); ++i) p.rgb[i] = static_cast<std::uint8_t>((i / 3 + i % 3 * 50) * 2 + shift);
  return p;
}

void write_video(const std::filesystem::path& file, int frames, double fps = 25) {
  VideoWriter writer(file, 97, 64, fps);
  for (int i = 0; i < frames; ++i) writer.add(gradient(97, 64, 3 * i), i == 0 ? 2 : 1);
  writer.finish();
}

TEST(VideoWriter, WritesAVideoThatCanBeReadAndRepeated) {
  const TemporaryDirectory here;
  write_video(here / "a.mp4", 30);
  write_video(here / "b.mp4", 30);
  EXPECT_TRUE(content(here / "a.mp4") == content(here / "b.mp4"));
  const ReadVideo video = read_video(here / "a.mp4");
  EXPECT_EQ(video.frames, 31);
  EXPECT_EQ(video.width, 96);
  EXPECT_EQ(video.height, 64);
  EXPECT_NEAR(video.fps, 25, 1e-6);
  write_video(here / "slow.mp4", 3, 0.5);
  EXPECT_NEAR(read_video(here / "slow.mp4").fps, 0.5, 1e-6);
}

TEST(VideoWriter, LeavesNothingBehindWhenItIsNotFinished) {
  const TemporaryDirectory here;
  {
    VideoWriter writer(here / "a.mp4", 32, 32, 10);
    writer.add(gradient(32, 32, 0));
  }
  EXPECT_TRUE(std::filesystem::is_empty(here.path()));
}

TEST(VideoWriter, SaysWhichFileCannotBeWritten) {
  const TemporaryDirectory here;
  const auto refusal = [](auto f) { return message_of<UsageError>(f); };
  EXPECT_THAT(refusal([&] { VideoWriter(here / "no/a.mp4", 32, 32, 10); }),
              AllOf(HasSubstr("no/a.mp4"), HasSubstr("No such file")));
  EXPECT_THAT(refusal([&] { VideoWriter(here / "a.mp4", 1, 32, 10); }), HasSubstr("1 x 32 pixels"));
  EXPECT_THROW(VideoWriter(here / "a.mp4", 32, 32, 0), std::invalid_argument);
  VideoWriter writer(here / "a.mp4", 32, 32, 10);
  EXPECT_THROW(writer.add(gradient(64, 32, 0)), std::invalid_argument);
  EXPECT_THAT(refusal([] { format_of("video.gif"); }), AllOf(HasSubstr("\".gif\""), HasSubstr(".mp4")));
  EXPECT_EQ(format_of("a.png"), MediaFormat::image);
}

TEST(VideoWriter, SaysWhenTheDiskIsFullAndLeavesWhatWasThere) {
  const TemporaryDirectory here;
  set_content(here / "a.mp4", "older");
  {
    const FileSizeLimit limit(1000);
    EXPECT_THAT(message_of<std::runtime_error>([&] { write_video(here / "a.mp4", 30); }),
                AllOf(HasSubstr("a.mp4"), HasSubstr("File too large")));
  }
  EXPECT_EQ(content(here / "a.mp4"), "older");
  EXPECT_FALSE(std::filesystem::exists(here / "a.mp4.tmp"));
}

TEST(WriteImage, KeepsEveryPixel) {
  const TemporaryDirectory here;
  const Frame frame = gradient(61, 33, 7);
  write_image(here / "a.png", frame);
  const ReadVideo read = read_video(here / "a.png");
  ASSERT_EQ(read.first.size(), 1u);
  EXPECT_EQ(read.first[0].rgb, frame.rgb);
  EXPECT_THROW(write_image(here / "no/a.png", frame), std::runtime_error);
}

}  // namespace
}  // namespace goalpost
