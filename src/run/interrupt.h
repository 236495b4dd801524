#pragma once

namespace goalpost {

/// From here on the first Ctrl-C (SIGINT) or SIGTERM only sets a flag, and the second ends the process at once with
/// status 130.
void catch_interrupts();
/// Whether the flag is set. Long work asks often, saves what it has and returns.
bool interrupted();

}  // namespace goalpost
