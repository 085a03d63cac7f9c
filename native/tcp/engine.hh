// TcpEngine: RFC 9293 for every connection of one stack thread.
//
// In: TCP segments (IpLayer has checked the IP header), calls of the app, time. Out: segments through IpLayer, App events.
// Read first: RFC 9293 3.10 (event processing), RFC 7323, RFC 2018, RFC 8985, RFC 6298, RFC 5961; then tcb.hh.
// One concern per file: passive, active, input, ecn, acknowledge, sack, rack, recovery, receive, reassembly, messages,
// early, output, transmit, path_mtu, urgent, options, info, sums, close, timers, keepalive; algorithms for the window
// behind congestion.hh.
// Invariant: a packet that comes in is released, kept in one list of its connection, or held by the app.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "native/abi/counters.hh"
#include "native/classify/classifier.hh"
#include "native/flow/flow_keys.hh"
#include "native/flow/flow_table.hh"
#include "native/ip/ip_layer.hh"
#include "native/ip/tx_queue.hh"
#include "native/mempool/slot_list.hh"
#include "native/mempool/slot_pool.hh"
#include "native/tcp/app.hh"
#include "native/tcp/config.hh"
#include "native/tcp/lowered_mss.hh"
#include "native/tcp/profile_table.hh"
#include "native/tcp/side_table.hh"
#include "native/tcp/source_table.hh"
#include "native/tcp/sums.hh"
#include "native/tcp/syn_cookie.hh"
#include "native/tcp/tcb.hh"
#include "native/wire/tcp.hh"

namespace qstack {

class TcpEngine {
 public:
  /// Segments whose cache misses overlap.
  static constexpr uint32_t kBurst = 16;

  TcpEngine(const TcpConfig& config, IpLayer& ip, TxQueue& queue, PacketPool& rx, PacketPool& tx, App& app,
            Counters& counters);
  ~TcpEngine();
  TcpEngine(const TcpEngine&) = delete;
  TcpEngine& operator=(const TcpEngine&) = delete;

  /// Rules that judge messages from now on; they outlive their use. Null: messages have the level of their frame.
  void set_rules(const Classifier* rules) { rules_ = rules; }
  /// Sets the clocks; call first in each turn.
  void begin_turn(Nanos now);
  /// Takes over all packets; n <= kBurst. `l3` and `l4` are set. What they need begins its way into the cache; before they
  /// are handled, those are that were expected last.
  void expect(Packet** packets, uint32_t n);
  /// Handles what was expected before the last call of expect(). `behind` more wait and will follow.
  void input(uint32_t behind);
  /// Believed only about segments in flight, and never to end a connection that is open (RFC 5927).
  void on_icmp_error(const IcmpError& error);
  /// What was refused earlier: events, blocked output. Returns the number of connections that need no
  /// further turn: one that was refused again is no work, or a stack that waits for room would never rest.
  uint32_t retry();
  /// Fires what is due. Returns the number of timers handled.
  uint32_t run_timers();
  /// Milliseconds for which no connection's timer is due and no ACK is owed, at most 64.
  uint32_t quiet_ms() const;
  /// ACKs that no data segment carried away in this turn. False: the TX queue is full and some are left.
  bool flush_acks();

  int listen(const ListenerConfig& config);
  /// The number that listen() gives to this listener, or -ENOMEM. It stays closed.
  int reserve(const ListenerConfig& config);
  void unlisten(uint16_t listener);
  Handle connect(Endpoint local, Endpoint remote, const ListenerConfig& framing, uint64_t token);
  /// The stack that answers to an active open would come to, where that is not this one: connect() fails for it.
  std::optional<uint32_t> elsewhere(Endpoint local, const Endpoint& remote) const;
  /// Room for one more send at `level`: without it the caller keeps its packets and tries again next turn.
  bool send_ready(uint8_t level) const;
  bool send(Handle handle, Packet* packet, bool message_end);
  /// Adds bytes behind the last packet of `level` that waits to be sent, as far as they make one segment of it. Returns
  /// how many were taken.
  uint32_t append(Handle handle, uint8_t level, const uint8_t* bytes, uint32_t length);
  uint32_t unsent(Handle handle) const;
  void shutdown(Handle handle);
  void close(Handle handle);
  void abort(Handle handle, CloseReason reason);
  void request_drain(Handle handle, uint32_t low_water, uint32_t cookie);
  void release(Handle handle, Packet* packet, uint16_t length);
  /// The control block of this slot will be needed soon. Any number will do.
  void prefetch(uint32_t slot) const;
  /// What it has under way, when its control block has been prefetched.
  void prefetch_busy(uint32_t slot) const;
  bool alive(Handle handle) const { return find_alive(handle) != nullptr; }
  /// Bytes that the app may write now: what the connection's send_buffer and not_sent_low_water leave. 0 for a dead
  /// handle. A larger send() is taken all the same.
  uint32_t writable(Handle handle) const;
  /// Bytes from what the app reads next to the end of the urgent ones; 0: none is urgent (RFC 9293 3.8.5, MUST-33).
  uint32_t urgent(Handle handle) const;

