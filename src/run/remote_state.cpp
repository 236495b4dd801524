#include "run/remote_state.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace goalpost {
namespace {

enum class Request : std::uint8_t { end, whole, without_memory };
enum class Kind : std::uint64_t { end, enter, leave, matrix, reals, counters };

// Before every part: what follows. A name has `size` bytes.
struct Header {
  Kind kind;
  std::uint64_t name, rows, cols;
};

template <class T>
std::span<const std::byte> bytes_of(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

class Sender final : public StateVisitor {
 public:
  explicit Sender(Communicator& processes) : processes_(processes) {}
  void visit(std::string_view name, MatrixRef values) override {
    const Matrix copy = values;
    begin(Kind::matrix, name, static_cast<std::uint64_t>(copy.rows()), static_cast<std::uint64_t>(copy.cols()));
    processes_.send(0, std::as_bytes(std::span(copy.data(), static_cast<std::size_t>(copy.size()))));
  }
  void visit(std::string_view name, std::span<double> values) override {
    begin(Kind::reals, name, values.size());
    processes_.send(0, std::as_bytes(values));
  }
  void visit(std::string_view name, std::span<std::uint64_t> values) override {
    begin(Kind::counters, name, values.size());
    processes_.send(0, std::as_bytes(values));
  }
  void end() { begin(Kind::end, ""); }

 private:
  void enter(std::string_view name) override { begin(Kind::enter, name); }
  void leave() override { begin(Kind::leave, ""); }
  void begin(Kind kind, std::string_view name, std::uint64_t rows = 0, std::uint64_t cols = 1) {
    const Header header{.kind = kind, .name = name.size(), .rows = rows, .cols = cols};
    processes_.send(0, bytes_of(header));
    processes_.send(0, std::as_bytes(std::span(name)));
  }

  Communicator& processes_;
};

}  // namespace

void visit_remote_state(Communicator& processes, int rank, StateVisitor& v, bool memory) {
  const Request request = memory ? Request::whole : Request::without_memory;
  processes.send(rank, bytes_of(request));
  std::vector<std::unique_ptr<StateVisitor::Scope>> scopes;
  for (;;) {
    Header header{};
    processes.receive(rank, std::as_writable_bytes(std::span(&header, 1)));
    std::string name(header.name, ' ');
    processes.receive(rank, std::as_writable_bytes(std::span(name)));
    switch (header.kind) {
      case Kind::end:
        return;
      case Kind::enter:
        scopes.push_back(std::make_unique<StateVisitor::Scope>(v, name));
        break;
      case Kind::leave:
        scopes.pop_back();
        break;
      case Kind::matrix: {
        Matrix values(static_cast<Index>(header.rows), static_cast<Index>(header.cols));
        processes.receive(rank,
                          std::as_writable_bytes(std::span(values.data(), static_cast<std::size_t>(values.size()))));
        v.visit(name, values);
        break;
      }
      case Kind::reals: {
        std::vector<double> values(header.rows);
        processes.receive(rank, std::as_writable_bytes(std::span(values)));
        v.visit(name, std::span(values));
        break;
      }
      case Kind::counters: {
        std::vector<std::uint64_t> values(header.rows);
        processes.receive(rank, std::as_writable_bytes(std::span(values)));
        v.visit(name, std::span(values));
        break;
      }
    }
  }
}

void end_remote_visits(Communicator& processes) {
  for (int rank = 1; rank < processes.ranks(); ++rank) processes.send(rank, bytes_of(Request::end));
}

void serve_state(Communicator& processes, const std::function<void(StateVisitor& v, bool memory)>& visit) {
  for (;;) {
    Request request{};
    processes.receive(0, std::as_writable_bytes(std::span(&request, 1)));
    if (request == Request::end) return;
    Sender sender(processes);
    visit(sender, request == Request::whole);
    sender.end();
  }
}

}  // namespace goalpost
