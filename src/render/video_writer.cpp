#include "render/video_writer.h"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "core/check.h"
#include "storage/file.h"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>
}

namespace goalpost {
namespace {

// @throws std::runtime_error naming what has failed
int checked(int result, const char* what) {
  if (result >= 0) return result;
  std::array<char, AV_ERROR_MAX_STRING_SIZE> reason{};
  av_strerror(result, reason.data(), reason.size());
  throw std::runtime_error(fmt::format("libav: {}: {}", what, reason.data()));
}
template <class T>
T* checked(T* pointer, const char* what) {
  if (pointer == nullptr) throw std::runtime_error(fmt::format("libav: {}: not possible", what));
  return pointer;
}

struct Free {
  void operator()(AVCodecContext* c) const { avcodec_free_context(&c); }
  void operator()(AVFrame* f) const { av_frame_free(&f); }
  void operator()(AVPacket* p) const { av_packet_free(&p); }
  void operator()(SwsContext* s) const { sws_freeContext(s); }
  void operator()(AVFormatContext* f) const {
    if (f->pb != nullptr) {
      std::uint8_t* bytes = nullptr;
      avio_close_dyn_buf(f->pb, &bytes);
      av_free(bytes);
    }
    avformat_free_context(f);
  }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

// libav talks on stderr; what matters is thrown.
void be_quiet() { av_log_set_level(AV_LOG_QUIET); }

// An encoder that gives the same bytes for the same frames.
Owned<AVCodecContext> make_encoder(const AVCodec* codec, int width, int height, AVPixelFormat format) {
  Owned<AVCodecContext> c(checked(avcodec_alloc_context3(codec), "making an encoder"));
  c->width = width;
  c->height = height;
  c->pix_fmt = format;
  c->thread_count = 1;
  c->flags |= AV_CODEC_FLAG_BITEXACT;
  return c;
}

Owned<AVFrame> make_frame(int width, int height, AVPixelFormat format) {
  Owned<AVFrame> frame(checked(av_frame_alloc(), "making a frame"));
  frame->width = width;
  frame->height = height;
  frame->format = format;
  checked(av_frame_get_buffer(frame.get(), 0), "making a frame");
  for (std::size_t i = 0; i < AV_NUM_DATA_POINTERS; ++i)
    if (frame->buf[i] != nullptr)
      std::memset(frame->buf[i]->data, 0, frame->buf[i]->size);  // its margins are read, too
  return frame;
}

}  // namespace

MediaFormat format_of(const std::filesystem::path& file) {
  if (file.extension() == ".mp4") return MediaFormat::video;
  if (file.extension() == ".png") return MediaFormat::image;
  throw UsageError(fmt::format("{}: unknown extension \"{}\"; expected .mp4 for a video or .png for an image",
                               file.string(), file.extension().string()));
}

// The video grows in memory, by about a megabyte per minute; the file is opened at once, so that a file that cannot be
// written is reported before an hour's work.
struct VideoWriter::State {
  std::filesystem::path file;
  std::optional<OutputFile> out;
  Owned<AVFormatContext> format;
  Owned<AVCodecContext> encoder;
  Owned<SwsContext> scaler;
  Owned<AVFrame> rgb, yuv;
  Owned<AVPacket> packet;
  std::int64_t frames = 0;
  bool finished = false;

  ~State() {
    if (!finished && out) std::filesystem::remove(out->path());
  }

