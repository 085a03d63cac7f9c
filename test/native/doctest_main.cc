// The test runner itself, compiled once and linked into every native test: it is the larger part of a test's compile time.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