  // Options and state of one connection; options.hh says more.

  /// 0, -ENOPROTOOPT, -EINVAL, -ENOTCONN, -ENOBUFS. Takes effect at once.
  int set_option(Handle handle, TcpOption option, uint32_t value);
  /// What applies to the connection, its stack's values included. Nothing: a dead handle, or no such option.
  std::optional<uint32_t> option(Handle handle, TcpOption option) const;
  /// Nothing: a dead handle.
  std::optional<TcpInfo> info(Handle handle) const;

  /// Read-only view for tests.
  const Tcb* inspect(Handle handle) const { return find_alive(handle); }
  const Busy* inspect_busy(const Tcb& tcb) const { return tcb.busy == kNoIndex ? nullptr : &busy_.at(tcb.busy); }
  uint32_t busy_used() const { return busy_.used(); }
  /// Connections whose app has messages that lie behind others.
  uint32_t early_used() const { return early_.used(); }
  std::span<const SackBlock> inspect_early(const Busy& b) const {
    if (b.early == kNoIndex) return {};
    return {early_.at(b.early).ranges, early_.at(b.early).count};
  }
  /// Flows that keep IPv6 addresses: open, half open and in TIME-WAIT.
  uint32_t ipv6_used() const { return keys_.used(); }
  uint32_t half_open_used() const { return half_open_.used(); }
  uint32_t time_wait_used() const { return time_wait_.used(); }
  uint32_t connections_used() const { return tcbs_.used(); }
  /// Different sets of options and framings in use.
  size_t profiles_used() const { return profiles_.used(); }
  /// Its pools, but for that of IPv6 addresses, of which only those that are used take memory: touch() may be asked for them.
  std::vector<MemoryRegion> memory() const;

 private:
  // A flow table value is a slot with its kind in the two highest bits.
  enum class Kind : uint32_t { connection = 0, half_open = 1, time_wait = 2 };
  static constexpr uint16_t kNoListener = 0xffff;
  static constexpr uint16_t kMssMin = 64;
  static constexpr uint32_t kKindShift = 30;
  static constexpr uint32_t kSlotMask = (1u << kKindShift) - 1;
  static uint32_t flow_value(Kind kind, uint32_t slot) { return (static_cast<uint32_t>(kind) << kKindShift) | slot; }

  struct Arrival {
    Packet* packet;
    uint64_t hash;
    FlowKey key;
    TcpSegment segment;
    bool intact;
    uint32_t likely;  ///< while prefetching: the record that the hash names, then its Busy block
  };
  struct Burst {
    std::array<Arrival, kBurst> arrivals;
    uint32_t n = 0;
  };
  /// Keys that are in no table (FlowKeys): one for each arrival, and one.
  static constexpr uint32_t kScratch = 2 * kBurst;
  struct Listener {
    ListenerConfig config;
    uint16_t profile;
    bool open;
  };
  /// What one ACK brought, while it is processed.
  struct AckNews {
    uint32_t acked;          ///< bytes that snd_una moved on
    uint32_t delivered;      ///< bytes acknowledged or sacked for the first time
    uint32_t segments;       ///< that these bytes were in
    uint32_t rtt_us;         ///< newest sample; 0: none
    uint32_t flight_before;  ///< in flight before it came
    Seq fack_before;         ///< highest sequence number that was delivered before
    bool duplicate;          ///< RFC 5681 2
    bool probe_duplicate;    ///< a D-SACK says that a probe was one segment too many
  };
  /// Header fields of a segment without payload.
  struct Control {
    FlowKey key;
    Seq seq;
    Seq ack;
    uint32_t neighbor;
    uint16_t window;
    uint8_t flags;
    IpMarks marks{};
  };
  struct TimerNodes {
    SlotPool<Tcb>* tcbs;
    TimerNode& operator()(uint32_t slot) const { return tcbs->at(slot).timer; }
  };

