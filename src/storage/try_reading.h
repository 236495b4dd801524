// Reads a file that may be damaged in a copy of this process first, which may crash.
#pragma once

#include <filesystem>
#include <functional>

namespace goalpost {

/// HDF5 itself crashes on some files: in 1.10 damaged metadata without check sums, as in most files of Python, is
/// enough to make it use freed memory. So what reads a file that may come from anywhere is tried in a copy of this
/// process first. What `read` does there is lost. Within `read` it does nothing. @pre no other thread uses HDF5
/// @param stop asked now and then; when true this returns early, and nothing is known of the file
/// @throws std::runtime_error with the message of what read() throws, or if it crashes; std::system_error for one
void try_reading(
    const std::filesystem::path& path, const std::function<void()>& read,
    const std::function<bool()>& stop = [] { return false; });

}  // namespace goalpost
