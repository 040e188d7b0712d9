#include "sluice/app/internal/tenant_database.hpp"

#include <filesystem>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include "sluice/db/error.hpp"
#include "sluice/db/open.hpp"

namespace sluice::app::internal {
namespace {

constexpr std::string_view kPlaceholder = "{tenant}";
constexpr std::string_view kPostgresHasNoSuchDatabase = "3D000";
constexpr std::string_view kPostgresLacksRight = "42501";
constexpr std::string_view kMariadbHasNoSuchDatabase = "1049";
constexpr std::string_view kMariadbLacksRight = "1142";
constexpr std::string_view kMariadbRefusesDatabase = "1044";  // it may not be there: who has no right to it is not told

std::string file_of(const Settings& settings, const tenant::TenantId& id) {
    return (std::filesystem::path(settings.data_dir) / (id.text() + ".sqlite3")).string();
}

std::string url_of(const Settings& settings, const tenant::TenantId& id) {
    std::string url = settings.database_url;
    for (std::size_t at = url.find(kPlaceholder); at != std::string::npos; at = url.find(kPlaceholder, at))
        url.replace(at, kPlaceholder.size(), id.text());
    return url;
}

}  // namespace

void check_databases(const Settings& settings, std::size_t tenants) {
    if (settings.database_url.empty() || tenants < 2 || settings.database_url.contains(kPlaceholder)) return;
    throw std::runtime_error(fmt::format(
        "database_url names one database for {} tenants: write {} where a tenant's id goes", tenants, kPlaceholder));
}

std::shared_ptr<db::DataSource> open_database(const Settings& settings, const tenant::TenantId& id, core::Logger log,
                                              core::Metrics& metrics) {
    if (!settings.database_url.empty()) return db::open(id.text(), url_of(settings, id), std::move(log), metrics);
    db::sqlite::Settings file;
    file.name = id.text();
    file.path = file_of(settings, id);
    file.synchronous = settings.synchronous;
    return db::sqlite::Database::open(std::move(file), std::move(log), metrics);
}

std::string place_of(const Settings& settings, const tenant::TenantId& id) {
    if (settings.database_url.empty()) return "file " + file_of(settings, id);
    std::string url = url_of(settings, id);
    // Options may hold a password too. An '@' that somebody forgot to encode belongs to the password.
    url.resize(std::min(url.find('?'), url.size()));
    const std::size_t at = url.rfind('@');
    const std::size_t scheme = url.find("//");
    if (at != std::string::npos) return "database " + url.substr(at + 1);
    return "database " + (scheme == std::string::npos ? std::string("of the database URL") : url.substr(scheme + 2));
}

std::string_view advice_for(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const db::Error& error) {
        const std::string& code = error.details().code;
        if (code == kPostgresHasNoSuchDatabase || code == kMariadbHasNoSuchDatabase)
            return " (create it, or correct the database URL)";
        if (code == kMariadbRefusesDatabase)
            return " (create it and grant it to the user, or correct the database URL)";
        if (code == kPostgresLacksRight || code == kMariadbLacksRight)
            return " (the user may not do that there: let it make and change tables)";
        if (error.kind() == db::ErrorKind::permission) return " (correct user and password of the database URL)";
        if (error.kind() == db::ErrorKind::connection) return " (is its server running, and is the address right?)";
        return "";
    } catch (...) {  // it describes itself
        return "";
    }
}

}  // namespace sluice::app::internal