  // engine.cc: lookup, slots, events
  const FlowKey& key_of(uint32_t value) const;
  const void* record_of(uint32_t value) const;
  uint32_t find_flow(const FlowKey& key, uint64_t hash) const;
  uint64_t hash_of(const FlowKey& key) const { return keys_.hash(key); }
  bool insert_flow(FlowKey& key, uint64_t hash, uint32_t value);
  void erase_flow(const FlowKey& key, uint64_t hash, uint32_t value);
  Endpoint remote_of(const FlowKey& key) const { return {keys_.remote(key), key.remote_port}; }
  Endpoint local_of(const FlowKey& key) const { return {keys_.local(key), key.local_port}; }
  const Tcb* find_alive(Handle handle) const;
  Tcb* find_alive(Handle handle) { return const_cast<Tcb*>(std::as_const(*this).find_alive(handle)); }
  uint32_t slot_of(const Tcb& c) const { return tcbs_.slot_of(c); }
  Handle handle_of(const Tcb& c) const { return {slot_of(c), c.generation}; }
  const Profile& profile_of(const Tcb& c) const { return profiles_[c.profile]; }
  uint32_t option_of(const Tcb& c, TcpOption option) const { return profiles_[c.profile].options[option]; }
  Busy* busy_of(Tcb& c) { return c.busy == kNoIndex ? nullptr : &busy_.at(c.busy); }
  Busy* need_busy(Tcb& c);
  void start_congestion(const Tcb& c, Busy& b);
  void remember_congestion(Tcb& c, const Busy& b);
  void resume_recovery(Tcb& c, Busy& b);
  void drop_busy_if_idle(Tcb& c);
  void release_busy(Tcb& c);
  void want_attention(Tcb& c);
  void retry_connection(Tcb& c);
  void count(Counter counter, uint64_t n = 1) { counters_.add(counter, n); }
  void drop(Packet* packet, Counter why);
  uint32_t ts_clock() const { return now_ms_; }

  // input.cc
  void prepare(Arrival& arrival, Packet* packet);
  bool read_addresses(Arrival& arrival, const uint8_t* ip, const uint8_t* tcp, uint16_t length);
  void prefetch_record(Arrival& arrival) const;
  void prefetch_busy(Arrival& arrival) const;
  void prefetch_sent(const Arrival& arrival) const;
  void prefetch_block(uint32_t busy) const;
  void arrive(Arrival& arrival);
  void on_connection(Tcb& c, Arrival& arrival);
  bool acceptable(const Tcb& c, const TcpSegment& s) const;
  bool reject_unacceptable(Tcb& c, Arrival& arrival);
  bool reject_by_timestamps(Tcb& c, const Arrival& arrival);
  bool handle_reset_and_syn(Tcb& c, Arrival& arrival);
  void take_text(Tcb& c, Arrival& arrival);
  void acknowledge_unacceptable(Tcb& c, const TcpSegment& s);
  void challenge(Tcb& c);
  bool may_challenge(uint16_t& challenged);
  void take_timestamp(Tcb& c, const TcpSegment& s);
  void on_no_connection(Arrival& arrival);

  // half_open.cc, cookies.cc
  void fill_half_open(HalfOpen& h, const Arrival& arrival, uint16_t profile);
  bool keep_half_open(HalfOpen& h, const Arrival& arrival);
  void send_syn_ack(const HalfOpen& h, uint32_t ts_value, const Packet* request);
  void on_half_open(uint32_t slot, Arrival& arrival);
  void repeat_syn_ack(HalfOpen& h, const Arrival& arrival);
  bool reject_half_open(HalfOpen& h, Arrival& arrival);
  void challenge(HalfOpen& h, const Arrival& arrival);
  void free_half_open(uint32_t slot);
  void reset_half_open(uint32_t slot, uint64_t hash);
  void complete(const HalfOpen& h, uint32_t slot, Arrival& arrival);
  Tcb* promote(HalfOpen h, uint32_t half_open_slot, const Arrival& arrival);
  void init_passive(Tcb& c, const HalfOpen& h, const TcpSegment& s, uint32_t neighbor);
  bool half_open_full();
  void send_cookie(HalfOpen& h, const Arrival& arrival);
  bool on_cookie(Arrival& arrival);
  HalfOpen remember(const Arrival& arrival, uint16_t mss, uint16_t profile) const;
  /// Who counts as one source: an IPv4 address, or a /64, of which a host may use every address (RFC 8981).
  uint64_t source_of(const FlowKey& key) const { return key.ipv6() ? keys_.remote(key).high : key.remote_address; }

