// Standard output as a whole: what was printed reaches it, or is forgotten.
#pragma once

namespace goalpost {

/// What was printed reaches standard output here. @throws std::system_error if it cannot be written
void flush_output();
/// Forgets what could not be written, so that it is not told of again.
void drop_output();

}  // namespace goalpost
