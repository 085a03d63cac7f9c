// The latency histogram: three significant digits over the whole range, percentiles as a sorted list gives them.
#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "native/mcc/histogram.hh"
#include "native/mcc/seed.hh"

using namespace qstack::mcc;

TEST_CASE("a cell holds values that differ by at most a thousandth") {
  for (uint64_t value = 1; value < Histogram::kLargest / 3; value = value * 3 + 1) {
    uint32_t cell = Histogram::Cells::cell_of(value);
    REQUIRE(cell < Histogram::kCells);
    CHECK(Histogram::Cells::highest(cell) >= value);
    CHECK(Histogram::Cells::highest(cell) - value <= value / 1000);
    CHECK(Histogram::Cells::cell_of(Histogram::Cells::highest(cell)) == cell);
    CHECK(Histogram::Cells::cell_of(Histogram::Cells::highest(cell) + 1) == cell + 1);
  }
  CHECK(Histogram::Cells::cell_of(Histogram::kLargest) == Histogram::kCells - 1);
}

TEST_CASE("quantiles equal those of the sorted values within a thousandth") {
  Histogram histogram;
  std::vector<uint64_t> values;
  for (uint64_t i = 0; i < 100'000; ++i) values.push_back(mix(i) >> (20 + i % 30));
  for (uint64_t& value : values) histogram.record(value = std::min(value, Histogram::kLargest));
  std::sort(values.begin(), values.end());
  for (double q : {0.0, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    uint64_t exact = values[std::clamp<size_t>(static_cast<size_t>(q * 100'000), 1, 100'000) - 1];
    uint64_t got = histogram.quantile(q);
    CHECK(got >= exact);
    CHECK(got - exact <= exact / 1000);
  }
  CHECK(histogram.max() == values.back());
}

TEST_CASE("merging adds counts and keeps the larger maximum") {
  Histogram a, b;
  a.record(10);
  b.record(1'000'000);
  b.record(20);
  a.merge(b);
  CHECK(a.count() == 3);
  CHECK(a.max() == 1'000'000);
  CHECK(a.quantile(0.5) == 20);
  a.clear();
  CHECK(a.count() == 0);
  CHECK(a.quantile(0.99) == 0);
  a.record(5);
  CHECK(a.quantile(1) == 5);
}

TEST_CASE("values beyond the range are recorded as the largest") {
  Histogram histogram;
  histogram.record(~uint64_t{0});
  CHECK(histogram.quantile(0.5) == Histogram::kLargest);
}