  // passive.cc, active.cc
  const Listener* find_listener(const IpAddress& address, uint16_t port) const;
  uint16_t use_profile(const ListenerConfig& config, uint16_t listener);
  void on_syn(Arrival& arrival);
  void open_passively(Arrival& arrival, Seq iss, bool may_cookie);
  uint32_t syn_timeout_ms(uint8_t retries) const;
  uint64_t secret_of(const FlowKey& key, uint64_t purpose) const;
  Seq initial_sequence(const FlowKey& key) const;
  uint32_t timestamp_offset(const FlowKey& key) const;
  uint8_t receive_window_scale(uint16_t profile) const;
  uint32_t initial_receive_window(uint16_t profile) const;
  /// RFC 9293 3.7.1: what a segment without options has room for, or TcpOption::max_segment.
  uint16_t own_mss(const FlowKey& key, uint16_t profile) const;
  /// The same less the options that every segment of the connection carries.
  uint16_t largest_mss(const Tcb& c) const {
    return static_cast<uint16_t>(own_mss(c.key, c.profile) - (c.has(kTimestamps) ? 12 : 0));
  }
  /// The peer's MSS, by default (3.7.1) or as told; never so small that headers would be all there is.
  static uint16_t peer_mss(const FlowKey& key, uint16_t told);
  bool comes_home(const FlowKey& key) const;
  bool pick_local_port(FlowKey& key);
  void init_tcb(Tcb& c, const FlowKey& key, uint16_t profile, uint32_t neighbor);
  void send_syn(Tcb& c);
  void on_syn_sent(Tcb& c, Arrival& arrival);
  void take_syn(Tcb& c, const TcpSegment& s);
  bool on_syn_received(Tcb& c, Arrival& arrival);
  bool establish_active(Tcb& c, Busy& b, const TcpSegment& s);
  void set_mss(Tcb& c, uint16_t peer);

  // ecn.cc
  void take_congestion_marks(Tcb& c, const Arrival& arrival);
  void change_echo(Tcb& c, bool marked);
  uint8_t syn_ecn_flags(uint8_t retries) const;
  bool agrees_on_ecn(const TcpSegment& s, bool asked) const;

  // acknowledge.cc
  bool process_ack(Tcb& c, const TcpSegment& s, uint32_t previous_window);
  void update_send_window(Tcb& c, const TcpSegment& s);
  void acknowledge(Tcb& c, Busy& b, const TcpSegment& s, AckNews& news);
  void pop_acknowledged(Tcb& c, Busy& b, const TcpSegment& s, AckNews& news);
  void sample_delivery(Busy& b, const Packet& packet, AckNews& news);
  uint32_t rtt_by_timestamps(const Tcb& c, const TcpSegment& s) const;
  void measure_handshake(Tcb& c, uint8_t retries, uint32_t rtt_us, const TcpSegment& s);
  void measure_rtt(Tcb& c, uint32_t rtt_us);
  void learn_rtt(Tcb& c, Busy& b, uint32_t rtt_us);
  uint32_t rto_of(const Tcb& c) const;
  void check_drained(Tcb& c, Busy& b);
  void drop_drains(Busy& b);

  // sack.cc
  static bool reports_duplicate(const TcpSegment& s);
  void take_sack(Tcb& c, Busy& b, const TcpSegment& s, AckNews& news);
  void take_block(Tcb& c, Busy& b, const TcpSegment& s, const SackBlock& block, AckNews& news);
  void take_duplicate_report(Tcb& c, Busy& b, const SackBlock& block, AckNews& news);
  void take_old_ack(Tcb& c, Busy& b, const TcpSegment& s);

