#include "storage/event_file.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <vector>

#include "support/temporary_directory.h"

namespace goalpost {
namespace {

using Scalars = std::vector<EventFile::ScalarValue>;

double one() { return 1.0; }

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 3)
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return bytes;
}

// An own reader: check sums bit by bit, protobuf's wire format by hand.
std::uint32_t plain_masked_crc(std::string_view bytes) {
  std::uint32_t crc = ~0u;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0u);
  }
  crc = ~crc;
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

template <class T>
T number(std::string_view bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

std::vector<std::string> records(std::string_view file) {
  std::vector<std::string> result;
  while (!file.empty()) {
    const auto length = number<std::uint64_t>(file);
    EXPECT_EQ(number<std::uint32_t>(file.substr(8)), plain_masked_crc(file.substr(0, 8)));
    const std::string_view data = file.substr(12, length);
    EXPECT_EQ(number<std::uint32_t>(file.substr(12 + length)), plain_masked_crc(data));
    result.emplace_back(data);
    file.remove_prefix(16 + length);
  }
  return result;
}

// A message as the raw contents of its fields: little-endian bytes for numbers.
using Message = std::multimap<int, std::string>;

std::uint64_t varint(std::string_view& in) {
  std::uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = static_cast<unsigned char>(in.front());
    in.remove_prefix(1);
    value |= std::uint64_t(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return value;
  }
}

Message parse(std::string_view in) {
  Message message;
  while (!in.empty()) {
    const std::uint64_t key = varint(in);
    std::string value(8, '\0');
    switch (key & 7) {
      case 0: {
        const std::uint64_t n = varint(in);
        std::memcpy(value.data(), &n, 8);
        break;
      }
      case 1:
      case 5:
      case 2: {
        const std::size_t size = (key & 7) == 1 ? 8 : (key & 7) == 5 ? 4 : varint(in);
        value = in.substr(0, size);
        in.remove_prefix(size);
        break;
      }
      default:
        ADD_FAILURE() << "wire type " << (key & 7);
        return message;
    }
    message.emplace(static_cast<int>(key >> 3), value);
  }
  return message;
}

std::string field(const Message& message, int n) {
  const auto found = message.find(n);
  if (found == message.end()) {
    ADD_FAILURE() << "no field " << n;
    return std::string(8, '\0');
  }
  return found->second;
}

std::string plugin(const Message& value) { return field(parse(field(parse(field(value, 9)), 1)), 1); }
std::string plugin_content(const Message& value) { return field(parse(field(parse(field(value, 9)), 1)), 2); }

TEST(MaskedCrc32c, HasTheCheckValue) {
  const std::uint32_t masked = masked_crc32c("123456789");
  EXPECT_EQ(masked, 0xc78ab0e5u);
  EXPECT_EQ(std::rotl(masked - 0xa282ead8u, 15), 0xe3069283u);  // CRC-32C itself
  EXPECT_EQ(masked_crc32c(""), 0xa282ead8u);
  const std::string text(1000, 'x');
  EXPECT_EQ(masked_crc32c(text), plain_masked_crc(text));
}

TEST(EventFile, WritesTheBytesThatTensorBoardReads) {
  const TemporaryDirectory dir;
  EventFile file(dir.path(), one);
  const std::string version = from_hex(
      "18 00 00 00 00 00 00 00 a3 7f 4b 22 09 00 00 00 00 00 00 f0 3f 1a 0d 62 72 61 69 6e 2e 45 76 65 "
      "6e 74 3a 32 86 bf 57 7a ");
  EXPECT_EQ(content(file.path()), version);
  file.add_scalars(1000, Scalars{{"rollout/ep_rew_mean", -1.5}});
  const std::string scalar = from_hex(
      "2a 00 00 00 00 00 00 00 ae 8d 91 f5 09 00 00 00 00 00 00 f0 3f 10 e8 07 2a 1c 0a 1a 0a 13 72 6f "
      "6c 6c 6f 75 74 2f 65 70 5f 72 65 77 5f 6d 65 61 6e 15 00 00 c0 bf 55 29 84 a1 ");
  EXPECT_EQ(content(file.path()), version + scalar);
}

TEST(EventFile, IsNamedAsTensorBoardExpects) {
  const TemporaryDirectory dir;
  const EventFile first(dir.path(), one);
  EXPECT_TRUE(first.path().filename().string().starts_with("events.out.tfevents.0000000001.")) << first.path();
  const EventFile second(dir.path(), one);  // in the same second, and still behind the first
  EXPECT_LT(first.path(), second.path());
}

TEST(EventFile, WritesTheScalarsOfAStepAsOneEvent) {
  const TemporaryDirectory dir;
  EventFile file(dir.path());
  file.add_scalars(5'000'000'000, Scalars{{"a/x", 0}, {"a/y", 0.1}, {"a/z", std::nan("")}});
  const std::vector<std::string> all = records(content(file.path()));
  ASSERT_EQ(all.size(), 2u);
  const Message event = parse(all[1]);
  EXPECT_GT(number<double>(field(event, 1)), 1.6e9);
  EXPECT_EQ(number<std::int64_t>(field(event, 2)), 5'000'000'000);
  const Message summary = parse(field(event, 5));
  ASSERT_EQ(summary.count(1), 3u);
  auto v = summary.begin();
  EXPECT_EQ(field(parse(v->second), 1), "a/x");
  EXPECT_EQ(number<float>(field(parse(v->second), 2)), 0.0f);
  EXPECT_EQ(number<float>(field(parse((++v)->second), 2)), 0.1f);
  EXPECT_TRUE(std::isnan(number<float>(field(parse((++v)->second), 2))));
}

// 0, 1, 1, 3 and what is not finite. Buckets of width 0.1: the first has 0, the eleventh [1, 1.1) or, where rounding
// puts the edge above 1, the tenth has both ones; the last has 3.
TEST(EventFile, WritesHistograms) {
  const TemporaryDirectory dir;
  EventFile file(dir.path(), one);
  const double inf = std::numeric_limits<double>::infinity();
  file.add_histogram(9, "train/q_values", std::vector<double>{1, 0, inf, 3, std::nan(""), 1});
  file.add_histogram(9, "same", std::vector<double>{2, 2});
  file.add_histogram(9, "nothing", std::vector<double>{inf});
  const std::vector<std::string> all = records(content(file.path()));
  ASSERT_EQ(all.size(), 3u);
  const auto doubles = [](const std::string& raw) {
    std::vector<double> values(raw.size() / 8);
    std::memcpy(values.data(), raw.data(), raw.size());
    return values;
  };
  EXPECT_EQ(number<std::int64_t>(field(parse(all[1]), 2)), 9);
  const Message value = parse(field(parse(field(parse(all[1]), 5)), 1));
  EXPECT_EQ(field(value, 1), "train/q_values");
  const Message h = parse(field(value, 5));
  EXPECT_EQ(h.count(1), 0u);  // min: 0 is left out
  EXPECT_EQ(number<double>(field(h, 2)), 3);
  EXPECT_EQ(number<double>(field(h, 3)), 4);
  EXPECT_EQ(number<double>(field(h, 4)), 5);
  EXPECT_EQ(number<double>(field(h, 5)), 11);
  const std::vector<double> limits = doubles(field(h, 6)), counts = doubles(field(h, 7));
  ASSERT_EQ(limits.size(), 30u);
  ASSERT_EQ(counts.size(), 30u);
  EXPECT_NEAR(limits[0], 0.1, 1e-12);
  EXPECT_EQ(limits[29], 3);
  EXPECT_EQ(counts[0], 1);
  EXPECT_EQ(counts[9] + counts[10], 2);
  EXPECT_EQ(counts[29], 1);
  const Message same = parse(field(parse(field(parse(field(parse(all[2]), 5)), 1)), 5));
  EXPECT_EQ(doubles(field(same, 6)), std::vector<double>{2});
  EXPECT_EQ(doubles(field(same, 7)), std::vector<double>{2});
}

TEST(EventFile, WritesText) {
  const TemporaryDirectory dir;
  EventFile file(dir.path());
  file.add_scalars(7, Scalars{{"a", 1}});
  file.add_text("config", "# Markdown");
  const Message event = parse(records(content(file.path())).at(2));
  EXPECT_EQ(number<std::int64_t>(field(event, 2)), 7);
  const Message value = parse(field(parse(field(event, 5)), 1));
  EXPECT_EQ(field(value, 1), "config");
  EXPECT_EQ(plugin(value), "text");
  const Message tensor = parse(field(value, 8));
  EXPECT_EQ(number<std::int64_t>(field(tensor, 1)), 7);  // a string
  EXPECT_EQ(field(tensor, 8), "# Markdown");
}

TEST(EventFile, LeavesTheColumnsOfHyperParametersToTheRunsTogether) {
  const TemporaryDirectory dir;
  EventFile file(dir.path(), one);
  file.add_hparams(std::vector<EventFile::Hparam>{{"lr", 0.001}, {"agent", std::string("sac")}, {"her", false}},
                   "sac-push");
  file.add_hparams_end(true);
  const std::vector<std::string> all = records(content(file.path()));
  ASSERT_EQ(all.size(), 3u);
  const Message summary = parse(field(parse(all[1]), 5));
  ASSERT_EQ(summary.count(1), 1u) << "no record of the experiment: it would hide the columns of other runs";

  const Message second = parse(summary.begin()->second);
  EXPECT_EQ(field(second, 1), "_hparams_/session_start_info");
  EXPECT_EQ(plugin(second), "hparams");
  EXPECT_EQ(number<std::int64_t>(field(parse(field(second, 8)), 1)), 1);  // float32 of shape [0]
  const Message start = parse(field(parse(plugin_content(second)), 3));
  EXPECT_EQ(field(start, 4), "sac-push");
  EXPECT_EQ(number<double>(field(start, 5)), 1.0);
  std::map<std::string, Message> values;
  for (auto [i, end] = start.equal_range(1); i != end; ++i)
    values[field(parse(i->second), 1)] = parse(field(parse(i->second), 2));
  EXPECT_EQ(number<double>(field(values["lr"], 2)), 0.001);
  EXPECT_EQ(field(values["agent"], 3), "sac");
  EXPECT_EQ(number<std::uint64_t>(field(values["her"], 4)), 0u);

  const Message last = parse(field(parse(field(parse(all[2]), 5)), 1));
  EXPECT_EQ(field(last, 1), "_hparams_/session_end_info");
  EXPECT_EQ(number<std::int64_t>(field(parse(field(parse(plugin_content(last)), 4)), 1)), 1);  // success
}

TEST(EventFile, SaysWhereAResumedRunGoesOn) {
  const TemporaryDirectory dir;
  EventFile file(dir.path());
  file.add_session_start(3000);
  const Message event = parse(records(content(file.path())).at(1));
  EXPECT_EQ(number<std::int64_t>(field(event, 2)), 3000);
  EXPECT_EQ(number<std::int64_t>(field(parse(field(event, 7)), 1)), 1);
}

TEST(EventFile, SaysThatItCannotWrite) {
  const TemporaryDirectory dir;
  EXPECT_THROW(EventFile(dir / "none"), std::runtime_error);
  EventFile file(dir.path());
  const std::string before = content(file.path());
  const FileSizeLimit limit(before.size() + 10);
  EXPECT_EQ(message_of<std::runtime_error>([&] {
              file.add_scalars(1, Scalars{{"a", 1}});
            }),
            "cannot write to " + file.path().string() + ": File too large");
  EXPECT_EQ(content(file.path()), before);  // no torn record
}

}  // namespace
}  // namespace goalpost
