// The pickle machine of Python's pickletools.py, without the operations that call.
#include "exchange/pickle.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <map>
#include <stdexcept>

namespace goalpost {

using Kind = Pickle::Kind;

const Pickle* Pickle::find(std::string_view key) const {
  for (const auto& [k, value] : pairs)
    if (k->kind == Kind::text && k->text == key) return value;
  return nullptr;
}

class PickleReader {
 public:
  PickleReader(PickleDocument& document, std::string_view bytes, const std::string& name)
      : document_(document), bytes_(bytes), name_(name) {}

  void read() {
    while (!done_) step(static_cast<unsigned char>(take(1).front()));
    document_.size_ = at_;
  }

 private:
  [[noreturn]] void fail(const std::string& reason) const {
    throw std::runtime_error(
        fmt::format("{}: the pickle is damaged or of a kind that is not read: byte {}: {}", name_, at_, reason));
  }

  // ---- bytes
  std::string_view take(std::uint64_t n) {
    if (n > bytes_.size() - at_) fail("it ends early");
    const std::string_view part = bytes_.substr(at_, n);
    at_ += n;
    return part;
  }
  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  std::string line() {
    const std::size_t end = bytes_.find('\n', at_);
    if (end == bytes_.npos) fail("a line without end");
    std::string text(take(end - at_));
    take(1);
    return text;
  }
  std::int64_t whole(std::string_view text) const {
    if (text.ends_with('L')) text.remove_suffix(1);
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) fail(fmt::format("\"{}\" is no whole number", text));
    return value;
  }
  // Little-endian, two's complement.
  std::int64_t whole_of_bytes(std::string_view bytes) const {
    if (bytes.size() > 8) fail("a whole number of more than 8 bytes");
    std::uint64_t value = !bytes.empty() && (bytes.back() & 0x80) != 0 ? ~std::uint64_t{0} : 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      value &= ~(std::uint64_t{0xff} << (8 * i));
      value |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
    }
    return static_cast<std::int64_t>(value);
  }

  // ---- values
  Pickle& make(Kind kind) {
    constexpr std::size_t kMost = 1'000'000;  // policies have some hundreds
    if (document_.values_.size() == kMost) fail(fmt::format("more than {} values", kMost));
    document_.values_.emplace_back().kind = kind;
    return document_.values_.back();
  }
  Pickle& push(Kind kind) {
    Pickle& p = make(kind);
    stack_.push_back(&p);
    return p;
  }
  void push_whole(std::int64_t value, Kind kind = Kind::integer) { push(kind).integer = value; }
  void push_text(Kind kind, std::string_view text) { push(kind).text = text; }
  Pickle* pop() {
    const std::size_t floor = marks_.empty() ? 0 : marks_.back();
    if (stack_.size() <= floor) fail("nothing is left on its stack");
    Pickle* p = stack_.back();
    stack_.pop_back();
    return p;
  }
  Pickle& top() {
    Pickle* p = pop();
    stack_.push_back(p);
    return *p;
  }
  std::vector<const Pickle*> pop_to_mark() {
    if (marks_.empty()) fail("no mark is on its stack");
    std::vector<const Pickle*> list(stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back()), stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return list;
  }
  void push_tuple(std::size_t n) {
    std::vector<const Pickle*> items(n);
    for (std::size_t i = n; i-- > 0;) items[i] = pop();
    push(Kind::tuple).items = std::move(items);
  }
  void push_object(const Pickle* callee, const Pickle* arguments) {
    Pickle& object = push(Kind::object);
    object.callee = callee;
    object.arguments = arguments;
  }
  void append(Pickle& to, const std::vector<const Pickle*>& items) {
    std::vector<const Pickle*>& list = to.kind == Kind::object ? to.appended : to.items;
    list.insert(list.end(), items.begin(), items.end());
  }
  void set(Pickle& to, const std::vector<const Pickle*>& items) {
    if (items.size() % 2 != 0) fail("a key without a value");
    for (std::size_t i = 0; i < items.size(); i += 2) to.pairs.emplace_back(items[i], items[i + 1]);
  }
  void remember(std::uint64_t index) { memo_[index] = &top(); }
  void recall(std::uint64_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end()) fail(fmt::format("value {} is used before it is made", index));
    stack_.push_back(found->second);
  }
  // Of protocols below 3: a text in the source code's notation. Only names and codecs are written that way.
  std::string quoted() {
    const std::string text = line();
    if (text.size() < 2 || text.find('\\') != text.npos) fail("a quoted text with escapes");
    return text.substr(1, text.size() - 2);
  }

  void step(unsigned char operation);
  void step_of_protocol_2_on(unsigned char operation);

  PickleDocument& document_;
  std::string_view bytes_;
  const std::string& name_;
  std::size_t at_ = 0;
  bool done_ = false;
  std::vector<Pickle*> stack_;
  std::vector<std::size_t> marks_;
  std::map<std::uint64_t, Pickle*> memo_;
};