  // rack.cc
  void rack_delivered(const Tcb& c, Busy& b, const Packet& packet, const TcpSegment& s, const AckNews& news);
  bool echoes_before(const Tcb& c, const TcpSegment& s, const Packet& packet) const;
  uint32_t reordering_window_us(const Tcb& c, const Busy& b) const;
  void widen_reordering_window(const Tcb& c, Busy& b);
  uint32_t detect_losses(const Tcb& c, Busy& b);
  void rack_after_ack(Tcb& c, Busy& b);
  void on_reordering_timeout(Tcb& c, Busy& b);
  void schedule_probe(Tcb& c, Busy& b);
  void on_probe_timeout(Tcb& c, Busy& b);
  void probe_answered_idle(Tcb& c, const TcpSegment& s, uint32_t previous_window);
  void probe_answered(Tcb& c, Busy& b, const TcpSegment& s, const AckNews& news);

  // recovery.cc
  const CongestionControl& congestion_of(const Tcb& c) const;
  static bool repairing(const Busy& b) { return b.recovery == RecoveryKind::fast || b.recovery == RecoveryKind::timeout; }
  void recover(Tcb& c, Busy& b, const TcpSegment& s, const AckNews& news);
  void grow_window(Tcb& c, Busy& b, const AckNews& news, bool marked, bool deflates);
  static bool recovered(const Tcb& c, const Busy& b);
  void mark_lost(Busy& b, Packet* packet);
  bool missing_again(const Tcb& c, const Busy& b) const;
  bool answer_due(const Busy& b, const Packet& packet) const;
  void repeat_again(Tcb& c, Busy& b);
  void duplicate_after_timeout(Tcb& c, Busy& b);
  void duplicate_ack(Tcb& c, Busy& b);
  void partial_ack(Tcb& c, Busy& b, const AckNews& news);
  void repair_first(Tcb& c, Busy& b);
  void begin_episode(const Tcb& c, Busy& b, uint32_t flight);
  void lower_threshold(Tcb& c, Busy& b, CongestionEvent event, uint32_t flight);
  void reduce_window(Tcb& c, Busy& b, CongestionEvent event, uint32_t flight);
  void enter_recovery(Tcb& c, Busy& b, uint32_t flight);
  void reduce_by_prr(Tcb& c, Busy& b, const AckNews& news);
  void leave_recovery(Tcb& c, Busy& b);
  bool began_in_vain(const Tcb& c, const Busy& b, const TcpSegment& s) const;
  void undo_reduction(Tcb& c, Busy& b);
  void mark_lost_on_timeout(const Tcb& c, Busy& b);
  void forget_sacks(Busy& b);
  uint32_t in_flight(const Tcb& c) const { return c.snd_nxt - c.snd_una; }
  /// What is taken to be on its way (RFC 6675 4).
  uint32_t pipe(const Tcb& c, const Busy& b) const { return in_flight(c) - b.sacked_bytes - b.lost_bytes; }

  // receive.cc, reassembly.cc
  void receive_payload(Tcb& c, Arrival& arrival);
  bool accepts_data(Tcb& c, const Packet* packet);
  bool has_room_for(Tcb& c, const Packet* packet);
  bool trim_to_window(Tcb& c, Packet* packet);
  void take_in_order(Tcb& c, Packet* packet);
  void take_out_of_order(Tcb& c, Packet* packet);
  void keep_rest(Tcb& c, Packet* packet, uint32_t taken);
  bool store_out_of_order(Busy& b, Packet* packet);
  Packet** last_out_of_order(const Tcb& c);
  bool fills_hole(const Tcb& c, Seq sequence);
  bool make_way(Tcb& c);
  void report_duplicate(Tcb& c, const SackBlock& block);
  void drain_out_of_order(Tcb& c);
  void drop_kept(Busy& b);
  void trim_kept(Tcb& c, Busy& b);
  SackBlock next_block(const Busy& b, const Packet*& packet, uint32_t& range) const;
  uint8_t sack_blocks(const Busy& b, SackBlock* out, uint8_t room) const;
  void note_fin(Tcb& c, Seq fin_seq);
  void process_fin(Tcb& c);
  void tell_ended(Tcb& c);
  uint32_t receive_window(const Tcb& c) const;
  uint16_t advertise(Tcb& c);
  void open_window(Tcb& c);
  uint32_t window_step(const Tcb& c) const {
    return std::min<uint32_t>(own_mss(c.key, c.profile), option_of(c, TcpOption::receive_buffer) / 2);
  }
  void ack_now(Tcb& c);
  /// A turn later: what the app sends until then takes it along.
  void ack_next_turn(Tcb& c);
  bool answer_is_far(const Tcb& c, uint8_t level) const;
  void ack_later(Tcb& c, uint32_t least_ms = 0);
  void advance(Tcb& c, uint32_t length);

