#include "exchange/arrays.h"

#include <fmt/format.h>

#include <cstring>
#include <limits>
#include <stdexcept>
#include <utility>

#include "storage/zip_file.h"

namespace goalpost {
namespace {

using Kind = Pickle::Kind;

[[noreturn]] void fail(const std::string& name, const std::string& reason) {
  throw std::runtime_error(fmt::format("{}: {}", name, reason));
}

template <class T>
std::vector<double> convert(std::string_view bytes, const std::string& name) {
  if (bytes.size() % sizeof(T) != 0) fail(name, "an array whose bytes are no whole numbers");
  std::vector<double> values(bytes.size() / sizeof(T));
  for (std::size_t i = 0; i < values.size(); ++i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    values[i] = static_cast<double>(value);
  }
  return values;
}

// @param type as NumPy writes it, "f4"
std::vector<double> decode(const std::string& type, std::string_view bytes, const std::string& name) {
  if (type == "f4") return convert<float>(bytes, name);
  if (type == "f8") return convert<double>(bytes, name);
  if (type == "i4") return convert<std::int32_t>(bytes, name);
  if (type == "i8") return convert<std::int64_t>(bytes, name);
  if (type == "u1" || type == "b1") return convert<std::uint8_t>(bytes, name);
  fail(name, fmt::format("an array of type {}; expected f4, f8, i4, i8, u1 or b1", type));
}

// Python 3 writes bytes into old protocols as a text with a character for each byte.
std::string bytes_of(const Pickle& p, const std::string& name) {
  if (p.kind == Kind::bytes) return p.text;
  if (!p.is_object_of("_codecs.encode") && !p.is_object_of("builtins.bytearray")) fail(name, "an array without bytes");
  if (p.args().empty()) return "";
  const std::string& text = p.args()[0]->text;
  if (p.args()[0]->kind == Kind::bytes) return text;
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x80) {
      bytes += text[i];
    } else {
      if (i + 1 == text.size() || (c & 0xfe) != 0xc2) fail(name, "bytes as a text with other characters");
      bytes += static_cast<char>((c & 0x03) << 6 | (static_cast<unsigned char>(text[++i]) & 0x3f));
    }
  }
  return bytes;
}

std::string type_of(const Pickle& p, const std::string& name) {
  if (!p.is_object_of("numpy.dtype") || p.args().empty()) fail(name, "an array without a type");
  if (p.state != nullptr && p.state->items.size() > 1 && p.state->items[1]->text == ">")
    fail(name, "an array of big-endian numbers");
  return p.args()[0]->text;
}

std::vector<std::int64_t> extents(const Pickle& p) {
  std::vector<std::int64_t> shape;
  if (p.kind == Kind::integer) shape.push_back(p.integer);
  for (const Pickle* i : p.items) shape.push_back(i->integer);
  return shape;
}

// @throws std::runtime_error unless the shape has as many entries
void check_shape(const Array& a, const std::string& name) {
  std::uint64_t size = 1;
  for (const std::int64_t extent : a.shape) {
    if (extent < 0 || static_cast<std::uint64_t>(extent) > std::numeric_limits<std::uint32_t>::max())
      fail(name, fmt::format("an array with {} rows or columns", extent));
    size *= static_cast<std::uint64_t>(extent);
  }
  if (size != a.values.size())
    fail(name, fmt::format("an array of shape ({}) with {} numbers", fmt::join(a.shape, ", "), a.values.size()));
}

Array in_c_order(Array a, bool fortran, const std::string& name) {
  if (!fortran || a.shape.size() < 2) return a;
  if (a.shape.size() != 2) fail(name, "an array of more than two dimensions in Fortran's order");
  Array c = a;
  const auto rows = static_cast<std::size_t>(a.shape[0]), columns = static_cast<std::size_t>(a.shape[1]);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j) c.values[i * columns + j] = a.values[j * rows + i];
  return c;
}

bool ends_with_any(const std::string& text, std::initializer_list<std::string_view> ends) {
  for (const std::string_view end : ends)
    if (text.ends_with(end)) return true;
  return false;
}

}  // namespace

bool is_numbers(const Pickle& p) {
  if (p.kind == Kind::integer || p.kind == Kind::real || p.kind == Kind::boolean) return true;
  return p.kind == Kind::object &&
         ends_with_any(p.callee->text, {"multiarray._reconstruct", "multiarray.scalar", "numeric._frombuffer"});
}

Array numbers_of(const Pickle& p, const std::string& name) {
  if (p.kind == Kind::real) return {{}, {p.real}};
  if (p.kind == Kind::integer || p.kind == Kind::boolean) return {{}, {static_cast<double>(p.integer)}};
  if (!is_numbers(p)) fail(name, "no number and no array of NumPy's");
  Array a;
  if (p.callee->text.ends_with("scalar")) {
    if (p.args().size() < 2) fail(name, "a number without a value");
    a.values = decode(type_of(*p.args()[0], name), bytes_of(*p.args()[1], name), name);
  } else if (p.callee->text.ends_with("_frombuffer")) {
    const std::vector<const Pickle*>& args = p.args();
    if (args.size() < 4) fail(name, "an array without numbers");
    a = {extents(*args[2]), decode(type_of(*args[1], name), bytes_of(*args[0], name), name)};
    check_shape(a, name);
    return in_c_order(std::move(a), args[3]->text == "F", name);
  } else {
    if (p.state == nullptr || p.state->items.size() < 5) fail(name, "an array without numbers");
    const std::vector<const Pickle*>& s = p.state->items;
    a = {extents(*s[1]), decode(type_of(*s[2], name), bytes_of(*s[4], name), name)};
    check_shape(a, name);
    return in_c_order(std::move(a), s[3]->integer != 0, name);
  }
  check_shape(a, name);
  return a;
}

