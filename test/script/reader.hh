// Reader: the notation of packet scripts, as the packetdrill tool knows it, made into a Script.
//
//   // RFC 9293 3.5: what the script shows          the first line, a comment
//   --receive_buffer=4000                           settings of the stack, see settings.cc
//   +0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3    a call of the app and its result
//   +.1 < S 0:0(0) win 32792 <mss 1000,nop,nop>     a segment of the peer
//   +0~+.2 > S. 0:0(0) ack 1 <...>                  one that the stack is to send; <...>: any options
//   *  > . 1:1(0) ack 1                             at any time
//   +0 < icmp unreachable frag_needed mtu 1200 [1:1461(1460)]
//   +0 %{ tcpi_unacked == 10; retransmits == 0 }%   what holds now, and that nothing was sent before
//
// Our own: `[to 10.0.0.255]`, `[badsum]`, `[reserved]`, `[ipopt 01010101]` before the flags, beside packetdrill's `[ce]`
// and its kin; `10.0.0.3:5001` or `:5001` there names another peer; `raw 0204ff` among the options gives bytes.
// In: any text. Out: a Script, or a Fault that names the line.
#pragma once

#include <string_view>

#include "test/script/script.hh"

namespace qstack::script {

Script read_script(const std::string& path, std::string_view text);
Script read_script_file(const std::string& path);

}  // namespace qstack::script
