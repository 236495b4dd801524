// Reads a file that may be damaged in a forked process first, which may crash.
#pragma once

#include <filesystem>
#include <functional>

namespace goalpost {

/// Calls `read` in a forked process, to find out whether it throws or crashes; its other effects are lost. HDF5 itself
/// crashes on some files: 1.10 uses freed memory on damaged metadata without check sums, as in most files of Python.
/// Call it before reading a file of unknown origin. A call inside `read` does nothing. @pre no other thread uses HDF5
/// @param stop called regularly; when true this returns early, without a result
/// @throws std::runtime_error with the message of read()'s exception, or if it crashes; std::system_error for a
/// system_error
void try_reading(
    const std::filesystem::path& path, const std::function<void()>& read,
    const std::function<bool()>& stop = [] { return false; });

}  // namespace goalpost
