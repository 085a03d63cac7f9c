#include "native/redis/client.hh"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace qstack::redis {
namespace {

constexpr size_t kReadBuffer = 64 * 1024;
constexpr uint32_t kShardsMax = 1'024;
constexpr uint32_t kTemplatesMax = 65'535;
constexpr uint32_t kScratchMax = 64 * 1024 * 1024;
constexpr Nanos kMillisecond = 1'000'000;

std::string config_fault(const ClientConfig& config) {
  if (config.shards.empty() || config.shards.size() > kShardsMax) return "1 to 1024 Redis servers are possible";
  if (!std::has_single_bit(config.commands) || config.commands > 1u << 20)
    return "the number of commands is not a power of two up to 1048576";
  if (config.scratch_bytes > kScratchMax) return "the scratch area is larger than 64 MiB";
  for (const ShardConfig& shard : config.shards) {
    if (!is_possible(shard.address))
      return shard.address.path.empty() ? "\"" + shard.address.host + "\" is no numeric address"
                                        : "\"" + shard.address.path + "\" is too long for a socket's path";
  }
  return "";
}

}  // namespace

std::variant<std::unique_ptr<Client>, std::string> Client::create(const ClientConfig& config,
                                                                  std::span<const uint8_t> arena) {
  std::string fault = config_fault(config);
  if (!fault.empty()) return fault;
  const int epoll_fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd < 0) return std::string("epoll_create1: ") + std::strerror(errno);
  return std::unique_ptr<Client>(new Client(config, arena, epoll_fd));
}

Client::Client(const ClientConfig& config, std::span<const uint8_t> arena, int epoll_fd)
    : arena_(arena),
      layout_(config.commands, config.scratch_bytes, config.reply_places),
      block_(layout_.bytes),
      command_memory_(PlaceHeap::bytes(config.command_places)),
      commands_(command_memory_.data(), config.command_places),
      replies_(block_.data() + layout_.places_at, config.reply_places),
      pool_(config.commands),
      completer_(layout_.ring<abi::RedisCompletion>(block_.data(), BlockLayout::kCompletionHeader,
                                                    layout_.completions_at, layout_.completion_capacity),
                 replies_, block_.data()),
      incoming_(layout_.ring<abi::RedisCommand>(block_.data(), BlockLayout::kCommandHeader, layout_.commands_at,
                                                layout_.command_capacity)),
      given_back_(layout_.ring<uint32_t>(block_.data(), BlockLayout::kReleaseHeader, layout_.releases_at,
                                         layout_.release_capacity)),
      slots_(kSlots),
      buffer_(kReadBuffer),
      pattern_(config.shards[0]),
      levels_(config.levels),
      cluster_(config.cluster),
      epoll_fd_(epoll_fd) {
  pattern_.levels = levels_;
  pattern_.policy = config.policy;
  for (const ShardConfig& shard : config.shards) add_shard(shard);
  for (uint32_t slot = 0; slot < kSlots; ++slot)
    slots_[slot] = static_cast<uint16_t>(uint64_t{slot} * shards_.size() / kSlots);
}

Client::~Client() {
  shards_.clear();
  ::close(epoll_fd_);
}

void Client::add_shard(ShardConfig shard) {
  shard.levels = pattern_.levels;
  shard.policy = pattern_.policy;
  Redirector* const redirector = cluster_ ? this : nullptr;
  shards_.push_back(std::make_unique<Shard>(shard, static_cast<uint16_t>(shards_.size()), epoll_fd_, pool_, commands_,
                                            completer_, redirector));
}

uint32_t Client::add_template(std::span<const Argument> arguments, uint32_t key) {
  if (templates_.size() >= kTemplatesMax || arguments.empty() || key >= arguments.size()) return 0;
  CommandTemplate made(arguments, key);
  if (made.arguments_needed() > kArgumentsMax) return 0;
  templates_.push_back(std::move(made));
  return static_cast<uint32_t>(templates_.size());
}

bool Client::set_slots(std::span<const uint16_t> shards) {
  const bool right = shards.size() == kSlots && std::all_of(shards.begin(), shards.end(),
                                                            [this](uint16_t shard) { return shard < shards_.size(); });
  if (right) slots_.assign(shards.begin(), shards.end());
  return right;
}

uint32_t Client::shard_at(const Address& address) {
  for (uint32_t i = 0; i < shards_.size(); ++i)
    if (shards_[i]->address() == address) return i;
  if (shards_.size() >= kShardsMax || !is_possible(address)) return kNoIndex;
  ShardConfig shard = pattern_;
  shard.address = address;
  add_shard(shard);
  return shards() - 1;
}

