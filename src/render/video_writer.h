// Videos (MP4) and images (PNG) by libav. The same frames give the same bytes.
#pragma once

#include <filesystem>
#include <memory>

#include "render/frame.h"

namespace goalpost {

/// What a file name asks for. @throws UsageError for another extension than .mp4 and .png
enum class MediaFormat { video, image };
MediaFormat format_of(const std::filesystem::path& file);

/// Writes a video of H.264, or of MPEG-4 where libav has no encoder for that. The file appears when it is whole.
class VideoWriter {
 public:
  /// @param fps frames per second
  /// @throws UsageError if the file cannot be written or a size is out of range
  VideoWriter(std::filesystem::path file, int width, int height, double fps);
  ~VideoWriter();  ///< without finish() nothing stays
  VideoWriter(const VideoWriter&) = delete;
  VideoWriter& operator=(const VideoWriter&) = delete;

  /// Appends a frame, `times` times. Of odd sizes the last row or column is cut off.
  void add(const Frame& frame, int times = 1);
  /// @throws std::runtime_error with path and reason, e.g. a full disk
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// @throws std::runtime_error with path and reason if the file cannot be written
void write_image(const std::filesystem::path& file, const Frame& frame);

}  // namespace goalpost
