#pragma once

namespace goalpost {

/// The revision of the source code of this build, as revision.sh prints it; "unknown" outside of a checkout.
const char* source_revision();

}  // namespace goalpost