  // messages.cc
  static int32_t message_size(const Profile& profile, const uint8_t* at, uint32_t there);
  static bool is_one_message(const Profile& profile, const Packet& packet);
  uint8_t level_of(const Packet& packet, const uint8_t* at, uint32_t size) const;
  uint32_t deliver(Tcb& c, Packet* packet);
  uint32_t deliver_stream(Tcb& c, Packet* packet);
  uint32_t deliver_messages(Tcb& c, Packet* packet);
  uint32_t deliver_next(Tcb& c, Packet* packet, uint32_t at);
  bool offer(Tcb& c, Packet* packet, uint16_t offset, uint16_t length);
  bool offer(Tcb& c, Packet* packet, uint16_t offset, uint16_t length, uint8_t level);
  uint32_t refuse_message(Tcb& c);
  uint32_t begin_frame(Tcb& c, const Packet* packet, uint32_t at);
  Packet* allocate_frame(const Packet& packet, Seq sequence);
  uint32_t add_to_frame(Tcb& c, Busy& b, const Packet* packet, uint32_t at);
  static uint32_t fill_frame(Packet& frame, const Packet& packet, uint32_t at, uint32_t most);
  void judge_frame(Packet& frame, const Packet& packet, uint32_t size) const;
  bool offer_frame(Tcb& c, Busy& b);

  // early.cc
  class KeptBytes;
  uint32_t early_at(const Busy& b, Seq seq) const;
  Seq next_early(const Busy& b, Seq seq) const;
  bool reaches_early(const Busy& b, Seq first, uint32_t size) const;
  bool pass_early(Tcb& c, Busy& b);
  bool trim_to_early(Busy& b, Packet* packet);
  bool has_early_room(Busy& b, Seq first, Seq end);
  void note_early(Busy& b, Seq first, Seq end);
  void settle_early(Busy& b);
  void overtake(Tcb& c, Busy& b, const Packet& fresh);
  void overtake_unread(Tcb& c, Busy& b);
  std::optional<Seq> next_message(const Tcb& c, const Busy& b, const Packet& fresh) const;
  uint32_t kept_size(const Tcb& c, const Busy& b, const KeptBytes& kept, const Packet& holder, Seq at) const;
  void look_at_kept(Tcb& c, Busy& b, Seq at, Seq first, Seq end, bool known);
  bool offer_early(Tcb& c, Busy& b, KeptBytes& kept, Seq first, uint32_t size, uint8_t& below);
  uint8_t kept_level(const KeptBytes& kept, const Packet& holder, Seq first, uint32_t size) const;
  Packet* collect_early(const KeptBytes& kept, const Packet& holder, Seq first, uint32_t size);

  // output.cc
  bool busy_left() const;
  void output(Tcb& c);
  bool window_admits(const Tcb& c, const Busy& b, uint32_t length) const;
  uint64_t pacing_rate(const Tcb& c, const Busy& b) const;
  bool may_depart(Tcb& c, Busy& b);
  void pace(const Tcb& c, Busy& b, uint32_t bytes);
  bool output_lost(Tcb& c, Busy& b);
  bool output_new(Tcb& c, Busy& b, bool forced);
  bool output_fin(Tcb& c, Busy& b);
  void add_fin(Tcb& c, Packet& packet);
  void send_first(Tcb& c, Busy& b, Packet* packet);
  /// Sequence space from snd_nxt to the right edge of the peer's window; below 0 when it has shrunk it.
  int32_t send_room(const Tcb& c) const { return static_cast<int32_t>(c.snd_una + c.snd_wnd - c.snd_nxt); }
  uint32_t sendable(Tcb& c, Busy& b, const Packet* packet, bool forced);
  bool lane_open(Tcb& c, uint8_t level);
  Packet* take_sendable(Tcb& c, Busy& b, uint8_t level, bool forced);
  /// Small writes are collected (Nagle). A write is a segment otherwise, and always where a segment is a message.
  bool collects(const Tcb& c) const {
    const Profile& profile = profile_of(c);
    return profile.options[TcpOption::no_delay] == 0 && profile.framing != Framing::segment;
  }
  void fill_segment(const Tcb& c, PacketQueue& queue);
  Packet* split(Packet* packet, uint16_t length);

