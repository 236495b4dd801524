// Settings of any algorithm, made to fit a test.
#pragma once

#include "core/config.h"

namespace goalpost::test {

/// HIRO's sub-goals as positions of PointReach, and segments of few steps; both levels learn at once.
class FitPointReach : public ConfigVisitor {
 public:
  void visit(const FieldInfo&, bool&) override {}
  void visit(const FieldInfo& info, int& value) override {
    if (info.name == "c") value = 2;
  }
  void visit(const FieldInfo& info, std::int64_t& value) override {
    if (info.name == "learning_starts") value = 0;
  }
  void visit(const FieldInfo&, float&) override {}
  void visit(const FieldInfo& info, double& value) override {
    if (info.name == "updates") value = 1;  // of either level
  }
  void visit(const FieldInfo&, std::optional<double>&) override {}
  void visit(const FieldInfo&, std::string&) override {}
  void visit(const FieldInfo& info, std::vector<int>& value) override {
    if (info.name == "dims") value = {0, 1};
  }
  void visit(const FieldInfo& info, std::vector<double>& value) override {
    if (info.name == "limits") value = {1, 1};
  }
  void visit(const FieldInfo&, std::vector<std::string>&) override {}
  void visit_enum(const FieldInfo&, int&, EnumNames) override {}
  void enter(const FieldInfo&) override {}
  void leave() override {}
};

/// And networks and batches small: bits do not depend on sizes, the thread sanitizer's patience does.
class Shrink final : public FitPointReach {
 public:
  using FitPointReach::visit;
  void visit(const FieldInfo& info, int& value) override {
    FitPointReach::visit(info, value);
    if (info.name == "batch_size") value = 16;
    if (info.name == "capacity") value = 1000;
  }
  void visit(const FieldInfo& info, std::vector<int>& value) override {
    FitPointReach::visit(info, value);
    if (info.name == "hidden") value = {12, 8};
  }
};

}  // namespace goalpost::test
