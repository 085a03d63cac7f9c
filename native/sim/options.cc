#include "native/sim/options.hh"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace qstack::sim {
namespace {

bool read_without(const char* text, Limits& limits) {
  for (std::string_view rest = text; !rest.empty();) {
    const size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view name = rest.substr(0, comma);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    size_t i = 0;
    while (i < kFeatures && kFeatureNames[i] != name) ++i;
    if (i == kFeatures) {
      std::fprintf(stderr, "--without %.*s: no such feature\n", static_cast<int>(name.size()), name.data());
      return false;
    }
    limits.without.set(i);
  }
  return true;
}

/// Numbers with commas between them; "none".
std::vector<uint32_t> read_numbers(const char* text) {
  std::vector<uint32_t> numbers;
  for (char* at = const_cast<char*>(text); *at >= '0' && *at <= '9';) {
    numbers.push_back(static_cast<uint32_t>(std::strtoul(at, &at, 10)));
    if (*at == ',') ++at;
  }
  return numbers;
}

/// CONGESTION,LOSS_PPM,RTT_US
bool read_cell(const char* text, Options& o) {
  char name[16];
  Cell& cell = o.cell.emplace();
  if (std::sscanf(text, "%15[a-z],%u,%u", name, &cell.loss_ppm, &cell.rtt_us) == 3) {
    for (const auto congestion : {Congestion::cubic, Congestion::newreno, Congestion::dctcp}) {
      if (std::strcmp(congestion_control(congestion).name, name) == 0) return cell.congestion = congestion, true;
    }
  }
  std::fprintf(stderr, "--cell %s: cubic, newreno or dctcp,LOSS_PPM,RTT_US is expected\n", text);
  return false;
}

bool read_plant(const char* text, Limits& limits) {
  if (std::strcmp(text, "alter") == 0) return limits.plant = Plant::alter, true;
  if (std::strcmp(text, "forge_ack") == 0) return limits.plant = Plant::forge_ack, true;
  if (std::strcmp(text, "keep_pieces") == 0) return limits.plant = Plant::keep_pieces, true;
  return std::fprintf(stderr, "--plant %s: alter, forge_ack or keep_pieces is expected\n", text), false;
}

struct Flag {
  std::string_view name;
  bool (*read)(const char* value, Options& out);
};

constexpr Flag kFlags[] = {
    {"--seed", [](const char* v, Options& o) { return o.seed = std::strtoull(v, nullptr, 10), true; }},
    {"--seconds", [](const char* v, Options& o) { return o.seconds = std::atof(v), true; }},
    {"--virtual-hours", [](const char* v, Options& o) { return o.virtual_hours = std::atof(v), true; }},
    {"--plans", [](const char* v, Options& o) { return o.plans = std::strtoull(v, nullptr, 10), true; }},
    {"--hosts", [](const char* v, Options& o) { return o.limits.hosts_max = std::max(2, std::atoi(v)), true; }},
    {"--bytes", [](const char* v, Options& o) { return o.limits.bytes_max = std::strtoull(v, nullptr, 10), true; }},
    {"--transfers", [](const char* v, Options& o) { return o.limits.transfers = read_numbers(v), true; }},
    {"--faults", [](const char* v, Options& o) { return o.limits.faults = read_numbers(v), true; }},
    {"--without", [](const char* v, Options& o) { return read_without(v, o.limits); }},
    {"--plant", [](const char* v, Options& o) { return read_plant(v, o.limits); }},
    {"--cell", [](const char* v, Options& o) { return read_cell(v, o); }},
};

}  // namespace

bool read_options(int argc, char** argv, Options& out) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--counters" || name == "--trace") {
      (name == "--trace" ? out.trace : out.counters) = true;
      continue;
    }
    const Flag* flag = std::begin(kFlags);
    while (flag != std::end(kFlags) && flag->name != name) ++flag;
    if (flag == std::end(kFlags) || i + 1 == argc) {
      return std::fprintf(stderr, "%s: unknown, or without its value\n", argv[i]), false;
    }
    if (!flag->read(argv[++i], out)) return false;
  }
  return true;
}

}  // namespace qstack::sim