  void encode(const AVFrame* f) {
    checked(avcodec_send_frame(encoder.get(), f), "encoding a frame");
    for (;;) {
      const int result = avcodec_receive_packet(encoder.get(), packet.get());
      if (result == AVERROR(EAGAIN) || result == AVERROR_EOF) return;
      checked(result, "encoding a frame");
      if (packet->duration == 0) packet->duration = 1;
      av_packet_rescale_ts(packet.get(), encoder->time_base, format->streams[0]->time_base);
      checked(av_interleaved_write_frame(format.get(), packet.get()), "writing a frame");
    }
  }
};

VideoWriter::VideoWriter(std::filesystem::path file, int width, int height, double fps)
    : state_(std::make_unique<State>()) {
  if (width < 2 || height < 2 || width > 8192 || height > 8192)
    throw UsageError(fmt::format("a video of {} x {} pixels; expected 2 to 8192 each way", width, height));
  GP_CHECK(fps > 0 && fps <= 1000, "VideoWriter: fps = ", fps, "; expected a number in (0, 1000]");
  be_quiet();
  State& s = *state_;
  s.file = std::move(file);
  try {
    s.out.emplace(temporary_name(s.file), OutputFile::Mode::replace);
  } catch (const std::system_error& e) {
    throw UsageError(fmt::format("the video {} cannot be written: {}", s.file.string(), e.what()));
  }

  AVFormatContext* format = nullptr;
  checked(avformat_alloc_output_context2(&format, nullptr, "mp4", nullptr), "making a video");
  s.format.reset(format);
  format->flags |= AVFMT_FLAG_BITEXACT;
  const AVCodec* codec = avcodec_find_encoder_by_name("libx264");
  if (codec == nullptr) codec = checked(avcodec_find_encoder(AV_CODEC_ID_MPEG4), "finding an encoder for videos");
  AVStream* stream = checked(avformat_new_stream(format, nullptr), "making a video");

  s.encoder = make_encoder(codec, width / 2 * 2, height / 2 * 2, AV_PIX_FMT_YUV420P);
  AVCodecContext& c = *s.encoder;
  c.time_base = av_inv_q(av_d2q(fps, 10'000));
  c.framerate = av_inv_q(c.time_base);
  c.gop_size = std::max(1, static_cast<int>(fps));
  c.color_range = AVCOL_RANGE_MPEG;
  c.colorspace = AVCOL_SPC_SMPTE170M;
  if (codec->id == AV_CODEC_ID_H264) {
    av_opt_set(c.priv_data, "preset", "veryfast", 0);
    av_opt_set(c.priv_data, "crf", "20", 0);
    av_opt_set(c.priv_data, "x264-params", "cpu-independent=1", 0);  // else reciprocals differ between processors
  } else {
    c.flags |= AV_CODEC_FLAG_QSCALE;
    c.global_quality = 3 * FF_QP2LAMBDA;
  }
  if ((format->oformat->flags & AVFMT_GLOBALHEADER) != 0) c.flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  checked(avcodec_open2(&c, codec, nullptr), "opening an encoder for videos");
  checked(avcodec_parameters_from_context(stream->codecpar, &c), "making a video");
  stream->time_base = c.time_base;
  stream->avg_frame_rate = c.framerate;
  checked(avio_open_dyn_buf(&format->pb), "making a video");
  checked(avformat_write_header(format, nullptr), "making a video");

  s.scaler.reset(checked(
      sws_getContext(c.width, c.height, AV_PIX_FMT_RGB24, c.width, c.height, AV_PIX_FMT_YUV420P,
                     SWS_BICUBIC | SWS_ACCURATE_RND | SWS_BITEXACT | SWS_FULL_CHR_H_INP, nullptr, nullptr, nullptr),
      "converting colors"));
  s.rgb = make_frame(c.width, c.height, AV_PIX_FMT_RGB24);
  s.yuv = make_frame(c.width, c.height, AV_PIX_FMT_YUV420P);
  s.packet.reset(checked(av_packet_alloc(), "making a video"));
}

VideoWriter::~VideoWriter() = default;

void VideoWriter::add(const Frame& frame, int times) {
  State& s = *state_;
  GP_CHECK(frame.width / 2 * 2 == s.encoder->width && frame.height / 2 * 2 == s.encoder->height,
           "VideoWriter::add: a frame of ", frame.width, " x ", frame.height, "; expected ", s.encoder->width, " x ",
           s.encoder->height);
  checked(av_frame_make_writable(s.yuv.get()), "encoding a frame");
  // libswscale reads sixteen bytes at a time, also beyond a frame's last byte: its own frames have room there.
  av_image_copy_plane(s.rgb->data[0], s.rgb->linesize[0], frame.rgb.data(), 3 * frame.width, 3 * s.encoder->width,
                      s.encoder->height);
  checked(sws_scale(s.scaler.get(), s.rgb->data, s.rgb->linesize, 0, s.encoder->height, s.yuv->data, s.yuv->linesize),
          "converting colors");
  for (int i = 0; i < times; ++i) {
    s.yuv->pts = s.frames++;
    s.encode(s.yuv.get());
  }
}

void VideoWriter::finish() {
  State& s = *state_;
  s.encode(nullptr);
  checked(av_write_trailer(s.format.get()), "ending a video");
  std::uint8_t* bytes = nullptr;
  const int size = avio_close_dyn_buf(std::exchange(s.format->pb, nullptr), &bytes);
  const std::unique_ptr<std::uint8_t, void (*)(void*)> owner(bytes, av_free);
  s.out->write({reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(checked(size, "ending a video"))});
  replace_by_temporary(s.file);
  s.finished = true;
}

void write_image(const std::filesystem::path& file, const Frame& frame) {
  be_quiet();
  const AVCodec* codec = checked(avcodec_find_encoder(AV_CODEC_ID_PNG), "finding an encoder for images");
  const Owned<AVCodecContext> encoder = make_encoder(codec, frame.width, frame.height, AV_PIX_FMT_RGB24);
  encoder->time_base = {1, 1};
  checked(avcodec_open2(encoder.get(), codec, nullptr), "opening an encoder for images");
  const Owned<AVFrame> rgb = make_frame(frame.width, frame.height, AV_PIX_FMT_RGB24);
  const int stride = 3 * frame.width;
  av_image_copy_plane(rgb->data[0], rgb->linesize[0], frame.rgb.data(), stride, stride, frame.height);
  const Owned<AVPacket> packet(checked(av_packet_alloc(), "encoding a frame"));
  checked(avcodec_send_frame(encoder.get(), rgb.get()), "encoding a frame");
  checked(avcodec_send_frame(encoder.get(), nullptr), "encoding a frame");
  checked(avcodec_receive_packet(encoder.get(), packet.get()), "encoding a frame");
  write_file_atomically(file, {reinterpret_cast<const char*>(packet->data), static_cast<std::size_t>(packet->size)});
}

}  // namespace goalpost
