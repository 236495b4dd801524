#include "storage/zip_file.h"

#include <fmt/format.h>
#include <zip.h>

#include <cstdint>
#include <stdexcept>
#include <utility>

#include "storage/file.h"

namespace goalpost {
namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{4} << 30;

[[noreturn]] void fail(const std::string& path, const std::string& reason) {
  throw std::runtime_error(fmt::format("{}: {}", path, reason));
}

std::string text_of(zip_error_t& error) {
  std::string text = zip_error_strerror(&error);
  zip_error_fini(&error);
  return text;
}

}  // namespace

struct ZipReader::Handle {
  zip_t* zip = nullptr;
  Handle() = default;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    if (zip != nullptr) zip_discard(zip);
  }
};

ZipReader::ZipReader(std::string path, std::unique_ptr<Handle> handle)
    : path_(std::move(path)), handle_(std::move(handle)) {}
ZipReader::ZipReader(ZipReader&&) noexcept = default;
ZipReader::~ZipReader() = default;

ZipReader ZipReader::open(const std::filesystem::path& path) {
  expect_no_stream(path);
  auto handle = std::make_unique<Handle>();
  int code = 0;
  handle->zip = zip_open(path.c_str(), ZIP_RDONLY | ZIP_CHECKCONS, &code);
  if (handle->zip == nullptr) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    fail(path.string(), fmt::format("this is no zip archive that can be read: {}", text_of(error)));
  }
  return {path.string(), std::move(handle)};
}

ZipReader ZipReader::of_bytes(std::string_view bytes, std::string name) {
  auto handle = std::make_unique<Handle>();
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
  if (source != nullptr) {
    handle->zip = zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error);
    if (handle->zip == nullptr) zip_source_free(source);
  }
  if (handle->zip == nullptr) fail(name, fmt::format("this is no zip archive that can be read: {}", text_of(error)));
  return {std::move(name), std::move(handle)};
}

std::vector<std::string> ZipReader::names() const {
  std::vector<std::string> names;
  for (zip_int64_t i = 0; i < zip_get_num_entries(handle_->zip, 0); ++i)
    if (const char* name = zip_get_name(handle_->zip, static_cast<zip_uint64_t>(i), 0); name != nullptr)
      names.emplace_back(name);
  return names;
}

bool ZipReader::has(const std::string& name) const { return zip_name_locate(handle_->zip, name.c_str(), 0) >= 0; }

std::string ZipReader::read(const std::string& name) const {
  zip_stat_t stat;
  zip_stat_init(&stat);
  if (zip_stat(handle_->zip, name.c_str(), 0, &stat) != 0 || (stat.valid & ZIP_STAT_SIZE) == 0)
    fail(path_, fmt::format("it holds no {}", name));
  if (stat.size > kMostBytes) fail(path_, fmt::format("{} has {} bytes; expected at most 4 GiB", name, stat.size));
  zip_file_t* file = zip_fopen(handle_->zip, name.c_str(), 0);
  if (file == nullptr) fail(path_, fmt::format("{}: {}", name, zip_strerror(handle_->zip)));
  std::string content(stat.size, '\0');
  zip_int64_t got = 0;
  std::uint64_t at = 0;
  while (at < stat.size && (got = zip_fread(file, content.data() + at, stat.size - at)) > 0)
    at += static_cast<std::uint64_t>(got);
  char past = 0;
  if (got >= 0 && at == stat.size) got = zip_fread(file, &past, 1);  // the check sum is compared at the end
  const std::string reason = got != 0 ? zip_file_strerror(file) : "it ends early";
  zip_fclose(file);
  if (got != 0 || at != stat.size) fail(path_, fmt::format("{}: {}", name, reason));
  return content;
}

void write_zip(const std::filesystem::path& path, const std::vector<ZipEntry>& entries) {
  const std::filesystem::path temporary = temporary_name(path);
  int code = 0;
  zip_t* zip = zip_open(temporary.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code);
  if (zip == nullptr) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    fail(path.string(), text_of(error));
  }
  const auto give_up = [&] {
    const std::string reason = zip_strerror(zip);
    zip_discard(zip);
    fail(path.string(), reason);
  };
  constexpr std::time_t kNoDate = 315'619'200;  // 1980-01-02, in every time zone within what zip can hold
  for (const ZipEntry& e : entries) {
    zip_source_t* source = zip_source_buffer(zip, e.content.data(), e.content.size(), 0);
    const zip_int64_t i = source == nullptr ? -1 : zip_file_add(zip, e.name.c_str(), source, ZIP_FL_ENC_UTF_8);
    if (i < 0) {
      if (source != nullptr) zip_source_free(source);
      give_up();
    }
    const auto index = static_cast<zip_uint64_t>(i);
    if (zip_set_file_compression(zip, index, ZIP_CM_STORE, 0) != 0 || zip_file_set_mtime(zip, index, kNoDate, 0) != 0)
      give_up();
  }
  if (zip_close(zip) != 0) give_up();
  replace_by_temporary(path);
}

}  // namespace goalpost