bool Client::set_topology(std::span<const Address> servers, std::span<const uint16_t> slots) {
  if (slots.size() != kSlots) return false;
  std::vector<uint16_t> map(kSlots), numbers;
  for (const Address& address : servers) {
    const uint32_t number = shard_at(address);
    if (number == kNoIndex) return false;
    numbers.push_back(static_cast<uint16_t>(number));
  }
  for (uint32_t slot = 0; slot < kSlots; ++slot) {
    if (slots[slot] >= numbers.size()) return false;
    map[slot] = numbers[slots[slot]];
  }
  set_slots(map);
  note_wanted();
  send_on_waiting();
  return true;
}

void Client::schedule(const PolicyConfig& policy) {
  pattern_.policy = policy;
  for (const auto& shard : shards_) shard->schedule(policy);
}

/// A server without a slot is left alone: it may be gone for ever.
void Client::note_wanted() {
  std::vector<bool> wanted(shards_.size());
  for (const uint16_t shard : slots_) wanted[shard] = true;
  for (uint32_t i = 0; i < shards_.size(); ++i) shards_[i]->set_wanted(wanted[i]);
}

/// The order among commands of one slot stays.
void Client::send_on_waiting() {
  for (uint32_t i = 0; i < shards_.size(); ++i) {
    PendingList waiting, staying;
    shards_[i]->take_waiting(waiting);
    while (!waiting.empty()) {
      const uint32_t index = waiting.pop_front(pool_);
      Pending& entry = pool_.at(index);
      const uint32_t owner = entry.slot == kNoSlot ? i : slots_[entry.slot];
      if (owner == i) {
        staying.push_back(pool_, index);
      } else {
        entry.again(false);
        shards_[owner]->submit(index);
      }
    }
    while (!staying.empty()) shards_[i]->submit(staying.pop_front(pool_));
  }
}

bool Client::redirect(uint32_t index, const Redirect& to, const Address& from) {
  Pending& entry = pool_.at(index);
  if (entry.redirects >= kRedirectsMax) return false;
  const std::string host = to.host.empty() ? from.host : std::string(to.host);
  const uint32_t number = shard_at({"", host, to.port});
  if (number == kNoIndex) return false;
  if (!to.ask) slots_[to.slot] = static_cast<uint16_t>(number);
  ++entry.redirects;
  entry.again(to.ask);
  shards_[number]->submit(index);
  redirected_ = true;
  return true;
}

/// Nothing was carried out, so it may be sent again; the slot's owner of then gets it. The error of one whose time would be over
/// before is its answer.
bool Client::retry(uint32_t index) {
  Pending& entry = pool_.at(index);
  if (entry.slot == kNoSlot || now_ + kRetryAfter >= entry.deadline) return false;
  entry.again_at = now_ + kRetryAfter;
  entry.redirects = 0;
  entry.again(false);
  later_.push_back(pool_, index);
  return true;
}

void Client::send_later() {
  while (!later_.empty() && pool_.at(later_.head()).again_at <= now_) {
    const uint32_t index = later_.pop_front(pool_);
    shards_[slots_[pool_.at(index).slot]]->submit(index);
  }
}

void Client::close() {
  closed_ = true;
  for (auto& shard : shards_) shard->connection().close();
}

uint32_t Client::poll(Nanos now) {
  if (closed_) return 0;
  now_ = now;
  take(now);
  send_later();
  poll_shards(now);
  // What came back goes out at once, whichever shard it is for.
  for (uint8_t round = 0; redirected_ && round < kRedirectsMax; ++round) poll_shards(now);
  completer_.publish();
  return completer_.size();
}

/// A redirection may add a shard meanwhile.
void Client::poll_shards(Nanos now) {
  redirected_ = false;
  for (size_t i = 0; i < shards_.size(); ++i) shards_[i]->poll(now, buffer_);
}

void Client::take_back() {
  given_back_.refresh();
  uint32_t place = 0;
  while (given_back_.take(place)) replies_.release(place);
  given_back_.publish();
}

void Client::take(Nanos now) {
  if (closed_) return;
  take_back();
  incoming_.refresh();
  // Every command taken has its completion's place in the ring.
  uint32_t room = completer_.room();
  room = room > pool_.in_use() ? room - pool_.in_use() : 0;
  room = std::min(room, pool_.capacity() - pool_.in_use());
  abi::RedisCommand record;
  for (; room != 0 && incoming_.take(record); --room) {
    if (accept(record, now)) continue;
    completer_.refuse(record.op);
    ++refused_;
  }
  incoming_.publish();
  completer_.publish();
}