TorchFile::TorchFile(std::string_view bytes, std::string name) : name_(std::move(name)) {
  if (bytes.starts_with("PK"))
    read_zip(bytes);
  else
    read_legacy(bytes);
}

void TorchFile::read_zip(std::string_view bytes) {
  const ZipReader zip = ZipReader::of_bytes(bytes, name_);
  std::string folder;
  for (const std::string& entry : zip.names())
    if (entry == "data.pkl" || entry.ends_with("/data.pkl")) folder = entry.substr(0, entry.size() - 8);
  if (!zip.has(folder + "data.pkl")) fail(name_, "this is no file of torch.save: it holds no data.pkl");
  document_ = std::make_unique<PickleDocument>(zip.read(folder + "data.pkl"), name_);
  const std::string data = folder + "data/";
  for (const std::string& entry : zip.names())
    if (entry.starts_with(data)) storages_[entry.substr(data.size())] = zip.read(entry);
}

// A magic number, the protocol, the writer's machine, the object, the keys of the storages; then each storage's length
// and numbers.
void TorchFile::read_legacy(std::string_view bytes) {
  std::size_t at = 0;
  const auto next = [&] {
    auto document = std::make_unique<PickleDocument>(bytes.substr(at), name_);
    at += document->size();
    return document;
  };
  const auto magic = next();
  if (magic->root().text != "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19") fail(name_, "this is no file of torch.save");
  next();
  next();
  document_ = next();
  const auto keys = next();
  std::map<std::string, std::size_t> bytes_each;
  for (const Pickle& p : document_->values())
    if (p.kind == Kind::persistent && p.callee->items.size() > 2)
      bytes_each[p.callee->items[2]->text] = p.callee->items[1]->text == "torch.FloatStorage" ? 4 : 8;
  for (const Pickle* key : keys->root().items) {
    std::uint64_t count = 0;
    const std::size_t each = bytes_each[key->text] == 4 ? 4 : 8;
    if (bytes.size() - at < sizeof(count)) fail(name_, "it ends early");
    std::memcpy(&count, bytes.data() + at, sizeof(count));
    at += sizeof(count);
    if (count > (bytes.size() - at) / each) fail(name_, "it ends early");
    storages_[key->text] = bytes.substr(at, count * each);
    at += count * each;
  }
}

bool TorchFile::is_tensor(const Pickle& p) {
  return p.is_object_of("torch._utils._rebuild_tensor_v2") || p.is_object_of("torch._utils._rebuild_parameter") ||
         p.is_object_of("torch._utils._rebuild_tensor");
}

Array TorchFile::tensor(const Pickle& p) const {
  if (!is_tensor(p)) fail(name_, "no tensor");
  const bool parameter = p.is_object_of("torch._utils._rebuild_parameter");
  if (parameter && (p.args().empty() || !is_tensor(*p.args()[0]))) fail(name_, "a parameter without numbers");
  const std::vector<const Pickle*>& args = parameter ? p.args()[0]->args() : p.args();
  if (args.size() < 4 || args[0]->kind != Kind::persistent) fail(name_, "a tensor without numbers");
  const std::vector<const Pickle*>& id = args[0]->callee->items;
  if (id.size() < 5 || id[0]->text != "storage") fail(name_, "a tensor without numbers");
  const std::string& type = id[1]->text;
  const auto found = storages_.find(id[2]->text);
  if (found == storages_.end()) fail(name_, fmt::format("it lacks the numbers {}", id[2]->text));
  std::vector<double> all;
  if (type == "torch.FloatStorage")
    all = decode("f4", found->second, name_);
  else if (type == "torch.DoubleStorage")
    all = decode("f8", found->second, name_);
  else if (type == "torch.LongStorage")
    all = decode("i8", found->second, name_);
  else
    fail(name_, fmt::format("a tensor of {}; expected FloatStorage or DoubleStorage", type));
  Array a;
  a.shape = extents(*args[2]);
  const std::vector<std::int64_t> strides = extents(*args[3]);
  if (a.shape.size() > 2 || strides.size() != a.shape.size())
    fail(name_, fmt::format("a tensor with {} dimensions; expected at most 2", a.shape.size()));
  const std::int64_t rows = a.shape.size() == 2 ? a.shape[0] : 1, columns = a.shape.empty() ? 1 : a.shape.back();
  const std::int64_t down = a.shape.size() == 2 ? strides[0] : 0, right = a.shape.empty() ? 0 : strides.back();
  const std::int64_t size = std::ssize(all), first = args[1]->integer;
  constexpr std::int64_t kMost = 1 << 24;  // rows, columns and steps: products stay small
  if (rows < 0 || columns < 0 || rows > kMost || columns > kMost || down < 0 || right < 0 || down > kMost ||
      right > kMost || first < 0 || first > size || rows * columns > size)
    fail(name_, "a tensor that lies outside of its numbers");
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < columns; ++j) {
      const std::int64_t at = first + i * down + j * right;
      if (at >= size) fail(name_, "a tensor that lies outside of its numbers");
      a.values.push_back(all[static_cast<std::size_t>(at)]);
    }
  return a;
}

}  // namespace goalpost
