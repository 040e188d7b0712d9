// docs/errors.md shows of every kind the text that the outbox prints: each is produced here, on a real file.
#include <gtest/gtest.h>

#include "sluice/outbox/internal/test_script.hpp"
#include "sluice/testing/error_page.hpp"

namespace sluice::outbox {
namespace {

using Examples = std::map<std::string, std::string>;

class ErrorPage : public ::testing::Test {
protected:
    /// Ten messages, each of its own tick.
    void start_with_messages() {
        QueueSettings settings;
        settings.retention = std::chrono::seconds(0);
        Settings outbox;
        outbox.retention.idle_interval = outbox.retention.rest_interval = std::chrono::milliseconds(1);
        auto builder = bed.builder();
        builder.settings(outbox).queue("orders", lanes(1), settings);
        builder.transactional("orders", "audit", bed.script().handler());
        bed.start(builder);
        for (int i = 1; i <= 10; ++i) {
            bed.publish("orders", {{"k", std::to_string(i)}});
            ASSERT_TRUE(bed.until([&] { return bed.outbox->head() == core::Position(i); }));
        }
        ASSERT_TRUE(bed.drained());
    }
    template <class Call>
    std::string text_of(Call call) {
        try {
            call();
        } catch (const Error& error) {
            return error.what();
        }
        return "no error";
    }

    std::string config() {
        return text_of([&] {
            auto builder = bed.builder();
            builder.queue("orders", lanes(4)).queue("orders", lanes(4));
            bed.start(builder);
        });
    }
    std::string bad_message() {
        return text_of([&] { bed.publish("orders", {{std::string(100'000, 'k'), "1"}}); });
    }
    std::string gone() {
        EXPECT_TRUE(bed.becomes("select count(*) from sluice_tick", 1));
        return text_of([&] { bed.run(bed.outbox->read_log(core::Position(0), core::Position(10), 100)); });
    }
    std::string not_found() {
        return text_of([&] { bed.run(bed.outbox->dead_letters().release("nobody", "orders", "k")); });
    }
    std::string conflict() {
        return text_of([&] { bed.run(bed.outbox->dead_letters().resolve("no such claim")); });
    }

    LettersBed bed;
};

TEST_F(ErrorPage, shows_the_text_of_every_kind_of_outbox_error) {
    Examples produced;
    produced["config"] = config();
    start_with_messages();
    produced["bad_message"] = bad_message();
    produced["gone"] = gone();
    produced["not_found"] = not_found();
    produced["conflict"] = conflict();
    for (const auto& [kind, text] : produced)
        EXPECT_EQ(testing::error_page_complaint("outbox::Error", kind, text), "");
}

TEST_F(ErrorPage, shows_the_text_of_a_ledger_with_a_hole) {
    auto builder = bed.builder();
    builder.queue("orders", lanes(1));
    bed.start(builder);
    for (int i = 1; i <= 5; ++i) {
        bed.publish("orders", {{"k", std::to_string(i)}});
        ASSERT_TRUE(bed.until([&] { return bed.outbox->head() == core::Position(i); }));
    }
    bed.execute("delete from sluice_tick where n = 3");

    const std::string text = text_of([&] { bed.run(bed.outbox->read_log(core::Position(0), core::Position(5), 100)); });

    EXPECT_EQ(testing::error_page_complaint("outbox::Error", "corrupt", text), "");
}

TEST_F(ErrorPage, has_a_row_for_every_kind) {
    const Examples shown = testing::error_examples(testing::docs_page("errors.md"), "outbox::Error");
    for (int kind = 0; to_string(static_cast<ErrorKind>(kind)) != "unknown"; ++kind)
        EXPECT_TRUE(shown.contains(std::string(to_string(static_cast<ErrorKind>(kind))))) << kind;
}

}  // namespace
}  // namespace sluice::outbox