  // transmit.cc
  void transmit(Tcb& c, Busy& b, Packet* packet);
  void stamp_first(Packet& packet);
  uint8_t flags_of(Tcb& c, Packet& packet);
  IpMarks marks_of(uint16_t profile) const {
    const SocketOptions& options = profiles_[profile].options;
    return {static_cast<uint8_t>(options[TcpOption::dscp] << 2), static_cast<uint8_t>(options[TcpOption::ttl])};
  }
  bool retransmit(Tcb& c, Busy& b, Packet* packet);
  bool retransmit_head(Tcb& c, Busy& b, Packet* packet);
  void await_answer(Tcb& c, Busy& b, const Packet* packet);
  void note_retransmission(Tcb& c, Busy& b, Packet& packet);
  void send_segment(Packet* packet, uint8_t* tcp, uint16_t length, const FlowKey& key, uint32_t neighbor,
                    const Packet* request = nullptr);
  void write_checksum(uint8_t* tcp, uint16_t length, const FlowKey& key) const;
  void send_ack(Tcb& c, const SackBlock* duplicate = nullptr);
  void send_flags(Tcb& c, Seq seq, uint8_t flags);
  void send_control(const Control& control, const uint8_t* options, uint8_t options_length,
                    const Packet* request = nullptr);
  void send_reset_for(const Arrival& arrival);
  void acked_by_output(Tcb& c);

  // path_mtu.cc
  void on_open_error(Tcb& c, const IcmpError& error);
  void on_too_big(Tcb& c, Busy& b, const IcmpError& error);
  bool lower_mss(Tcb& c, uint16_t mtu);
  void suspect_black_hole(Tcb& c, Busy& b);
  void raise_mss();
  bool cut(Busy& b, Packet* packet, uint16_t length);
  uint16_t mss_of(const Tcb& c, uint16_t mtu) const;

  // urgent.cc
  void take_urgent(Tcb& c, const TcpSegment& s);
  void tell_urgent(Tcb& c);
  void pass_urgent(Tcb& c);
  Seq unread_from(const Tcb& c) const;
  uint32_t urgent_bytes(const Tcb& c) const;

  // options.cc, info.cc, sums.cc
  void apply_option(Tcb& c, TcpOption option);
  void change_congestion(Tcb& c);
  void count_segments(const Busy& b, TcpInfo& info) const;
  void describe_flow(const Tcb& c, const Busy& b, TcpInfo& info) const;
  static uint8_t recovery_state(const Busy& b);
  void choose_sums(Tcb& c);
  void sum_in(const Tcb& c, const TcpSegment& s);
  void sum_out(const Tcb& c, uint16_t payload, bool repeated);
  void sum_delivered(const Tcb& c, const TcpSegment& s);
  void describe_sums(const Tcb& c, TcpInfo& info) const;

  // close.cc
  void limit_fin_wait(Tcb& c, Busy& b);
  void fin_acknowledged(Tcb& c);
  void enter_time_wait(Tcb& c);
  void on_time_wait(uint32_t slot, Arrival& arrival);
  bool opens_anew(const TimeWait& t, const TcpSegment& s) const;
  void acknowledge_in_time_wait(TimeWait& t, uint32_t slot, const TcpSegment& s);
  void linger(Tcb& c, uint32_t limit_ms);
  static bool undelivered(const Tcb& c, const Busy& b);
  void free_time_wait(uint32_t slot);
  void finish(Tcb& c, CloseReason reason);
  void notify_closed(Tcb& c);
  void drop_side_records(Tcb& c);
  void reset_connection(Tcb& c, CloseReason reason);

