// Hdf5File: writing datasets and groups.
#include "storage/hdf5_file.h"

#include <hdf5.h>

#include <algorithm>

#include "storage/hdf5_library.h"

namespace goalpost {
namespace {

using namespace hdf5;

// With a checksum for every chunk.
Handle chunked(std::span<const hsize_t> chunk, bool deflate) {
  Handle creation = without_times(H5P_DATASET_CREATE);
  H5Pset_chunk(creation, static_cast<int>(chunk.size()), chunk.data());
  if (deflate) {
    H5Pset_shuffle(creation);
    H5Pset_deflate(creation, 1);
  }
  H5Pset_fletcher32(creation);
  return creation;
}

// The groups above a name. HDF5 would make them itself, but with the time in them.
void make_groups_above(hid_t file, const std::string& name) {
  for (std::size_t slash = name.find('/'); slash != name.npos; slash = name.find('/', slash + 1)) {
    const std::string group = name.substr(0, slash);
    if (H5Lexists(file, group.c_str(), H5P_DEFAULT) > 0) continue;
    const Handle creation = without_times(H5P_GROUP_CREATE);
    const Handle made(H5Gcreate2(file, group.c_str(), H5P_DEFAULT, creation, H5P_DEFAULT), H5Gclose);
  }
}

}  // namespace

template <class T>
void Hdf5File::write(const std::string& name, const Hdf5Shape& shape, std::span<const T> values) {
  if (name.empty()) fail(name, "a dataset needs a name");
  const std::vector<hsize_t> extents(shape.begin(), shape.end());
  const Handle space(H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr), H5Sclose);
  make_groups_above(id_, name);
  const Handle creation = without_times(H5P_DATASET_CREATE);
  const Handle dataset(H5Dcreate2(id_, name.c_str(), Types<T>::file(), space, H5P_DEFAULT, creation, H5P_DEFAULT),
                       H5Dclose);
  if (dataset < 0) fail_call(name, "cannot create the dataset");
  if (values.empty()) return;
  if (H5Dwrite(dataset, Types<T>::memory(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0)
    fail_call(name, "cannot write");
}

template <class T>
void Hdf5File::create_rows(const std::string& name, const Hdf5Shape& row, std::uint64_t chunk_rows, bool deflate) {
  std::vector<hsize_t> extents(row.begin(), row.end()), limits, chunk;
  extents.insert(extents.begin(), 0);
  limits = chunk = extents;
  limits[0] = H5S_UNLIMITED;
  chunk[0] = chunk_rows;
  for (hsize_t& extent : chunk) extent = std::max<hsize_t>(extent, 1);
  const Handle space(H5Screate_simple(static_cast<int>(extents.size()), extents.data(), limits.data()), H5Sclose);
  make_groups_above(id_, name);
  const Handle creation = chunked(chunk, deflate);
  const Handle dataset(H5Dcreate2(id_, name.c_str(), Types<T>::file(), space, H5P_DEFAULT, creation, H5P_DEFAULT),
                       H5Dclose);
  if (dataset < 0) fail_call(name, "cannot create the dataset");
}

template <class T>
void Hdf5File::append(const std::string& name, std::span<const T> values) {
  const Handle dataset(H5Dopen2(id_, name.c_str(), H5P_DEFAULT), H5Dclose);
  if (dataset < 0) fail(name, "the file has no such dataset");
  const Hdf5Shape before = shape_of(dataset);
  const std::uint64_t row = product(std::span(before).subspan(1));
  if (row == 0 || values.empty()) return;
  std::vector<hsize_t> extents(before.begin(), before.end()), start(before.size(), 0), count = extents;
  count[0] = values.size() / row;
  start[0] = extents[0];
  extents[0] += count[0];
  if (H5Dset_extent(dataset, extents.data()) < 0) fail_call(name, "cannot append");
  const Handle file_space(H5Dget_space(dataset), H5Sclose);
  const Handle memory_space(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr), H5Sclose);
  H5Sselect_hyperslab(file_space, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
  if (H5Dwrite(dataset, Types<T>::memory(), memory_space, file_space, H5P_DEFAULT, values.data()) < 0)
    fail_call(name, "cannot append");
}

#define GP_INSTANTIATE(T)                                                                            \
  template void Hdf5File::write(const std::string&, const Hdf5Shape&, std::span<const T>);           \
  template void Hdf5File::create_rows<T>(const std::string&, const Hdf5Shape&, std::uint64_t, bool); \
  template void Hdf5File::append(const std::string&, std::span<const T>);
GP_INSTANTIATE(float)
GP_INSTANTIATE(double)
GP_INSTANTIATE(std::uint64_t)
GP_INSTANTIATE(std::int64_t)
GP_INSTANTIATE(std::uint8_t)
#undef GP_INSTANTIATE

void Hdf5File::create_group(const std::string& name) {
  make_groups_above(id_, name);
  const Handle creation = without_times(H5P_GROUP_CREATE);
  const Handle group(H5Gcreate2(id_, name.c_str(), H5P_DEFAULT, creation, H5P_DEFAULT), H5Gclose);
  if (group < 0) fail_call(name, "cannot create the group");
}

void Hdf5File::write_flags(const std::string& name, std::span<const std::uint8_t> flags, bool deflate) {
  const Handle type(H5Tenum_create(H5T_STD_I8LE), H5Tclose);
  for (const auto& [label, value] : {std::pair{"FALSE", std::int8_t(0)}, std::pair{"TRUE", std::int8_t(1)}})
    H5Tenum_insert(type, label, &value);
  const hsize_t extent = flags.size(), limit = H5S_UNLIMITED, chunk = std::clamp<hsize_t>(extent, 1, 1 << 16);
  const Handle space(H5Screate_simple(1, &extent, &limit), H5Sclose);
  make_groups_above(id_, name);
  const Handle creation = chunked({&chunk, 1}, deflate);
  const Handle dataset(H5Dcreate2(id_, name.c_str(), type, space, H5P_DEFAULT, creation, H5P_DEFAULT), H5Dclose);
  if (dataset < 0 || (!flags.empty() && H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, flags.data()) < 0))
    fail_call(name, "cannot write");
}

}  // namespace goalpost
