// Making foreign text harmless: for the JSON parser, and for one-line messages.
//
// Pure functions on bytes; the only thing they throw is std::bad_alloc.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace discovery {

/// `json` with escapes of lone surrogates ("\udc80") replaced by \ufffd: JSON allows them, nlohmann_json 3.11 does not.
std::string replace_lone_surrogates(std::string_view json);

/// `text` with every byte that is not part of valid UTF-8 replaced by U+FFFD.
std::string replace_invalid_utf8(std::string_view text);

/// `text` on one line of valid UTF-8, cut to about `length` bytes.
std::string shortened(std::string_view text, std::size_t length);

}  // namespace discovery