  // timers.cc
  void arm(Tcb& c, uint32_t at_ms);
  void disarm(Tcb& c);
  void arm_earliest(Tcb& c);
  void start_timer(Tcb& c, Busy& b, TimerKind kind, uint64_t delay_us);
  uint64_t backed_off_rto_us(const Busy& b) const;
  void start_rto(Tcb& c, Busy& b);
  void rearm_rto(Tcb& c, Busy& b);
  uint64_t rto_left_us(const Busy& b) const;
  void on_deadline(Tcb& c, Busy& b);
  void start_persist(Tcb& c, Busy& b);
  bool give_up(Tcb& c, Busy& b);
  uint64_t within_user_timeout(const Tcb& c, const Busy& b, uint64_t delay_us) const;
  void hurry_timer(Tcb& c, Busy& b);
  void stop_rto(Busy& b) { b.rto_deadline_ms = 0; }
  void on_timer(uint32_t slot);
  void on_retransmission_timeout(Tcb& c, Busy& b);
  void on_persist(Tcb& c, Busy& b);
  void on_own_deadline(Tcb& c);
  void expire_half_open();
  void expire_time_wait();

  // keepalive.cc
  void sweep_silent();
  void look_at_silent(Tcb& c);
  void send_keepalive(Tcb& c);
  bool owed(const Tcb& c) const;
  void on_keepalive(Tcb& c);
  void heard(Tcb& c);
  void stop_probing(Tcb& c);
  bool due(uint32_t at_ms) const { return static_cast<int32_t>(now_ms_ - at_ms) >= 0; }
  /// 0 means "not running" in deadlines, so the one tick in 2^32 that is 0 becomes 1.
  uint32_t deadline(uint32_t delay_ms) const { return now_ms_ + delay_ms == 0 ? 1 : now_ms_ + delay_ms; }

  TcpConfig config_;
  IpLayer& ip_;
  TxQueue& queue_;
  PacketPool& rx_;
  PacketPool& tx_;
  App& app_;
  Counters& counters_;

  Nanos now_ = 0;
  uint32_t now_ms_ = 1;
  uint32_t now_us_ = 0;

  SlotPool<Tcb> tcbs_;
  SlotPool<Busy, Reuse::soon> busy_;
  SlotPool<DrainRequest, Reuse::soon> drains_;
  SlotPool<EarlyRanges, Reuse::soon> early_;
  SlotPool<HalfOpen> half_open_;
  SlotPool<TimeWait> time_wait_;
  FlowTable flows_;
  FlowKeys keys_;
  TimerWheel<TimerNodes> wheel_;
  SocketOptions standard_;  ///< options of the stack
  ProfileTable profiles_;
  const Classifier* rules_ = nullptr;  ///< of messages; null: a message has the level of its frame
  std::vector<Listener> listeners_;
  std::array<Burst, 2> bursts_;
  Burst* current_ = &bursts_[0];
  Burst* expected_ = &bursts_[1];
  uint32_t waiting_ = 0;  ///< received segments that TCP has not looked at yet

  Mapping attention_memory_;  ///< ring of slots, each at most once (kAttention)
  uint32_t attention_head_ = 0, attention_count_ = 0;
  std::vector<uint32_t> ack_list_;
  std::vector<uint32_t> next_ack_list_;  ///< of the next turn
  size_t acks_sent_ = 0;  ///< of ack_list_

  static constexpr uint16_t kNeverChallenged = 0x8000;  ///< ago, in units of Tcb::challenged
  static constexpr uint32_t kSynTries = 8;
  static constexpr uint32_t kUrgentMost = 256;  ///< connections whose app has urgent data to read
  SlotList<HalfOpen> half_open_lists_[kSynTries];  ///< by retries: equal time-outs, so each is in order of its deadlines
  SlotList<TimeWait> time_wait_list_;
  SynCookies cookies_;
  SourceTable sources_;
  LoweredMss lowered_;
  SideTable<Sums> sums_;
  SideTable<Seq> urgent_;  ///< RCV.UP
  bool flooded_ = false;         ///< half-open records are used up: cookies
  uint32_t cookie_sent_ms_ = 0;  ///< when the last cookie left; 0: none did
  uint32_t sweep_slot_ = 0;
  uint32_t sweep_ms_ = 0;
  uint32_t next_port_ = 0;
};

}  // namespace qstack
