// The scripts come true; and a script that does not is found, with the place where it parts from the stack.
#include <doctest/doctest.h>

#include <map>

#include "test/script/files.hh"
#include "test/script/notation.hh"
#include "test/script/reader.hh"
#include "test/script/runner.hh"

using namespace qstack::script;

namespace {

constexpr const char* kHandshake = R"(// A handshake.
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 32792 <mss 1000>
+0 > S. 0:0(0) ack 1 <mss 1460>
+.1 < . 1:1(0) ack 1 win 257
+0 accept(3, ..., ...) = 4
)";

std::string fault_of(const std::string& more) {
  try {
    return run_script(read_script("x.pkt", kHandshake + more)).fault;
  } catch (const Fault& fault) {
    return fault.what;
  }
}

std::string reading_fault(const std::string& text) {
  try {
    read_script("x.pkt", text);
  } catch (const Fault& fault) {
    return fault.what;
  }
  return {};
}

/// Names the parts of a message, so that a change of its wording shows itself here.
void has(const std::string& text, const std::string& part) {
  CAPTURE(text);
  CHECK(text.find(part) != std::string::npos);
}

}  // namespace

TEST_CASE("every script of test/script comes true, and each shows something else") {
  const auto paths = scripts_below(QSTACK_SCRIPTS);
  REQUIRE(paths.size() >= 150);
  std::map<std::string, std::string> said;
  for (const std::string& path : paths) {
    const Outcome outcome = run_script_file(path);
    CHECK_MESSAGE(outcome.fault.empty(), outcome.fault << "\n" << outcome.conversation);
    const auto other = said.emplace(read_script_file(path).says, path);
    CHECK_MESSAGE(other.second, path << " opens with the same sentence as " << other.first->second);
  }
}

TEST_CASE("a script that comes true has no fault, and its conversation is written down") {
  const Outcome outcome = run_script(read_script("x.pkt", kHandshake));
  CHECK(outcome.fault == "");
  has(outcome.conversation, "0.000000 > S. 0:0(0) ack 1 win 65535 <mss 1460>\n");
  has(outcome.conversation, "0.100000 < . 1:1(0) ack 1 win 257\n");
}

TEST_CASE("a wrong expectation fails with its line, what was expected and what came, in the same notation") {
  const std::string fault = fault_of("+0 write(4, ..., 10) = 10\n+0 > P. 1:12(11) ack 1\n");
  has(fault, "x.pkt:10: the stack sent something else (length)\n");
  has(fault, "  expected: 0.100000 > P. 1:12(11) ack 1\n");
  has(fault, "  came:     0.100000 > P. 1:11(10) ack 1 win 65535");
}

TEST_CASE("each part of a segment is compared") {
  const auto sent = [](const std::string& line) { return fault_of("+0 write(4, ..., 10) = 10\n+0 " + line + "\n"); };
  CHECK(sent("> P. 1:11(10) ack 1") == "");
  has(sent("> . 1:11(10) ack 1"), "(flags)");
  has(sent("> P. 2:12(10) ack 1"), "(sequence number)");
  has(sent("> P. 1:11(10) ack 2"), "(ack)");
  has(sent("> P. 1:11(10) ack 1 win 7"), "(win)");
  has(sent("> P. 1:11(10) ack 1 <nop,nop>"), "(options)");
  has(sent("> [ce] P. 1:11(10) ack 1"), "(ECN)");
  has(sent("> [ttl 1] P. 1:11(10) ack 1"), "(TTL)");
  has(sent("> :5001 P. 1:11(10) ack 1"), "(peer)");
}

TEST_CASE("what the stack sends without a line fails, at once or while time passes") {
  has(fault_of("+0 write(4, ..., 10) = 10\n+0 < . 1:1(0) ack 1 win 9\n"), "x.pkt:10: what the stack sent has no line");
  has(fault_of("+0 write(4, ..., 10) = 10\n"), "expected: nothing before the end of the script");
  has(fault_of("+0 < . 1:101(100) ack 1 win 9\n+1 %{ urgent_in == 0 }%\n"), "came:     0.140000 > . 1:1(0) ack 101");
}

TEST_CASE("what is sent too early, too late or never fails") {
  const std::string data = "+0 < . 1:101(100) ack 1 win 9\n";  // acknowledged after 40 ms
  CHECK(fault_of(data + "+.04 > . 1:1(0) ack 101\n") == "");
  CHECK(fault_of(data + "+.01~+.05 > . 1:1(0) ack 101\n") == "");
  CHECK(fault_of(data + "* > . 1:1(0) ack 101\n") == "");
  CHECK(fault_of(data + "0.14 > . 1:1(0) ack 101\n") == "");
  has(fault_of(data + "+.05 > . 1:1(0) ack 101\n"), "(time)");
  has(fault_of(data + "+.03 > . 1:1(0) ack 101\n"), "came:     nothing until 0.131000");
  has(fault_of("+.03 > . 1:1(0) ack 101\n"), "the stack sent nothing");
}

TEST_CASE("calls and assertions are compared") {
  has(fault_of("+0 read(4, ..., 10) = 10\n"), "came:     -1 EAGAIN");
  has(fault_of("+0 read(7, ..., 10) = -1 EAGAIN\n"), "came:     -1 EBADF");
  has(fault_of("+0 frobnicate(4) = 0\n"), "x.pkt:9: there is no call 'frobnicate'");
  CHECK(fault_of("+0 %{ assert tcpi_state == TCP_ESTABLISHED\n tcpi_unacked == 0 }%\n") == "");
  has(fault_of("+0 %{ tcpi_unacked > 0 }%\n"), "came:     tcpi_unacked == 0");
  has(fault_of("+0 %{ tcpi_nothing > 0 }%\n"), "there is no 'tcpi_nothing'");
}

TEST_CASE("a script that cannot be read names its line and what is wrong") {
  has(reading_fault("0 socket(...) = 3\n"), "x.pkt:1: a script opens with a comment");
  has(reading_fault("// Nothing.\n"), "shows nothing");
  has(reading_fault("// A.\n+0 < S 0:1(0) win 1\n"),
      "x.pkt:2: the sequence numbers and the length in brackets disagree");
  has(reading_fault("// A.\n+0 < X 0:0(0) win 1\n"), "'X' is no set of flags");
  has(reading_fault("// A.\n+0 < . 0:0(0) win 1\n"), "'ack' go together");
  has(reading_fault("// A.\n+0 < S 0:0(0) win 1 <mess 3>\n"), "'mess 3' is no option");
  has(reading_fault("// A.\n+0 < S 0:0(0) win 70000\n"), "70000 is too large");
  has(reading_fault("// A.\n* < S 0:0(0)\n"), "only what the stack sends");
  has(reading_fault("// A.\n+0 < icmp nonsense [1:2(1)]\n"), "unknown ICMP error");
  has(run_script(read_script("x.pkt", "// A.\n--no_such=1\n+0 %{ turns == 0 }%\n")).fault,
      "x.pkt:2: there is no setting 'no_such'");
}
