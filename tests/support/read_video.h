// Reads videos and images back, with libav.
#pragma once

#include <algorithm>
#include <filesystem>
#include <stdexcept>
#include <utility>
#include <vector>

#include "render/frame.h"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
}

namespace goalpost {

struct ReadVideo {
  int width = 0, height = 0, frames = 0;
  double fps = 0;
  std::vector<Frame> first;  // of an image: its pixels
};

/// @throws std::runtime_error if it cannot be read to its end
inline ReadVideo read_video(const std::filesystem::path& file) {
  const auto need = [&](bool ok, const char* what) {
    if (!ok) throw std::runtime_error(file.string() + ": " + what);
  };
  ReadVideo video;
  AVFormatContext* format = nullptr;
  need(avformat_open_input(&format, file.c_str(), nullptr, nullptr) == 0, "open");
  need(avformat_find_stream_info(format, nullptr) >= 0 && format->nb_streams == 1, "stream");
  const AVStream* stream = format->streams[0];
  const AVCodec* codec = avcodec_find_decoder(stream->codecpar->codec_id);
  AVCodecContext* decoder = avcodec_alloc_context3(codec);
  avcodec_parameters_to_context(decoder, stream->codecpar);
  need(avcodec_open2(decoder, codec, nullptr) == 0, "decoder");
  AVPacket* packet = av_packet_alloc();
  AVFrame* frame = av_frame_alloc();
  video.fps = av_q2d(stream->avg_frame_rate);
  for (bool more = true; more;) {
    more = av_read_frame(format, packet) == 0;
    need(avcodec_send_packet(decoder, more ? packet : nullptr) == 0, "decode");
    av_packet_unref(packet);
    while (avcodec_receive_frame(decoder, frame) == 0) {
      ++video.frames;
      video.width = frame->width;
      video.height = frame->height;
      if (frame->format != AV_PIX_FMT_RGB24) continue;
      Frame p(frame->width, frame->height);
      for (int y = 0; y < p.height; ++y)
        std::copy_n(frame->data[0] + y * frame->linesize[0], 3 * p.width, p.rgb.begin() + 3 * y * p.width);
      video.first.push_back(std::move(p));
    }
  }
  av_frame_free(&frame);
  av_packet_free(&packet);
  avcodec_free_context(&decoder);
  avformat_close_input(&format);
  return video;
}

}  // namespace goalpost
