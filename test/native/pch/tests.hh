// What most test files include, read once. Files name what they need all the same.
#pragma once
#include <doctest/doctest.h>

#include "test/native/tcp_peer.hh"
