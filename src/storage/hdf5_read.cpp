// Hdf5File: reading datasets, and the checks before a file is trusted.
#include "storage/hdf5_file.h"

#include <fmt/format.h>
#include <hdf5.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <set>
#include <type_traits>

#include "storage/hdf5_library.h"

namespace goalpost {
namespace {

using namespace hdf5;

std::string text(const Hdf5Shape& shape) { return fmt::format("[{}]", fmt::join(shape, " x ")); }

// Maximum expansion by deflate, maximum size of a chunk, and number of datasets that stay open.
constexpr std::uint64_t kLargestRatio = 1100, kLargestChunk = std::uint64_t(64) << 20;
constexpr std::size_t kOpenDatasets = 16;

}  // namespace

template <class T>
void Hdf5File::read(const std::string& name, const Hdf5Shape& shape, std::span<T> values) const {
  const hid_t dataset = dataset_to_read(name);
  const Handle type(H5Dget_type(dataset), H5Tclose);
  if (!is_usual(type) || (H5Tget_class(type) == H5T_FLOAT) != std::is_floating_point_v<T>)
    fail(name, fmt::format("the numbers are {}; expected {}", type_name(type), Types<T>::name));
  if (const Hdf5Shape found = shape_of(dataset); found != shape)
    fail(name, fmt::format("the shape is {}; expected {}", text(found), text(shape)));
  if (values.empty()) return;
  // Numbers of another type are converted if they fit, as those of Python's tools: float64, or signed.
  const auto convert = [&]<class Wide>(Wide, auto fits) {
    std::vector<Wide> wide(values.size());
    if (H5Dread(dataset, Types<Wide>::memory(), H5S_ALL, H5S_ALL, H5P_DEFAULT, wide.data()) < 0)
      fail_call(name, "cannot read");
    for (std::size_t i = 0; i < wide.size(); ++i) {
      values[i] = static_cast<T>(wide[i]);
      if (!fits(wide[i]))
        fail(name, fmt::format("number {} is {}; expected one that fits into {}", i, wide[i], Types<T>::name));
    }
  };
  if constexpr (std::is_same_v<T, float>)
    if (H5Tget_size(type) > sizeof(T))
      return convert(double{}, [](double x) {
        return !std::isfinite(x) || std::abs(x) <= static_cast<double>(std::numeric_limits<float>::max());
      });
  if constexpr (std::is_same_v<T, std::uint64_t>)
    if (H5Tget_sign(type) == H5T_SGN_2) return convert(std::int64_t{}, [](std::int64_t x) { return x >= 0; });
  if (H5Dread(dataset, Types<T>::memory(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0)
    fail_call(name, "cannot read");
}

template <class T>
void Hdf5File::read_rows(const std::string& name, std::uint64_t first, std::uint64_t count, std::span<T> values) const {
  const hid_t dataset = dataset_to_read(name);
  const Handle type(H5Dget_type(dataset), H5Tclose);
  const bool flags = is_flag(type) && std::is_same_v<T, std::uint8_t>;
  const bool whole = H5Tget_class(type) == H5T_INTEGER;
  if (!flags && !(is_usual(type) && (whole || std::is_floating_point_v<T>)))
    fail(name, fmt::format("the numbers are {}; expected {}", type_name(type), Types<T>::name));
  const Hdf5Shape shape = shape_of(dataset);
  if (shape.empty() || count > shape[0] || first > shape[0] - count)
    fail(name, fmt::format("rows {} to {} are wanted of the shape {}", first, first + count, text(shape)));
  std::vector<hsize_t> start(shape.size(), 0), extents(shape.begin(), shape.end());
  start[0] = first;
  extents[0] = count;
  if (product(extents) != values.size())
    fail(name, fmt::format("the shape is {}; expected {} numbers in {} rows", text(shape), values.size(), count));
  if (values.empty()) return;
  const Handle file_space(H5Dget_space(dataset), H5Sclose);
  const Handle memory_space(H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr), H5Sclose);
  H5Sselect_hyperslab(file_space, H5S_SELECT_SET, start.data(), nullptr, extents.data(), nullptr);
  if (H5Dread(dataset, flags ? type : Types<T>::memory(), memory_space, file_space, H5P_DEFAULT, values.data()) < 0)
    fail_call(name, "cannot read");
}

#define GP_INSTANTIATE(T)                                                                 \
  template void Hdf5File::read(const std::string&, const Hdf5Shape&, std::span<T>) const; \
  template void Hdf5File::read_rows(const std::string&, std::uint64_t, std::uint64_t, std::span<T>) const;
GP_INSTANTIATE(float)
GP_INSTANTIATE(double)
GP_INSTANTIATE(std::uint64_t)
GP_INSTANTIATE(std::int64_t)
GP_INSTANTIATE(std::uint8_t)
#undef GP_INSTANTIATE

// Checks that the file's description of a dataset is plausible.
void Hdf5File::check_storage(const std::string& name, hid_t dataset) const {
  const Handle type(H5Dget_type(dataset), H5Tclose), creation(H5Dget_create_plist(dataset), H5Pclose);
  if (!is_usual(type) && !is_flag(type))
    fail(name, fmt::format("the numbers are {}; expected float32, float64, whole numbers or flags", type_name(type)));
  if (H5Pget_layout(creation) == H5D_VIRTUAL || H5Pget_external_count(creation) != 0)
    fail(name, "the numbers lie in other files; expected them in this one");
  bool deflated = false;
  std::set<H5Z_filter_t> filters;
  for (int i = 0; i < H5Pget_nfilters(creation); ++i) {
    std::size_t no_values = 0;
    unsigned flags = 0;
    const H5Z_filter_t filter =
        H5Pget_filter2(creation, static_cast<unsigned>(i), &flags, &no_values, nullptr, 0, nullptr, nullptr);
    const bool known = filter == H5Z_FILTER_SHUFFLE || filter == H5Z_FILTER_DEFLATE || filter == H5Z_FILTER_FLETCHER32;
    if (!known || !filters.insert(filter).second)
      fail(name,
           fmt::format("filter {} of the numbers is number {}; expected shuffle ({}), deflate ({}) and fletcher32 "
                       "({}), each once at most",
                       i, filter, H5Z_FILTER_SHUFFLE, H5Z_FILTER_DEFLATE, H5Z_FILTER_FLETCHER32));
    deflated = deflated || filter == H5Z_FILTER_DEFLATE;
  }
  const Hdf5Shape found = shape_of(dataset);
  const std::uint64_t size = H5Tget_size(type);
  if (H5Pget_layout(creation) == H5D_CHUNKED) {
    std::vector<hsize_t> extents(found.size());
    H5Pget_chunk(creation, static_cast<int>(extents.size()), extents.data());
    const std::uint64_t chunk = product(extents);
    if (chunk > kLargestChunk / size)
      fail(name, fmt::format("a chunk holds {} numbers; expected at most {} bytes", chunk, kLargestChunk));
  }
  const std::uint64_t stored = H5Dget_storage_size(dataset), numbers = product(found);
  if (stored > bytes_)
    fail(name, fmt::format("{} bytes are said to be stored; expected less than the file's {}", stored, bytes_));
  if (numbers / (deflated ? kLargestRatio : 1) > stored / size)
    fail(name, fmt::format("the shape {} is beyond the {} bytes that are stored", text(found), stored));
}

// The dataset of this name, opened and checked once; -1 if there is none.
hid_t Hdf5File::find(const std::string& name) const {
  if (const auto known = open_.find(name); known != open_.end()) return known->second;
  if (!has(name)) return -1;
  Handle dataset(H5Dopen2(id_, name.c_str(), H5P_DEFAULT), H5Dclose);
  if (dataset < 0) return -1;
  check_storage(name, dataset);
  if (open_.size() >= kOpenDatasets) close_datasets();
  return open_[name] = dataset.release();
}

hid_t Hdf5File::dataset_to_read(const std::string& name) const {
  const hid_t dataset = find(name);
  if (dataset < 0) fail(name, "the file has no such dataset");
  return dataset;
}

std::optional<Hdf5Shape> Hdf5File::find_dataset(const std::string& name) const {
  const hid_t dataset = find(name);
  if (dataset < 0) return {};
  return shape_of(dataset);
}

Hdf5Shape Hdf5File::shape(const std::string& name) const { return shape_of(dataset_to_read(name)); }

bool Hdf5File::is_real(const std::string& name) const {
  const Handle type(H5Dget_type(dataset_to_read(name)), H5Tclose);
  return H5Tget_class(type) == H5T_FLOAT;
}

}  // namespace goalpost
