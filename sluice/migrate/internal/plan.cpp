#include "sluice/migrate/internal/plan.hpp"

#include <openssl/evp.h>

#include <array>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "sluice/core/assert.hpp"

namespace sluice::migrate::internal {
namespace {

using Key = std::pair<std::string, int>;

std::unexpected<std::string> refuse(std::string text) {
    return std::unexpected(std::move(text));
}

std::expected<Step, std::string> step_of(const Migration& migration, const std::map<Key, const Applied*>& applied,
                                         db::Dialect dialect) {
    Step step{migration.module, migration.version, migration.name, StepState::pending, {}};
    if (!migration.statements.contains(dialect))
        return refuse(fmt::format("migration {} has no statements for this database; add them", name_of(migration)));
    const auto found = applied.find({migration.module, migration.version});
    if (found == applied.end()) return step;
    if (found->second->checksum != checksum_of(migration, dialect))
        return refuse(
            fmt::format("migration {} was changed after it had been applied; restore its text and put the change into "
                        "a new version",
                        name_of(migration)));
    step.state = StepState::applied_before;
    return step;
}

}  // namespace

std::string name_of(const Migration& migration) {
    return fmt::format("{} {:04} {}", migration.module, migration.version, migration.name);
}

std::string checksum_of(const Migration& migration, db::Dialect dialect) {
    return digest_of(migration.statements.at(dialect));
}

std::string checksum_of(const Migration& migration, db::Dialect dialect, std::size_t count) {
    return digest_of(std::span(migration.statements.at(dialect)).first(count));
}

std::string digest_of(std::span<const std::string> texts) {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
    SLUICE_ASSERT(context && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1,
                  "no SHA-256 in this OpenSSL");
    for (const std::string& part : texts) {
        const std::string length = fmt::format("{}:", part.size());
        EVP_DigestUpdate(context.get(), length.data(), length.size());
        EVP_DigestUpdate(context.get(), part.data(), part.size());
    }
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    EVP_DigestFinal_ex(context.get(), digest.data(), &size);
    std::string text;
    for (unsigned i = 0; i < size; ++i)
        fmt::format_to(std::back_inserter(text), "{:02x}", digest.at(i));
    return text;
}

std::expected<void, std::string> check_versions(const std::vector<Migration>& migrations) {
    std::map<std::string, int> newest;
    for (const Migration& migration : migrations) {
        int& last = newest[migration.module];
        if (migration.version != last + 1)
            return refuse(fmt::format("migrations of module '{}': version {} follows {}; number them 1, 2, 3 …",
                                      migration.module, migration.version, last));
        last = migration.version;
    }
    return {};
}

std::expected<std::vector<Step>, std::string> make_plan(const std::vector<Migration>& migrations,
                                                        const std::vector<Applied>& ledger, db::Dialect dialect) {
    std::map<Key, const Applied*> applied;
    std::map<std::string, int> newest;
    for (const Applied& row : ledger) {
        applied.emplace(Key{row.module, row.version}, &row);
        newest[row.module] = std::max(newest[row.module], row.version);
    }
    std::vector<Step> steps;
    std::map<std::string, int> known;
    for (const Migration& migration : migrations) {
        auto step = step_of(migration, applied, dialect);
        if (!step) return std::unexpected(std::move(step.error()));
        if (step->state == StepState::pending && migration.version < newest[migration.module])
            return refuse(fmt::format(
                "the ledger misses {} although version {} was applied; restore the ledger's row or the backup",
                name_of(migration), newest[migration.module]));
        known[migration.module] = migration.version;
        steps.push_back(std::move(*step));
    }
    for (const auto& [module, last] : known) {
        if (newest[module] > last)
            return refuse(fmt::format(
                "module '{}' of the database is at version {}, this program knows {}; start the newer program", module,
                newest[module], last));
    }
    return steps;
}

}  // namespace sluice::migrate::internal
