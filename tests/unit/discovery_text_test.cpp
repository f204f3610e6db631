#include <doctest/doctest.h>

#include "discovery/text.hpp"

using namespace discovery;

TEST_CASE("text: lone surrogates are replaced, pairs and escaped backslashes are not") {
    CHECK(replace_lone_surrogates(R"("\udc80")") == R"("\ufffd")");
    CHECK(replace_lone_surrogates(R"("\ud83d\ude00")") == R"("\ud83d\ude00")");
    CHECK(replace_lone_surrogates(R"("\ud83d\ud83d\ude00x")") == R"("\ufffd\ud83d\ude00x")");
    CHECK(replace_lone_surrogates(R"("\\udc80")") == R"("\\udc80")");
    CHECK(replace_lone_surrogates(R"("\ud83d")") == R"("\ufffd")");
    CHECK(replace_lone_surrogates(R"("\u00e9\n\u12")") == R"("\u00e9\n\u12")");
    CHECK(replace_lone_surrogates("\\") == "\\");
}

TEST_CASE("text: invalid UTF-8 is replaced byte by byte") {
    CHECK(replace_invalid_utf8("na\xc3\xafve \xf0\x9f\x98\x80") == "na\xc3\xafve \xf0\x9f\x98\x80");
    CHECK(replace_invalid_utf8("a\xff"
                               "b") ==
          "a\xef\xbf\xbd"
          "b");
    CHECK(replace_invalid_utf8("\xc3") == "\xef\xbf\xbd");
    CHECK(replace_invalid_utf8("\xc0\x80") == "\xef\xbf\xbd\xef\xbf\xbd");
    CHECK(replace_invalid_utf8("\xed\xa0\x80") == "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

TEST_CASE("text: messages stay on one short line") {
    CHECK(shortened(" a\r\n\tb  c ", 20) == "a b c");
    CHECK(shortened(std::string(1000, 'x'), 5) == "xxxxx...");
    CHECK(shortened("aaaa\xc3\xaf", 5) == "aaaa...");
}
