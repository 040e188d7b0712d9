// What a statement of a unit or a reader may not do to the connection it shares with others: end the transaction,
// attach files, change settings. SQLite asks while it prepares.
#pragma once

#include <string>

struct sqlite3;

namespace sluice::db::sqlite {

/// Names of savepoints that statements may use: those of UnitOfWork::savepoint.
inline constexpr const char* kSavepointPrefix = "sluice_savepoint_";

/// The authorizer of one connection. Invariant: outside a `Trust` scope nothing that would harm another unit prepares.
class Guard {
public:
    explicit Guard(sqlite3* handle);
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

    /// While it lives, the driver's own statements pass.
    class Trust {
    public:
        explicit Trust(Guard& guard) : guard_(guard) { guard_.trusted_ = true; }
        ~Trust() { guard_.trusted_ = false; }
        Trust(const Trust&) = delete;
        Trust& operator=(const Trust&) = delete;

    private:
        Guard& guard_;
    };

    /// Why the latest statement was refused, and forgets it; empty if it was not.
    [[nodiscard]] std::string take_refusal();

private:
    static int authorize(void* self, int action, const char* first, const char* second, const char* schema,
                         const char* trigger);
    int refuse(std::string reason);
    int judge(int action, const char* first, const char* second);

    bool trusted_ = false;
    std::string refusal_;
};

}  // namespace sluice::db::sqlite
