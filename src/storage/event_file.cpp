#include "storage/event_file.h"

#include <fmt/format.h>
#include <isa-l/crc.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <vector>

#include "event.pb.h"

namespace goalpost {
namespace {

namespace tb = tensorboard;

static_assert(std::endian::native == std::endian::little, "records are little-endian");

template <class T>
std::string bytes(T value) {
  std::string result(sizeof(T), '\0');
  std::memcpy(result.data(), &value, sizeof(T));
  return result;
}

constexpr std::string_view kPrefix = "events.out.tfevents.";

// The greatest time in the name of an event file of the directory, or -1.
std::int64_t latest_file(const std::filesystem::path& directory) {
  std::int64_t latest = -1;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(kPrefix))
      latest = std::max(latest, std::int64_t(std::strtoll(name.c_str() + kPrefix.size(), nullptr, 10)));
  }
  return latest;
}

std::filesystem::path new_name(const std::filesystem::path& directory, double now) {
  const std::int64_t seconds = std::max(static_cast<std::int64_t>(now), latest_file(directory) + 1);
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0 || host[0] == '\0') host = {"localhost"};
  return directory / fmt::format("{}{:010}.{}.{}.0", kPrefix, seconds, host.data(), ::getpid());
}

tb::Summary::Value* add_value(tb::Event& event, std::string_view tag) {
  tb::Summary::Value* value = event.mutable_summary()->add_value();
  value->set_tag(tag.data(), tag.size());
  return value;
}

void add_hparams_value(tb::Event& event, std::string_view tag, const tb::HParamsPluginData& data) {
  tb::Summary::Value* value = add_value(event, tag);
  value->mutable_tensor()->set_dtype(tb::Tensor::FLOAT);
  value->mutable_tensor()->mutable_tensor_shape()->add_dim()->set_size(0);
  auto* plugin = value->mutable_metadata()->mutable_plugin_data();
  plugin->set_plugin_name("hparams");
  plugin->set_content(data.SerializeAsString());
}

}  // namespace

std::uint32_t masked_crc32c(std::string_view bytes) {
  // The library takes a mutable pointer, but only reads.
  auto* data = reinterpret_cast<unsigned char*>(const_cast<char*>(bytes.data()));
  const std::uint32_t crc = ~crc32_iscsi(data, static_cast<int>(bytes.size()), ~0u);
  return std::rotr(crc, 15) + 0xa282ead8u;
}

double wall_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

EventFile::EventFile(const std::filesystem::path& directory, Clock clock)
    : clock_(clock), file_(new_name(directory, clock()), OutputFile::Mode::create) {
  tb::Event event;
  event.set_file_version("brain.Event:2");
  try {
    write(0, event);
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(file_.path(), ignored);
    throw;
  }
}

void EventFile::add_scalars(std::int64_t step, std::span<const ScalarValue> values) {
  tb::Event event;
  event.mutable_summary();
  for (const ScalarValue& v : values) add_value(event, v.tag)->set_simple_value(static_cast<float>(v.value));
  write(step, event);
}

void EventFile::add_histogram(std::int64_t step, std::string_view tag, std::span<const double> values) {
  constexpr std::size_t kBuckets = 30;
  std::vector<double> finite;
  std::copy_if(values.begin(), values.end(), std::back_inserter(finite), [](double x) { return std::isfinite(x); });
  if (finite.empty()) return;
  const auto [min, max] = std::minmax_element(finite.begin(), finite.end());
  tb::Event event;
  tb::HistogramProto& h = *add_value(event, tag)->mutable_histo();
  h.set_min(*min);
  h.set_max(*max);
  h.set_num(static_cast<double>(finite.size()));
  const std::size_t buckets = *min < *max ? kBuckets : 1;
  const double width = (*max - *min) / static_cast<double>(buckets);
  std::vector<double> counts(buckets, 0);
  double sum = 0, squares = 0;
  for (const double x : finite) {
    sum += x;
    squares += x * x;
    const auto place = buckets == 1 ? 0 : static_cast<std::size_t>((x - *min) / width);
    ++counts[std::min(place, buckets - 1)];
  }
  h.set_sum(sum);
  h.set_sum_squares(squares);
  for (std::size_t i = 0; i < buckets; ++i) {
    h.add_bucket_limit(i + 1 == buckets ? *max : *min + static_cast<double>(i + 1) * width);
    h.add_bucket(counts[i]);
  }
  write(step, event);
}

void EventFile::add_text(std::string_view tag, std::string_view markdown) {
  tb::Event event;
  tb::Summary::Value* value = add_value(event, tag);
  value->mutable_tensor()->set_dtype(tb::Tensor::STRING);
  value->mutable_tensor()->mutable_tensor_shape()->add_dim()->set_size(1);
  value->mutable_tensor()->add_string_val(markdown.data(), markdown.size());
  value->mutable_metadata()->mutable_plugin_data()->set_plugin_name("text");
  write(step_, event);
}

// Writes no record of the experiment: TensorBoard would take the columns of several runs from the first record; without
// records it makes them from all runs.
void EventFile::add_hparams(std::span<const Hparam> hparams, std::string_view group_name) {
  tb::HParamsPluginData start;
  tb::SessionStartInfo& info = *start.mutable_session_start_info();
  for (const Hparam& h : hparams) {
    tb::SessionStartInfo::Value& value = (*info.mutable_hparams())[h.name];
    if (const auto* number = std::get_if<double>(&h.value))
      value.set_number_value(*number);
    else if (const auto* text = std::get_if<std::string>(&h.value))
      value.set_string_value(*text);
    else
      value.set_bool_value(std::get<bool>(h.value));
  }
  info.set_group_name(group_name.data(), group_name.size());
  info.set_start_time_secs(clock_());

  tb::Event event;
  add_hparams_value(event, "_hparams_/session_start_info", start);
  write(step_, event);
}

void EventFile::add_hparams_end(bool success) {
  tb::HParamsPluginData data;
  data.mutable_session_end_info()->set_status(success ? tb::SessionEndInfo::SUCCESS : tb::SessionEndInfo::FAILURE);
  data.mutable_session_end_info()->set_end_time_secs(clock_());
  tb::Event event;
  add_hparams_value(event, "_hparams_/session_end_info", data);
  write(step_, event);
}

void EventFile::add_session_start(std::int64_t step) {
  tb::Event event;
  event.mutable_session_log()->set_status(tb::SessionLog::START);
  write(step, event);
}

// uint64 length | uint32 masked crc of the length | data | uint32 masked crc of the data
void EventFile::write(std::int64_t step, tensorboard::Event& event) {
  event.set_wall_time(clock_());
  event.set_step(step);
  step_ = step;
  const std::string data = event.SerializeAsString();
  const std::string length = bytes(std::uint64_t(data.size()));
  file_.write(length + bytes(masked_crc32c(length)) + data + bytes(masked_crc32c(data)));
}

}  // namespace goalpost