bool Client::accept(const abi::RedisCommand& record, Nanos now) {
  Holes holes;
  std::span<const uint8_t> key;
  if (record.level >= levels_ || !fill(record, holes)) return false;
  const uint32_t index = pool_.take();
  Pending& entry = pool_.at(index);
  const uint32_t shard = render(record, holes, entry, key) ? shard_of(record, key, entry) : kNoIndex;
  if (shard == kNoIndex) {
    commands_.release(entry.place.id);
    pool_.give_back(index);
    return false;
  }
  entry.op = record.op;
  entry.level = record.level;
  entry.stamp = record.stamp;
  entry.since = record.stamp - to_stamp(record.waited_ms * kMillisecond);
  entry.deadline = now + record.timeout_ms * kMillisecond;
  shards_[shard]->submit(index);
  return true;
}

bool Client::fill(const abi::RedisCommand& record, Holes& holes) const {
  if (record.arguments > kArgumentsMax) return false;
  uint32_t words[2 * kArgumentsMax];
  static_assert(offsetof(abi::RedisCommand, length_3) == offsetof(abi::RedisCommand, offset_0) + sizeof words - 4);
  std::memcpy(words, reinterpret_cast<const uint8_t*>(&record) + offsetof(abi::RedisCommand, offset_0), sizeof words);
  const std::span<const uint8_t> scratch(block_.data() + layout_.scratch_at, layout_.scratch_bytes);
  for (uint32_t i = 0; i < record.arguments; ++i) {
    const std::span<const uint8_t> from = (record.scratch >> i & 1) != 0 ? scratch : arena_;
    const uint64_t offset = words[2 * i], length = words[2 * i + 1];
    if (offset + length > from.size()) return false;
    holes.arguments[i] = from.subspan(offset, length);
  }
  holes.peer_address = record.peer_address;
  holes.peer_port = record.peer_port;
  if ((record.scratch & abi::kRedisPeerText) != 0) {
    if (uint64_t{record.peer_address} + record.peer_port > scratch.size()) return false;
    holes.peer = scratch.subspan(record.peer_address, record.peer_port);
  }
  holes.number = record.number;
  return true;
}

bool Client::render(const abi::RedisCommand& record, const Holes& holes, Pending& entry,
                    std::span<const uint8_t>& key) {
  const bool raw = record.shape == abi::kRedisRaw;
  if (record.shape > templates_.size() || (raw && (record.arguments < 1 || holes.arguments[0].empty()))) return false;
  const CommandTemplate* shape = raw ? nullptr : &templates_[record.shape - 1];
  if (shape != nullptr && shape->arguments_needed() > record.arguments) return false;
  const uint64_t size = raw ? holes.arguments[0].size() : shape->size(holes);
  entry.head = cluster_ ? static_cast<uint8_t>(kAsking.size()) : 0;
  if (size + entry.head > kPlaceMax) return false;
  entry.place = commands_.allocate(static_cast<uint32_t>(size) + entry.head);
  if (entry.place.id == Place::kNone) return false;
  entry.length = static_cast<uint32_t>(size);
  if (raw) {
    std::memcpy(entry.unsent(), holes.arguments[0].data(), size);
    key = holes.arguments[1];
  } else {
    key = shape->write(holes, entry.unsent());
  }
  return true;
}

/// kNoIndex: there is no such shard. A command without a key goes to shard 0.
uint32_t Client::shard_of(const abi::RedisCommand& record, std::span<const uint8_t> key, Pending& entry) const {
  if (record.shard != abi::kRedisByKey) return record.shard < shards_.size() ? record.shard : kNoIndex;
  if (key.empty() || (!cluster_ && shards_.size() == 1)) return 0;
  entry.slot = key_slot(key);
  return slots_[entry.slot];
}

bool Client::busy() const {
  return completer_.has_room() &&
         std::any_of(shards_.begin(), shards_.end(), [](const auto& shard) { return shard->stalled(); });
}

Nanos Client::deadline() const {
  Nanos earliest = 0;
  if (closed_) return earliest;
  if (!later_.empty()) earliest = pool_.at(later_.head()).again_at;
  for (const auto& shard : shards_) {
    const Nanos deadline = shard->deadline();
    if (deadline != 0 && (earliest == 0 || deadline < earliest)) earliest = deadline;
  }
  return earliest;
}

}  // namespace qstack::redis
