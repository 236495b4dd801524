// Hdf5File: opening with locks, closing, errors, and the names of what is in a file.
#include "storage/hdf5_file.h"

#include <fmt/format.h>
#include <hdf5.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <set>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include "storage/hdf5_library.h"

namespace goalpost {
namespace {

using namespace hdf5;

// Whether HDF5 could not lock a file, and the system's reason; 0 if that was not it.
int lock_failure(const std::string& why) {
  constexpr std::string_view kLock = "unable to lock file, errno = ";
  const std::size_t at = why.find(kLock);
  return at == why.npos ? 0 : std::atoi(why.c_str() + at + kLock.size());
}

// Calls open(access) with locks, and where the file system has none, without.
template <class Open>
hid_t open_locked(const std::filesystem::path& path, hid_t access, Open open) {
  hid_t id = open(access);
  if (id >= 0) return id;
  const std::string why = reason();
  const int error = lock_failure(why);
  if (error == EWOULDBLOCK) throw std::runtime_error(fmt::format("{} is in use by another process", path.string()));
  if (why.find("already open for") != why.npos)
    throw std::runtime_error(fmt::format(
        "{} is in use by another process, or the program that wrote it did not close it ({})", path.string(), why));
  if (error == 0) return id;
#if H5_VERSION_GE(1, 10, 7)
  H5Pset_file_locking(access, false, true);
  id = open(access);
  if (id >= 0 || lock_failure(reason()) == 0) return id;
#endif
  throw std::runtime_error(
      fmt::format("{} cannot be locked: {}; HDF5_USE_FILE_LOCKING=FALSE in the environment goes without locks",
                  path.string(), std::generic_category().message(error)));
}

// The kind of an object, and a key that is unique in the file. HDF5 1.12 has another call and struct for it than
// 1.10, and keeps the latter's only as an option of its build.
struct Object {
  H5O_type_t type;
  std::string key;
};
std::optional<Object> find_object(hid_t at, const char* name) {
#if H5_VERSION_GE(1, 12, 0)
  H5O_info2_t info;
  if (H5Oget_info_by_name3(at, name, &info, H5O_INFO_BASIC, H5P_DEFAULT) < 0) return {};
  const auto& address = info.token;
#else
  H5O_info_t info;
  if (H5Oget_info_by_name2(at, name, &info, H5O_INFO_BASIC, H5P_DEFAULT) < 0) return {};
  const auto& address = info.addr;
#endif
  return Object{info.type, std::string(reinterpret_cast<const char*>(&address), sizeof address)};
}

// Maximum depth of nested groups.
constexpr std::size_t kDeepest = 32;

}  // namespace

std::string hdf5_version() {
  prepare_library();
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  return fmt::format("{}.{}.{}", major, minor, release);
}

Hdf5File Hdf5File::create(const std::filesystem::path& path) {
  prepare_library();
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110);
  const Handle creation = without_times(H5P_FILE_CREATE);
  const hid_t id =
      open_locked(path, access, [&](hid_t list) { return H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation, list); });
  if (id < 0) throw_failure("cannot create " + path.string(), failure());
  return {path, id, std::numeric_limits<std::uint64_t>::max()};
}

Hdf5File Hdf5File::open(const std::filesystem::path& path) {
  prepare_library();
  std::error_code unknown;
  if (std::filesystem::exists(path, unknown) && !std::filesystem::is_regular_file(path, unknown))
    throw std::runtime_error(fmt::format("{} is no file; expected an HDF5 file", path.string()));
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  const hid_t id = open_locked(path, access, [&](hid_t list) { return H5Fopen(path.c_str(), H5F_ACC_RDONLY, list); });
  if (id < 0) {
    const Failure why = failure();
    if (why.error == 0 && std::filesystem::is_regular_file(path))
      throw std::runtime_error(fmt::format("{} is not a complete HDF5 file: {}", path.string(), why.text));
    throw_failure("cannot open " + path.string(), why);
  }
  return {path, id, std::filesystem::file_size(path)};
}

Hdf5File::Hdf5File(Hdf5File&& other) noexcept
    : path_(std::move(other.path_)),
      id_(std::exchange(other.id_, -1)),
      bytes_(other.bytes_),
      open_(std::exchange(other.open_, {})) {}

Hdf5File::~Hdf5File() {
  close_datasets();
  if (id_ >= 0) H5Fclose(id_);
}

void Hdf5File::close_datasets() const {
  for (const auto& [name, dataset] : open_) H5Dclose(dataset);
  open_.clear();
}

void Hdf5File::close() {
  close_datasets();
  if (H5Fclose(std::exchange(id_, -1)) < 0) throw_failure("cannot finish " + path_.string(), failure());
}

void Hdf5File::fail(const std::string& name, const std::string& problem) const {
  throw std::runtime_error(fmt::format("{}: {}: {}", path_.string(), object_path(name), problem));
}

void Hdf5File::fail_call(const std::string& name, const std::string& what) const {
  throw_failure(fmt::format("{}: {}: {}", path_.string(), object_path(name), what), failure());
}

bool Hdf5File::has(const std::string& name) const {
  // Every part of the path has to be checked: a missing group in the middle is an error otherwise.
  for (std::size_t end = 0; end != name.npos;) {
    end = name.find('/', end + 1);
    const std::string part = name.substr(0, end);
    H5L_info_t link;
    if (H5Lget_info(id_, part.c_str(), &link, H5P_DEFAULT) < 0) return false;
    if (link.type != H5L_TYPE_HARD) fail(part, "this is a link to another place; expected the thing itself");
  }
  return H5Oexists_by_name(id_, name.c_str(), H5P_DEFAULT) > 0;
}

std::vector<std::string> Hdf5File::datasets() const {
  const auto add = [](hid_t, const char* name, const H5L_info_t*, void* out) -> herr_t {
    static_cast<std::vector<std::string>*>(out)->emplace_back(name);
    return 0;
  };
  std::vector<std::string> names, groups = {""};
  const std::optional<Object> root = find_object(id_, "/");
  if (!root) fail_call("", "cannot read");
  std::set<std::string> seen = {root->key};
  while (!groups.empty()) {
    const std::string group = std::move(groups.back());
    groups.pop_back();
    const Handle id(H5Gopen2(id_, object_path(group).c_str(), H5P_DEFAULT), H5Gclose);
    std::vector<std::string> children;
    if (id < 0 || H5Literate(id, H5_INDEX_NAME, H5_ITER_INC, nullptr, add, &children) < 0)
      fail_call(group, "cannot list what is in it");
    for (const std::string& child : children) {
      const std::string name = group.empty() ? child : group + '/' + child;
      if (!has(name)) fail(name, "there is nothing of this name");
      const std::optional<Object> object = find_object(id, child.c_str());
      if (!object) fail_call(name, "cannot read");
      if (!seen.insert(object->key).second)
        fail(name, "the file has another name for the same thing; expected one name for each");
      if (object->type == H5O_TYPE_DATASET) names.push_back(name);
      if (object->type != H5O_TYPE_GROUP) continue;
      if (std::count(name.begin(), name.end(), '/') >= static_cast<std::ptrdiff_t>(kDeepest))
        fail(name, fmt::format("this group lies in {} others; expected fewer", kDeepest));
      groups.push_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace goalpost
