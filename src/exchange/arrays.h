// Arrays in Python's pickles: NumPy's, and PyTorch's tensors, whose numbers lie beside the pickle.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "exchange/pickle.h"

namespace goalpost {

/// In C order; no extent: one number.
struct Array {
  std::vector<std::int64_t> shape;
  std::vector<double> values;
};

/// Whether a value is an array or number of NumPy's, or a plain number.
bool is_numbers(const Pickle& p);
/// @throws std::runtime_error with name and reason if it is not, or of a type without real numbers
Array numbers_of(const Pickle& p, const std::string& name);

/// What torch.save wrote: in a zip archive, or, before PyTorch 1.6, one pickle after the other.
class TorchFile {
 public:
  /// @param bytes must outlive it @throws std::runtime_error with name and reason
  TorchFile(std::string_view bytes, std::string name);
  const Pickle& root() const { return document_->root(); }
  static bool is_tensor(const Pickle& p);
  /// @throws std::runtime_error with name and reason
  Array tensor(const Pickle& p) const;

 private:
  void read_zip(std::string_view bytes);
  void read_legacy(std::string_view bytes);

  std::string name_;
  std::unique_ptr<PickleDocument> document_;
  std::map<std::string, std::string> storages_;  // by key: the numbers' bytes
};

}  // namespace goalpost
