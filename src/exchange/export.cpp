// Archives of arrays, npz and safetensors; and the choice of the format.
#include "exchange/export.h"

#include <fmt/format.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "core/suggest.h"
#include "exchange/layout.h"
#include "storage/file.h"
#include "storage/zip_file.h"

namespace goalpost {
namespace {

static_assert(std::endian::native == std::endian::little, "arrays are stored little-endian");

std::string bytes_of(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

// A file in NumPy's format, version 1.0: a header padded to a multiple of 64 bytes, then the numbers.
std::string npy(const std::string& type, const std::vector<std::uint64_t>& shape, std::string_view numbers) {
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}", type,
                                   fmt::join(shape, ", "), shape.size() == 1 ? "," : "");
  constexpr std::size_t kBefore = 10;
  header.append(63 - (kBefore + header.size()) % 64, ' ');
  header += '\n';
  std::string file("\x93NUMPY\x01\x00", 8);
  file += static_cast<char>(header.size() & 0xff);
  file += static_cast<char>(header.size() >> 8);
  file += header;
  file += numbers;
  return file;
}

// A text as NumPy's array of one string: four bytes a character.
std::string npy_text(const std::string& ascii) {
  std::string wide;
  for (const char c : ascii) wide.append({c, '\0', '\0', '\0'});
  return npy(fmt::format("<U{}", ascii.size()), {}, wide);
}

bool is_identifier(const std::string& name) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_", kDigits = "0123456789";
  return !name.empty() && kDigits.find(name.front()) == kDigits.npos &&
         name.find_first_not_of(std::string(kLetters) + std::string(kDigits)) == name.npos;
}

std::string ascii(const nlohmann::ordered_json& j) { return j.dump(-1, ' ', true); }

}  // namespace

void export_npz(const Policy& policy, const std::filesystem::path& file) {
  std::vector<ZipEntry> entries;
  for (const PolicyArray& a : policy_arrays(policy))
    entries.push_back({a.name + ".npy", npy("<f4", a.shape, bytes_of(a.values))});
  entries.push_back({"layout.npy", npy_text(ascii(policy_layout(policy)))});
  write_zip(file, entries);
}

void export_safetensors(const Policy& policy, const std::filesystem::path& file) {
  nlohmann::ordered_json header = {{"__metadata__", {{"format", "pt"}, {"layout", ascii(policy_layout(policy))}}}};
  std::string numbers;
  for (const PolicyArray& a : policy_arrays(policy)) {
    const std::size_t begin = numbers.size();
    numbers += bytes_of(a.values);
    header[a.name] = {{"dtype", "F32"}, {"shape", a.shape}, {"data_offsets", {begin, numbers.size()}}};
  }
  std::string text = ascii(header);
  text.append((8 - text.size() % 8) % 8, ' ');
  const std::uint64_t size = text.size();
  std::string content(sizeof(size), '\0');
  std::memcpy(content.data(), &size, sizeof(size));
  write_file_atomically(file, content + text + numbers);
}

void export_policy(const Policy& policy, const std::filesystem::path& file, const std::string& name) {
  const std::string end = file.extension();
  if (end == ".npz") return export_npz(policy, file);
  if (end == ".safetensors") return export_safetensors(policy, file);
  if (end == ".onnx") return export_onnx(policy, file);
  if (end != ".h")
    throw UsageError(fmt::format("{}: the name's end says the format; expected .npz, .safetensors, .onnx or .h (C){}",
                                 file.string(), did_you_mean(end, {".npz", ".safetensors", ".onnx", ".h"})));
  if (!is_identifier(name))
    throw UsageError(fmt::format("--name {}: expected letters, digits and _, as in a C name", name));
  export_c(policy, file, name);
}

}  // namespace goalpost
