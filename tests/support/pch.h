// Precompiled for the large test programs. No test relies on it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <Eigen/Core>
#include <memory>
#include <span>
#include <string>
#include <vector>
