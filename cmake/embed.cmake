# ray_dap_embed(TARGET FILE NAME): makes FILE's text available to TARGET as
# `inline constexpr std::string_view embedded::NAME`, declared in "embedded/NAME.hpp".
function(ray_dap_embed target file name)
  set(source ${CMAKE_CURRENT_SOURCE_DIR}/${file})
  set(header ${PROJECT_BINARY_DIR}/generated/embedded/${name}.hpp)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
  file(READ ${source} text)
  # A raw string literal may be limited to 64 KiB by compilers; our files are far smaller.
  file(CONFIGURE OUTPUT ${header} CONTENT [[
#pragma once
#include <string_view>
namespace embedded {
inline constexpr std::string_view @name@ = R"embedded(@text@)embedded";
}
]] @ONLY)
  target_sources(${target} PRIVATE ${header})
endfunction()