void PickleReader::step(unsigned char operation) {
  switch (operation) {
    case '.':
      document_.root_ = pop();
      done_ = true;
      return;
    case '(':
      return marks_.push_back(stack_.size());
    case '0':
      if (!marks_.empty() && stack_.size() == marks_.back())
        marks_.pop_back();
      else
        pop();
      return;
    case '1':
      pop_to_mark();
      return;
    case '2':
      return stack_.push_back(&top());
    case 'N':
      push(Kind::none);
      return;
    case 'I': {
      const std::string text = line();
      return text == "00" || text == "01" ? push_whole(text == "01", Kind::boolean) : push_whole(whole(text));
    }
    case 'L':
      return push_whole(whole(line()));
    case 'J':
      return push_whole(number<std::int32_t>());
    case 'K':
      return push_whole(number<std::uint8_t>());
    case 'M':
      return push_whole(number<std::uint16_t>());
    case 'F': {
      const std::string text = line();
      char* end = nullptr;
      push(Kind::real).real = std::strtod(text.c_str(), &end);
      if (end != text.c_str() + text.size() || text.empty()) fail(fmt::format("\"{}\" is no number", text));
      return;
    }
    case 'G': {
      std::array<char, 8> big;
      std::memcpy(big.data(), take(8).data(), 8);
      std::reverse(big.begin(), big.end());
      push(Kind::real).real = std::bit_cast<double>(big);
      return;
    }
    case 'S':
      return push_text(Kind::text, quoted());
    case 'V':
      return push_text(Kind::text, line());
    case 'U':
      return push_text(Kind::bytes, take(number<std::uint8_t>()));
    case 'T':
    case 'B':
      return push_text(Kind::bytes, take(number<std::uint32_t>()));
    case 'C':
      return push_text(Kind::bytes, take(number<std::uint8_t>()));
    case 'X':
      return push_text(Kind::text, take(number<std::uint32_t>()));
    case ']':
      push(Kind::list);
      return;
    case ')':
      push(Kind::tuple);
      return;
    case '}':
      push(Kind::dict);
      return;
    case 'l':
    case 't': {
      std::vector<const Pickle*> items = pop_to_mark();
      push(operation == 'l' ? Kind::list : Kind::tuple).items = std::move(items);
      return;
    }
    case 'd': {
      const std::vector<const Pickle*> items = pop_to_mark();
      return set(push(Kind::dict), items);
    }
    case 'a': {
      const Pickle* item = pop();
      return append(top(), {item});
    }
    case 'e': {
      const std::vector<const Pickle*> items = pop_to_mark();
      return append(top(), items);
    }
    case 's': {
      const Pickle* value = pop();
      const Pickle* key = pop();
      return set(top(), {key, value});
    }
    case 'u': {
      const std::vector<const Pickle*> items = pop_to_mark();
      return set(top(), items);
    }
    case 'p':
      return remember(static_cast<std::uint64_t>(whole(line())));
    case 'q':
      return remember(number<std::uint8_t>());
    case 'r':
      return remember(number<std::uint32_t>());
    case 'g':
      return recall(static_cast<std::uint64_t>(whole(line())));
    case 'h':
      return recall(number<std::uint8_t>());
    case 'j':
      return recall(number<std::uint32_t>());
    case 'c': {
      const std::string module = line();
      return push_text(Kind::name, module + "." + line());
    }
    case 'R': {
      const Pickle* arguments = pop();
      return push_object(pop(), arguments);
    }
    case 'b': {
      const Pickle* state = pop();
      top().state = state;
      return;
    }
    case 'P':
      push_text(Kind::text, line());
      [[fallthrough]];
    case 'Q': {
      const Pickle* id = pop();
      push(Kind::persistent).callee = id;
      return;
    }
    default:
      return step_of_protocol_2_on(operation);
  }
}

void PickleReader::step_of_protocol_2_on(unsigned char operation) {
  switch (operation) {
    case 0x80:  // PROTO
      if (const auto protocol = number<std::uint8_t>(); protocol > 5) fail(fmt::format("protocol {}", protocol));
      return;
    case 0x81: {  // NEWOBJ
      const Pickle* arguments = pop();
      return push_object(pop(), arguments);
    }
    case 0x85:
    case 0x86:
    case 0x87:
      return push_tuple(operation - 0x84u);
    case 0x88:
    case 0x89:
      return push_whole(operation == 0x88, Kind::boolean);
    case 0x8a: {  // LONG1; longer ones as their bytes
      const std::string_view bytes = take(number<std::uint8_t>());
      return bytes.size() > 8 ? push_text(Kind::bytes, bytes) : push_whole(whole_of_bytes(bytes));
    }
    case 0x8b:  // LONG4
      return push_whole(whole_of_bytes(take(number<std::uint32_t>())));
    case 0x8c:
      return push_text(Kind::text, take(number<std::uint8_t>()));
    case 0x8d:
      return push_text(Kind::text, take(number<std::uint64_t>()));
    case 0x8e:
    case 0x96:
      return push_text(Kind::bytes, take(number<std::uint64_t>()));
    case 0x8f:  // EMPTY_SET
      push(Kind::list);
      return;
    case 0x90: {  // ADDITEMS
      const std::vector<const Pickle*> items = pop_to_mark();
      return append(top(), items);
    }
    case 0x91: {  // FROZENSET
      std::vector<const Pickle*> items = pop_to_mark();
      push(Kind::list).items = std::move(items);
      return;
    }
    case 0x92: {  // NEWOBJ_EX
      pop();
      const Pickle* arguments = pop();
      return push_object(pop(), arguments);
    }
    case 0x93: {  // STACK_GLOBAL
      const Pickle* name = pop();
      const Pickle* module = pop();
      return push_text(Kind::name, module->text + "." + name->text);
    }
    case 0x94:  // MEMOIZE
      return remember(memo_.size());
    case 0x95:  // FRAME
      number<std::uint64_t>();
      return;
    default:
      fail(fmt::format("operation {:#04x}", operation));
  }
}

PickleDocument::PickleDocument(std::string_view bytes, const std::string& name) {
  PickleReader(*this, bytes, name).read();
}

}  // namespace goalpost
