// How discovery reports expected failures: as values, never as exceptions.
//
// An Outcome holds a value or an error; an Answer's error is a Trouble: what went wrong with the dashboard,
// as a sentence that names the URL and says what to do next. Plain values without threads of their own.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace discovery {

/// A value or an error, which must be of different types. Reading the one that is not there throws: a bug.
template <class T, class E>
class Outcome {
  public:
    Outcome(T value) : m_state(std::in_place_index<0>, std::move(value)) {}
    Outcome(E error) : m_state(std::in_place_index<1>, std::move(error)) {}

    explicit operator bool() const { return m_state.index() == 0; }
    T& operator*() { return std::get<0>(m_state); }
    const T& operator*() const { return std::get<0>(m_state); }
    T* operator->() { return &std::get<0>(m_state); }
    const T* operator->() const { return &std::get<0>(m_state); }
    const E& error() const { return std::get<1>(m_state); }

  private:
    std::variant<T, E> m_state;
};

struct Trouble {
    enum class Kind {
        unreachable,      ///< no connection, or it broke
        timed_out,        ///< no answer in time
        unauthorized,     ///< 401: a token is wanted
        forbidden,        ///< 403: another token is wanted
        not_a_dashboard,  ///< something else answers at the address
        rejected,         ///< the dashboard refused the request or failed at it
        stopped,          ///< we gave up ourselves: Dashboard::stop()
    };
    Kind kind;
    std::string message;
};

template <class T>
using Answer = Outcome<T, Trouble>;

/// Rows of a state API list.
template <class T>
struct Rows {
    std::vector<T> rows;
    bool complete = true;               ///< false: the cluster may have rows that are missing here
    std::vector<std::string> warnings;  ///< sentences for people
};

}  // namespace discovery
