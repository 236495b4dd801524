// Films (MP4) and stills (PNG) by libav. The same pictures give the same bytes.
#pragma once

#include <filesystem>
#include <memory>

#include "render/renderer.h"

namespace goalpost {

/// What a file name asks for. @throws UsageError for another extension than .mp4 and .png
enum class PictureFormat { film, still };
PictureFormat format_of(const std::filesystem::path& file);

/// Writes a film of H.264, or of MPEG-4 where libav has no encoder for that. The file appears when it is whole.
class FilmWriter {
 public:
  /// @param rate pictures per second
  /// @throws UsageError if the file cannot be written or the rate or a size is out of range
  FilmWriter(std::filesystem::path file, int width, int height, double rate);
  ~FilmWriter();  ///< without finish() nothing stays
  FilmWriter(const FilmWriter&) = delete;
  FilmWriter& operator=(const FilmWriter&) = delete;

  /// The next picture, shown so many times. Odd sizes are cut by a point.
  void add(const Picture& picture, int times = 1);
  /// @throws std::runtime_error with path and reason, e.g. a full disk
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// @throws std::runtime_error with path and reason if the file cannot be written
void write_still(const std::filesystem::path& file, const Picture& picture);

}  // namespace goalpost
