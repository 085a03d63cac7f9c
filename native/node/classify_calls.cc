#include "native/node/classify_calls.hh"

#include <algorithm>
#include <vector>

#include "native/classify/capture.hh"
#include "native/classify/locate.hh"
#include "native/node/call.hh"
#include "native/node/env_data.hh"
#include "native/stack/stack_thread.hh"

namespace qstack::node {

namespace {

using Info = Napi::CallbackInfo;

/// Each run takes at least so long, and the fastest counts: the others were interrupted.
constexpr Nanos kCostRun = 5'000'000;
constexpr int kCostRuns = 9;

/// A frame of its own, with its headers located.
struct Located {
  std::vector<uint8_t> bytes;
  Packet packet{};

  explicit Located(std::span<const uint8_t> frame)
      : bytes(frame.begin(), frame.begin() + static_cast<long>(std::min<size_t>(frame.size(), UINT16_MAX))) {
    packet.data = bytes.data();
    packet.length = static_cast<uint16_t>(bytes.size());
    locate_tcp(packet);
  }
};

std::string text_argument(const Info& info, size_t index, const char* name) {
  if (!info[index].IsString()) throw CodedError("QST_ERR_NATIVE_OPTION", std::string(name) + ": a text is expected");
  return info[index].As<Napi::String>();
}

Napi::Value classify_frame(const Info& info) {
  const Classifier classifier = classifier_argument(info, 0);
  return Napi::Number::New(info.Env(), classifier.classify(Located(bytes_argument(info, 1, "frame")).packet));
}

std::vector<Located> frames_argument(const Info& info, size_t index) {
  if (!info[index].IsArray()) throw CodedError("QST_ERR_NATIVE_OPTION", "frames: an array is expected");
  const auto array = info[index].As<Napi::Array>();
  std::vector<Located> frames;
  frames.reserve(array.Length());
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value frame = array[i];
    if (!frame.IsTypedArray()) throw CodedError("QST_ERR_NATIVE_OPTION", "frames: Uint8Arrays are expected");
    const auto bytes = frame.As<Napi::Uint8Array>();
    frames.emplace_back(std::span<const uint8_t>(bytes.Data(), bytes.ByteLength()));
  }
  return frames;
}

/// The rule of each frame: its number in the table, rules() for the default, -1 for what is no TCP segment.
Napi::Value match_frames(const Info& info) {
  const Classifier classifier = classifier_argument(info, 0);
  const std::vector<Located> frames = frames_argument(info, 1);
  Napi::Array out = Napi::Array::New(info.Env(), frames.size());
  for (uint32_t i = 0; i < frames.size(); ++i) {
    const uint32_t rule = classifier.match(frames[i].packet);
    out.Set(i, rule == kNoIndex ? -1.0 : static_cast<double>(rule));
  }
  return out;
}

Nanos run_once(const Classifier& classifier, const std::vector<Located>& frames, uint64_t rounds, uint64_t* hits) {
  const Nanos start = monotonic_now();
  for (uint64_t round = 0; round < rounds; ++round) {
    for (const Located& frame : frames) classifier.classify(frame.packet, hits);
  }
  return monotonic_now() - start;
}

/// Nanoseconds per frame, headers located before.
Napi::Value classify_cost(const Info& info) {
  const Classifier classifier = classifier_argument(info, 0);
  const std::vector<Located> frames = frames_argument(info, 1);
  if (frames.empty()) return Napi::Number::New(info.Env(), 0);
  std::vector<uint64_t> hits(classifier.rules() + 1);
  uint64_t rounds = 1;
  Nanos took = run_once(classifier, frames, rounds, hits.data());
  while (took < kCostRun) took = run_once(classifier, frames, rounds *= 2, hits.data());
  for (int run = 0; run < kCostRuns; ++run) took = std::min(took, run_once(classifier, frames, rounds, hits.data()));
  return Napi::Number::New(info.Env(), static_cast<double>(took) / static_cast<double>(rounds * frames.size()));
}

/// What libpcap says against an expression; undefined: nothing.
Napi::Value filter_fault(const Info& info) {
  const auto compiled = PacketFilter::compile(text_argument(info, 0, "expression"));
  const std::string* const fault = std::get_if<std::string>(&compiled);
  return fault == nullptr ? info.Env().Undefined() : Napi::String::New(info.Env(), *fault);
}

Napi::Value filter_frame(const Info& info) {
  const auto compiled = PacketFilter::compile(text_argument(info, 0, "expression"));
  if (const std::string* const fault = std::get_if<std::string>(&compiled)) {
    throw CodedError("QST_ERR_CLASSIFIER_INVALID", *fault);
  }
  const std::span<const uint8_t> frame = bytes_argument(info, 1, "frame");
  const bool accepted = std::get<PacketFilter>(compiled).accepts(frame.data(), static_cast<uint32_t>(frame.size()));
  return Napi::Boolean::New(info.Env(), accepted);
}

Napi::Object frame_value(Napi::Env env, const CapturedFrame& frame) {
  Napi::Object out = Napi::Object::New(env);
  Napi::Uint8Array bytes = Napi::Uint8Array::New(env, frame.bytes.size());
  std::copy(frame.bytes.begin(), frame.bytes.end(), bytes.Data());
  out.Set("bytes", bytes);
  out.Set("length", frame.length);
  out.Set("seconds", static_cast<double>(frame.seconds));
  out.Set("microseconds", frame.microseconds);
  return out;
}

Napi::Value capture_frames(const Info& info) {
  const uint32_t most = info[1].IsNumber() ? info[1].As<Napi::Number>().Uint32Value() : UINT32_MAX;
  const auto read = read_capture(text_argument(info, 0, "path"), most);
  if (const std::string* const fault = std::get_if<std::string>(&read)) throw CodedError("QST_ERR_CAPTURE", *fault);
  const auto& frames = std::get<std::vector<CapturedFrame>>(read);
  Napi::Array out = Napi::Array::New(info.Env(), frames.size());
  for (uint32_t i = 0; i < frames.size(); ++i) out.Set(i, frame_value(info.Env(), frames[i]));
  return out;
}

template <Napi::Value (*function)(const Info&)>
void add(Napi::Object exports, const char* name) {
  const auto call = [](const Info& info) { return guarded(info, [&info] { return function(info); }); };
  exports.Set(name, Napi::Function::New(exports.Env(), call, name));
}

}  // namespace

std::span<const uint8_t> bytes_argument(const Info& info, size_t index, const char* name) {
  const bool right =
      info[index].IsTypedArray() && info[index].As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array;
  if (!right) throw CodedError("QST_ERR_NATIVE_OPTION", std::string(name) + ": a Uint8Array is expected");
  const auto bytes = info[index].As<Napi::Uint8Array>();
  return {bytes.Data(), bytes.ByteLength()};
}

Classifier classifier_argument(const Info& info, size_t index) {
  std::variant<Classifier, std::string> loaded = Classifier::load(bytes_argument(info, index, "table"));
  if (std::string* const fault = std::get_if<std::string>(&loaded)) {
    throw CodedError("QST_ERR_CLASSIFIER_INVALID", *fault);
  }
  return std::get<Classifier>(std::move(loaded));
}

void register_classify(Napi::Env, Napi::Object exports) {
  add<classify_frame>(exports, "classifyFrame");
  add<match_frames>(exports, "matchFrames");
  add<classify_cost>(exports, "classifyCost");
  add<filter_fault>(exports, "filterFault");
  add<filter_frame>(exports, "filterFrame");
  add<capture_frames>(exports, "captureFrames");
}

}  // namespace qstack::node
