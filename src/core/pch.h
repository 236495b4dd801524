// Precompiled for every source of the library: parsing Eigen is most of the time of a build. No source relies on it.
#include <Eigen/Core>
#include <memory>
#include <span>
#include <string>
#include <vector>
