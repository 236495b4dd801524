// Settings of any algorithm, made to fit a test.
#pragma once

#include <utility>
#include <vector>

#include "autodiff/ops.h"
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

/// And every network and batch of the given size. The defaults are small: for the thread sanitizer's patience.
class Resize final : public FitPointReach {
 public:
  explicit Resize(std::vector<int> hidden = {12, 8}, int batch_size = 16, Activation activation = Activation::relu,
                  bool layer_norm = false)
      : hidden_(std::move(hidden)), batch_size_(batch_size), activation_(activation), layer_norm_(layer_norm) {}
  using FitPointReach::visit;
  void visit(const FieldInfo& info, bool& value) override {
    if (info.name == "layer_norm") value = layer_norm_;
  }
  void visit(const FieldInfo& info, int& value) override {
    FitPointReach::visit(info, value);
    if (info.name == "batch_size") value = batch_size_;
    if (info.name == "buffer_size") value = 1000;
  }
  void visit(const FieldInfo& info, std::vector<int>& value) override {
    FitPointReach::visit(info, value);
    if (info.name == "hidden") value = hidden_;
  }
  void visit_enum(const FieldInfo& info, int& value, EnumNames) override {
    if (info.name == "activation") value = static_cast<int>(activation_);
  }

 private:
  std::vector<int> hidden_;
  int batch_size_;
  Activation activation_;
  bool layer_norm_;
};

}  // namespace goalpost::test
