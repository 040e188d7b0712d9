#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include <unistd.h>

#include "sluice/core/config/settings.hpp"

namespace sluice::core::config {
namespace {

constexpr std::string_view kConfigFlag = "--config=";
constexpr const char* kConfigVariable = "SLUICE_CONFIG";

std::expected<std::string, std::string> read_text(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    if (file && file.peek() != std::ifstream::traits_type::eof()) text << file.rdbuf();
    if (!file.is_open() || file.bad() || text.bad())
        return std::unexpected(std::string("cannot be read: ") + std::strerror(errno));
    return std::move(text).str();
}

std::map<std::string, std::string> environment_of_process() {
    std::map<std::string, std::string> variables;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text(*entry);
        const std::size_t equals = text.find('=');
        if (equals == std::string_view::npos) continue;
        variables.emplace(std::string(text.substr(0, equals)), std::string(text.substr(equals + 1)));
    }
    return variables;
}

}  // namespace

std::expected<Settings, std::vector<Problem>> read(const Schema& schema, int argc, const char* const* argv) {
    Sources sources;
    sources.environment = environment_of_process();
    sources.read_file = read_text;
    if (const auto named = sources.environment.extract(kConfigVariable)) sources.file_name = named.mapped();
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument(argv[i]);
        if (argument.starts_with(kConfigFlag))
            sources.file_name = argument.substr(kConfigFlag.size());
        else
            sources.arguments.emplace_back(argument);
    }
    if (!sources.file_name.empty()) {
        auto text = read_text(sources.file_name);
        if (!text) return std::unexpected(std::vector<Problem>{{sources.file_name, text.error()}});
        sources.file_text = std::move(*text);
    }
    return resolve(schema, sources);
}

}  // namespace sluice::core::config
