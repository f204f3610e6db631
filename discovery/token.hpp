// Ray's token for the dashboard, found where Ray itself looks for it, and read again when it rotates.
//
// Used by one thread. The token appears in no message and no log: describe() tells where it came from.
// Unreadable files are "no token"; describe() says why.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "discovery/environment.hpp"

namespace discovery {

class TokenSource {
  public:
    explicit TokenSource(Environment environment = process_environment());

    /// RAY_AUTH_TOKEN, else the text of the file RAY_AUTH_TOKEN_PATH, else that of ~/.ray/auth_token (Ray's
    /// authentication token loader); without white space around it. The file is read again whenever it changed.
    const std::optional<std::string>& get();

    /// Reads again whatever the file's times say. True where the token is another one than before.
    bool read_again();

    /// What get() gave, for messages: "the token of the file F", "no token (the file F does not exist)".
    const std::string& describe() const { return m_origin; }

  private:
    /// What shows that a file was replaced: Kubernetes swaps a link, editors rename, others write in place.
    struct Stamp {
        std::uint64_t inode = 0;
        std::int64_t size = -1;
        std::int64_t seconds = 0;
        std::int64_t nanoseconds = 0;
        bool operator==(const Stamp&) const = default;
    };

    void read_file(const std::string& path, const Stamp& stamp);
    static Stamp stamp_of(const std::string& path);

    Environment m_environment;
    std::optional<std::string> m_token;
    std::string m_origin = "no token";
    std::string m_path;
    Stamp m_stamp;
};

}  // namespace discovery
