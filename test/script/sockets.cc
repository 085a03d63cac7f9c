#include "test/script/sockets.hh"

#include <algorithm>
#include <cerrno>

#include "test/script/addresses.hh"
#include "test/script/cursor.hh"

namespace qstack::script {
namespace {

const char* errno_of(CloseReason reason) {
  switch (reason) {
    case CloseReason::finished:
      return "";
    case CloseReason::reset:
      return "ECONNRESET";
    case CloseReason::timed_out:
    case CloseReason::idle:
      return "ETIMEDOUT";
    case CloseReason::refused:
      return "ECONNREFUSED";
    case CloseReason::unreachable:
      return "EHOSTUNREACH";
    default:
      return "ECONNABORTED";
  }
}

Sockets::Result failed(std::string error) { return {-1, std::move(error)}; }

const std::string& argument(const std::vector<std::string>& all, size_t index) {
  if (index >= all.size()) throw Fault{"argument " + std::to_string(index + 1) + " is missing"};
  return all[index];
}

/// The first number in an argument: `3`, `[1]`, `{onoff=1, linger=0}`.
int64_t number_in(const std::string& text) {
  const size_t at = text.find_first_of("0123456789");
  if (at == std::string::npos) throw Fault{"'" + text + "' holds no number"};
  return std::stoll(text.substr(at), nullptr, 0);
}

/// {onoff=1, linger=2}: seconds.
uint32_t linger_in(const std::string& text) {
  const size_t at = text.find("linger=");
  if (text.find("onoff=1") == std::string::npos || at == std::string::npos) return kOptionUnset;
  return static_cast<uint32_t>(number_in(text.substr(at)) * 1'000);
}

uint32_t congestion_in(const std::string& text) {
  if (text.find("dctcp") != std::string::npos) return static_cast<uint32_t>(Congestion::dctcp);
  const bool reno = text.find("reno") != std::string::npos;
  return static_cast<uint32_t>(reno ? Congestion::newreno : Congestion::cubic);
}

/// The names are those of Linux, with their units; TCP_RETRIES is R2, TCP_SUMS keeps the sums of TCP_INFO.
std::optional<std::pair<TcpOption, uint32_t>> option_named(const std::string& name, const std::string& text) {
  if (name == "SO_LINGER") return std::pair{TcpOption::linger_ms, linger_in(text)};
  if (name == "TCP_CONGESTION") return std::pair{TcpOption::congestion, congestion_in(text)};
  struct Named {
    const char* name;
    TcpOption option;
    uint32_t times, divided;
  };
  constexpr Named kNamed[] = {
      {"TCP_NODELAY", TcpOption::no_delay, 1, 1},
      {"TCP_QUICKACK", TcpOption::quick_ack, 1, 1},
      {"SO_KEEPALIVE", TcpOption::keepalive, 1, 1},
      {"TCP_KEEPIDLE", TcpOption::keepalive_idle_ms, 1'000, 1},
      {"TCP_KEEPINTVL", TcpOption::keepalive_interval_ms, 1'000, 1},
      {"TCP_KEEPCNT", TcpOption::keepalive_count, 1, 1},
      {"TCP_USER_TIMEOUT", TcpOption::user_timeout_ms, 1, 1},
      {"TCP_MAXSEG", TcpOption::max_segment, 1, 1},
      {"SO_MAX_PACING_RATE", TcpOption::pacing_rate, 1, 1},
      {"SO_RCVBUF", TcpOption::receive_buffer, 1, 1},
      {"SO_SNDBUF", TcpOption::send_buffer, 1, 1},
      {"IP_TOS", TcpOption::dscp, 1, 4},
      {"IP_TTL", TcpOption::ttl, 1, 1},
      {"IPV6_TCLASS", TcpOption::dscp, 1, 4},
      {"IPV6_UNICAST_HOPS", TcpOption::ttl, 1, 1},
      {"TCP_RETRIES", TcpOption::retries, 1, 1},
      {"TCP_SYNCNT", TcpOption::syn_retries, 1, 1},
      {"TCP_SUMS", TcpOption::sums, 1, 1},
  };
  const auto* const named = std::ranges::find_if(kNamed, [&](const Named& known) { return name == known.name; });
  if (named == std::end(kNamed)) return {};
  return std::pair{named->option, static_cast<uint32_t>(number_in(text) * named->times / named->divided)};
}

/// What a sockaddr says: sin_port = htons(80), sin_addr = inet_addr("10.0.0.2"); `...` says nothing.
Endpoint endpoint_in(const std::string& text, Endpoint usual) {
  const size_t port = text.find("htons(");
  if (port != std::string::npos) usual.port = static_cast<uint16_t>(std::stoul(text.substr(port + 6)));
  const size_t address = text.find("inet_addr(\"");
  if (address != std::string::npos) {
    const std::string rest = text.substr(address + 11);
    const auto endpoint = read_endpoint(rest.substr(0, rest.find('"')));
    if (!endpoint) throw Fault{"'" + rest + "' is no address"};
    usual.address = endpoint->address;
  }
  return usual;
}

}  // namespace

std::shared_ptr<Sockets::Connection> Sockets::add(Handle handle, uint16_t listener) {
  auto connection = std::make_shared<Connection>(Connection{.handle = handle, .listener = listener});
  connections_[{handle.slot, handle.generation}] = connection;
  in_order_.push_back(connection);
  return connection;
}

bool Sockets::opened(const Opened& event) {
  const auto known = connections_.find({event.handle.slot, event.handle.generation});
  Connection& c = known == connections_.end() ? *add(event.handle, event.listener) : *known->second;
  c.established = true;
  c.next_read = stack_->engine().inspect(event.handle)->rcv_nxt;
  return true;
}

bool Sockets::message(const Message& event) {
  of(event.handle).received.push_back({event.packet, event.offset, event.length});
  return true;
}

bool Sockets::ended(Handle handle) {
  of(handle).ended = true;
  return true;
}

bool Sockets::urgent(Handle) {
  ++urgent_signals_;
  return true;
}

bool Sockets::closed(Handle handle, CloseReason reason) {
  of(handle).reason = reason;
  return true;
}

std::optional<Handle> Sockets::newest() const {
  if (in_order_.empty()) return {};
  return in_order_.back()->handle;
}

uint64_t Sockets::unread() const {
  uint64_t sum = 0;
  for (const auto& connection : in_order_) {
    for (const Chunk& chunk : connection->received) sum += chunk.length;
  }
  return sum;
}

Sockets::Result Sockets::call(const Call& call, Nanos now) {
  if (call.name == "socket") return socket();
  const auto fd = static_cast<int>(number_in(argument(call.arguments, 0)));
  const auto found = sockets_.find(fd);
  if (found == sockets_.end()) return failed("EBADF");
  Socket& s = found->second;
  if (call.name == "bind") return bind(s, call.arguments);
  if (call.name == "listen") return listen(s);
  if (call.name == "accept") return accept(s);
  if (call.name == "connect") return connect(s, call.arguments, now);
  if (call.name == "setsockopt") return set_option(s, call.arguments, now);
  if (call.name == "getsockopt") return get_option(s, call.arguments);
  if (call.name == "fcntl") return {};
  if (call.name == "close") return close(fd, now);
  return on_connection(s, call, now);
}

Sockets::Result Sockets::on_connection(Socket& s, const Call& call, Nanos now) {
  const bool known = call.name == "write" || call.name == "send" || call.name == "read" || call.name == "recv" ||
                     call.name == "shutdown";
  if (!known) throw Fault{"there is no call '" + call.name + "'"};
  if (s.connection == nullptr) return failed("ENOTCONN");
  if (call.name == "shutdown") return shutdown(*s.connection, now);
  const auto length = static_cast<size_t>(number_in(argument(call.arguments, 2)));
  if (call.name == "read" || call.name == "recv") return read(*s.connection, length, now);
  const bool more = call.arguments.size() > 3 && call.arguments[3] == "MSG_MORE";
  return write(*s.connection, length, !more, now);
}

Sockets::Result Sockets::socket() {
  sockets_[next_fd_].config = fresh_;
  return {next_fd_++};
}

Sockets::Result Sockets::bind(Socket& s, const Arguments& arguments) {
  const Endpoint local = endpoint_in(argument(arguments, 1), {{}, kListenPort});
  s.config.address = local.address;
  s.config.port = local.port;
  return {};
}

Sockets::Result Sockets::listen(Socket& s) {
  const int number = stack_->listen(s.config);
  if (number == -EADDRINUSE) return failed("EADDRINUSE");
  if (number < 0) return failed("EADDRNOTAVAIL");
  s.listener = static_cast<uint16_t>(number);
  wire_.listening(s.config.port);
  return {};
}

Sockets::Result Sockets::accept(Socket& s) {
  if (!s.listener) return failed("EINVAL");
  for (const auto& connection : in_order_) {
    if (connection->accepted || connection->listener != *s.listener) continue;
    connection->accepted = true;
    sockets_[next_fd_] = {s.config, {}, connection};
    return {next_fd_++};
  }
  return failed("EAGAIN");
}

Sockets::Result Sockets::connect(Socket& s, const Arguments& arguments, Nanos now) {
  const Endpoint usual = {ipv6_ ? kPeerIpv6 : IpAddress(kPeerIpv4), kRemoteListenPort};
  const Endpoint remote = endpoint_in(argument(arguments, 1), usual);
  wire_.connecting(remote);
  const Handle handle = stack_->connect({s.config.address, s.config.port}, remote, s.config, 0, now);
  if (handle.slot == kNoIndex) return failed("EADDRNOTAVAIL");
  s.connection = add(handle, 0xffff);
  return failed("EINPROGRESS");
}

/// Cut to segments, as an app's TX packets are.
Sockets::Result Sockets::write(Connection& c, size_t length, bool message_end, Nanos now) {
  if (c.reason && *c.reason != CloseReason::finished && !c.error_seen) {
    c.error_seen = true;
    return failed(errno_of(*c.reason));
  }
  const Tcb* const tcb = stack_->engine().inspect(c.handle);
  if (tcb == nullptr) return failed("EPIPE");
  const size_t most = tcb->opening() ? 536 : tcb->mss;
  for (size_t done = 0; done < length;) {
    Packet* const packet = tx_.allocate();
    if (packet == nullptr) return {static_cast<int64_t>(done)};
    const size_t part = std::min(most, length - done);
    packet->data = PacketRegion::payload_start(packet);
    packet->payload = 0;
    packet->payload_length = static_cast<uint16_t>(part);
    packet->level = 0;
    for (size_t i = 0; i < part; ++i) packet->data[i] = byte_at(c.next_written + static_cast<Seq>(i));
    done += part;
    if (!stack_->send(c.handle, packet, now, message_end && done == length)) return failed("EPIPE");
    c.next_written += static_cast<Seq>(part);
  }
  return {static_cast<int64_t>(length)};
}

Sockets::Result Sockets::read(Connection& c, size_t length, Nanos now) {
  size_t done = 0;
  while (done < length && !c.received.empty()) {
    Chunk& chunk = c.received.front();
    const auto part = static_cast<uint16_t>(std::min<size_t>(chunk.length, length - done));
    for (uint16_t i = 0; i < part; ++i) {
      const Seq place = c.next_read + i - wire_.peer_isn();
      if (chunk.packet->data[chunk.offset + i] == byte_at(place)) continue;
      throw Fault{"the byte " + std::to_string(place) + " of the peer came out changed"};
    }
    c.next_read += part;
    done += part;
    const bool last = part == chunk.length;
    if (!last) rx_.hold(chunk.packet);
    stack_->release(c.handle, chunk.packet, part, now);
    chunk.offset = static_cast<uint16_t>(chunk.offset + part);
    chunk.length = static_cast<uint16_t>(chunk.length - part);
    if (last) c.received.pop_front();
  }
  if (done != 0) return {static_cast<int64_t>(done)};
  if (c.reason && *c.reason != CloseReason::finished && !c.error_seen) {
    c.error_seen = true;
    return failed(errno_of(*c.reason));
  }
  if (c.ended || c.reason) return {0};
  return failed(c.established ? "EAGAIN" : "ENOTCONN");
}

Sockets::Result Sockets::shutdown(Connection& c, Nanos now) {
  if (!stack_->alive(c.handle)) return failed("ENOTCONN");
  stack_->shutdown(c.handle, now);
  return {};
}

/// The stack hears of the close first: what is unread then is data that the app will never take.
Sockets::Result Sockets::close(int fd, Nanos now) {
  const Socket s = sockets_.at(fd);
  sockets_.erase(fd);
  if (s.listener) stack_->unlisten(*s.listener);
  if (s.connection == nullptr) return {};
  if (stack_->alive(s.connection->handle)) stack_->close(s.connection->handle, now);
  release(*s.connection, now);
  return {};
}

/// Before the connection is there an option belongs to the socket, then to the connection.
Sockets::Result Sockets::set_option(Socket& s, const Arguments& arguments, Nanos now) {
  const std::string& name = argument(arguments, 2);
  const std::string& value = argument(arguments, 3);
  if (name == "SO_REUSEADDR") return {};
  const auto option = option_named(name, value);
  if (!option) return failed("ENOPROTOOPT");
  const int fault = s.connection == nullptr
                        ? s.config.options.set(option->first, option->second)
                        : stack_->set_option(s.connection->handle, option->first, option->second, now);
  if (fault == 0) return {};
  return failed(fault == -EINVAL ? "EINVAL" : fault == -ENOTCONN ? "ENOTCONN" : "ENOPROTOOPT");
}

/// SO_ERROR alone: the reason why a connection has ended, once, as the number of an errno.
Sockets::Result Sockets::get_option(Socket& s, const Arguments& arguments) {
  if (argument(arguments, 2) != "SO_ERROR") return failed("ENOPROTOOPT");
  const std::string wanted = argument(arguments, 3);
  std::string error = "0";
  if (s.connection != nullptr && s.connection->reason && !s.connection->error_seen) {
    s.connection->error_seen = true;
    error = errno_of(*s.connection->reason);
  }
  if (wanted != "[" + error + "]") throw Fault{"SO_ERROR is [" + error + "]"};
  return {};
}

void Sockets::release(Connection& c, Nanos now) {
  for (const Chunk& chunk : c.received) stack_->release(c.handle, chunk.packet, chunk.length, now);
  c.received.clear();
}

void Sockets::finish(Nanos now) {
  for (const auto& connection : in_order_) {
    release(*connection, now);
    if (stack_->alive(connection->handle)) stack_->abort(connection->handle, CloseReason::stack_stopped, now);
  }
}

}  // namespace qstack::script
