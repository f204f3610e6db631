#include <cmath>
#include <limits>

#include <doctest/doctest.h>

#include "dap/grouping.hpp"

using dap::Group;
using dap::group_equal;
using dap::python_number;
using dap::summarise;
using Texts = std::vector<std::string>;

TEST_CASE("grouping: most frequent first, then the one seen first") {
    CHECK(group_equal({"a", "b", "c", "b", "c", "d"}) == std::vector<Group>{{1, 3}, {2, 4}, {0}, {5}});
    CHECK(group_equal({"x", "x", "x"}) == std::vector<Group>{{0, 1, 2}});
    CHECK(group_equal({"b", "a"}) == std::vector<Group>{{0}, {1}});
    CHECK(group_equal({"", "a", ""}) == std::vector<Group>{{0, 2}, {1}});
    CHECK(group_equal({std::string("a\0b", 3), std::string("a\0c", 3)}).size() == 2);
    CHECK(group_equal({}).empty());
}

TEST_CASE("grouping: numbers as Python writes them") {
    for (const char* number : {"0", "16", "-3", "1.5", "-0.0", "1e+16", "1e-05", "1.7976931348623157e+308", "5e-324",
                               "inf", "-inf", "nan", "123456789012345678901234567890"}) {
        CAPTURE(number);
        CHECK(python_number(number) == number);
    }
    CHECK(python_number("np.float64(1.5)") == "1.5");
    CHECK(python_number("np.float32(nan)") == "nan");
    CHECK(python_number("np.int64(-3)") == "-3");
    CHECK(python_number("np.uint8(255)") == "255");
    CHECK(python_number("np.longlong(7)") == "7");
    CHECK(python_number("np.longdouble('0.1')") == "0.1");
}

TEST_CASE("grouping: what is no number") {
    for (const char* other : {"",
                              " ",
                              "True",
                              "False",
                              "None",
                              "np.True_",
                              "'16'",
                              "16 ",
                              " 16",
                              "+1",
                              "1_000",
                              "0x10",
                              ".5",
                              "-",
                              "--1",
                              "1.5.2",
                              "1e",
                              "infinity",
                              "-infinity",
                              "nan(1)",
                              "-nan",
                              "NaN",
                              "1j",
                              "(1+2j)",
                              "np.complex128(1+2j)",
                              "np.str_('16')",
                              "np.bytes_(b'1')",
                              "np.datetime64('2020')",
                              "np.timedelta64(5,'D')",
                              "np.float64()",
                              "np.float64('')",
                              "np.float64(1.5",
                              "np.(1)",
                              "np.float64",
                              "tensor(1.5)",
                              "Decimal('1.5')",
                              "[1]",
                              "(1, 2)"}) {
        CAPTURE(other);
        CHECK(python_number(other).empty());
        CHECK_FALSE(summarise({"1", "2", other}).has_value());
    }
}

TEST_CASE("grouping: a summary says where its ends are") {
    const auto summary = summarise({"4", "1", "9", "1", "9"});
    REQUIRE(summary.has_value());
    CHECK(summary->min == 1);
    CHECK(summary->max == 9);
    CHECK(summary->mean == 4.8);
    CHECK(summary->min_at == 1);
    CHECK(summary->max_at == 2);
    CHECK(summary->count == 5);

    const auto mixed = summarise({"np.float64(-1.5)", "2", "np.int32(7)"});
    REQUIRE(mixed.has_value());
    CHECK(mixed->min == -1.5);
    CHECK(mixed->max == 7);
    CHECK(mixed->mean == 2.5);

    const auto negative = summarise({"-5", "-2"});
    REQUIRE(negative.has_value());
    CHECK(negative->max == -2);
    CHECK(negative->max_at == 1);
}

TEST_CASE("grouping: one number is no summary") {
    CHECK_FALSE(summarise({}).has_value());
    CHECK_FALSE(summarise({"1"}).has_value());
    CHECK_FALSE(summarise({"1", "nan"}).has_value());
    CHECK_FALSE(summarise({"nan", "nan"}).has_value());
}

TEST_CASE("grouping: nan does not count, infinities do") {
    const auto with_nan = summarise({"nan", "3", "np.float64(nan)", "1"});
    REQUIRE(with_nan.has_value());
    CHECK(with_nan->min == 1);
    CHECK(with_nan->min_at == 3);
    CHECK(with_nan->max_at == 1);
    CHECK(with_nan->mean == 2);
    CHECK(with_nan->count == 2);

    const auto infinite = summarise({"-inf", "1", "inf"});
    REQUIRE(infinite.has_value());
    CHECK(infinite->min == -std::numeric_limits<double>::infinity());
    CHECK(infinite->max == std::numeric_limits<double>::infinity());
    CHECK(std::isnan(infinite->mean));
}

TEST_CASE("grouping: large numbers") {
    // Neighbours that are the same double.
    const auto ids = summarise({"9223372036854775806", "9223372036854775807", "9223372036854775805"});
    REQUIRE(ids.has_value());
    CHECK(ids->min_at == 2);
    CHECK(ids->max_at == 1);
    CHECK(ids->mean == 9223372036854775806.0);

    // Their sum is no double.
    const auto huge = summarise({"1.7e+308", "1.7e+308", "1.7e+308"});
    REQUIRE(huge.has_value());
    CHECK(huge->mean == 1.7e308);

    const auto integers = summarise(Texts(1000, "9007199254740993"));
    REQUIRE(integers.has_value());
    CHECK(integers->mean == 9007199254740992.0);
    CHECK(summarise({"1", std::string(400, '9')})->max == std::numeric_limits<double>::infinity());
}
