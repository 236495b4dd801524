// Archives in zip format: NumPy's npz, and what Python programs save. Only this file includes libzip's zip.h.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace goalpost {

/// An archive that is read. Every file in it is checked against its check sum.
class ZipReader {
 public:
  /// @throws std::runtime_error with path and reason if it is no archive
  static ZipReader open(const std::filesystem::path& path);
  /// An archive within another file. @param bytes must outlive the reader @param name for messages
  static ZipReader of_bytes(std::string_view bytes, std::string name);
  ZipReader(ZipReader&&) noexcept;
  ~ZipReader();

  std::vector<std::string> names() const;
  bool has(const std::string& name) const;
  /// @throws std::runtime_error with archive, name and reason: there is none, it is damaged, encrypted, or larger than
  /// 4 GiB
  std::string read(const std::string& name) const;

 private:
  struct Handle;
  ZipReader(std::string path, std::unique_ptr<Handle> handle);
  std::string path_;
  std::unique_ptr<Handle> handle_;
};

struct ZipEntry {
  std::string name, content;
};
/// Writes a new archive, uncompressed and without dates: equal contents give equal bytes.
/// @throws std::runtime_error with path and reason
void write_zip(const std::filesystem::path& path, const std::vector<ZipEntry>& entries);

}  // namespace goalpost
