#include <cstdlib>

#include <boost/describe/class.hpp>

#include "sluice/app/app.hpp"

using namespace sluice;

struct Voted {
    std::string option;
};
BOOST_DESCRIBE_STRUCT(Voted, (), (option))

struct Votes {
    std::int64_t count = 0;
};
BOOST_DESCRIBE_STRUCT(Votes, (), (count))

struct Tally {
    using Event = Voted;
    using State = Votes;
    static constexpr std::string_view name = "tally";
    static constexpr int state_version = 1;
    std::string key(const Voted& vote) const { return vote.option; }
    void apply(Votes& votes, const Voted&) const { ++votes.count; }
};

const outbox::Queue<Voted> votes("votes", outbox::lanes(4), [](const Voted& vote) { return vote.option; });

db::Task<http::Response> vote(http::RequestContext& request, Voted vote) {
    auto body = [&](db::UnitOfWork& unit) -> db::Task<void> {
        votes.publish(unit, vote);  // commits with whatever else the unit writes, or not at all
        co_return;
    };
    co_await request.source->transaction({}, body);
    co_return http::Response::empty(204);
}

int main(int argc, char** argv) {
    app::Settings settings{.data_dir = "polls", .port = 8090};
    if (argc > 1) settings.port = static_cast<std::uint16_t>(std::atoi(argv[1]));
    app::App polls(settings, core::Logger::to_stderr(core::LogFormat::text, core::LogLevel::warn));
    polls.tenant("town", "Town hall").queue(votes).project<Tally>(votes).tenants_are_public();
    polls.routes().post<Voted>("/votes", vote);
    return polls.run();
}
