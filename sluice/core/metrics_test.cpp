#include "sluice/core/metrics.hpp"

#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

namespace sluice::core {
namespace {

TEST(Metrics, the_same_name_and_labels_are_the_same_series) {
    Metrics metrics;
    metrics.counter("sluice_test_total", "Things", {{"kind", "a"}}).add(2);
    metrics.counter("sluice_test_total", "Things", {{"kind", "a"}}).add(3);
    metrics.counter("sluice_test_total", "Things", {{"kind", "b"}}).add();
    EXPECT_EQ(metrics.counter("sluice_test_total", "Things", {{"kind", "a"}}).value(), 5);
    EXPECT_EQ(metrics.counter("sluice_test_total", "Things", {{"kind", "b"}}).value(), 1);
}

TEST(Metrics, renders_every_kind_as_prometheus_reads_it) {
    Metrics metrics;
    metrics.counter("sluice_sent_total", "Sent", {{"to", "a\"b"}}).add(2);
    metrics.gauge("sluice_open", "Open").set(4);
    metrics.histogram("sluice_seconds", "Time").observe(0.0002);
    const std::string page = metrics.render();
    EXPECT_NE(page.find("# HELP sluice_sent_total Sent\n# TYPE sluice_sent_total counter\n"), std::string::npos)
        << page;
    EXPECT_NE(page.find("sluice_sent_total{to=\"a\\\"b\"} 2\n"), std::string::npos) << page;
    EXPECT_NE(page.find("sluice_open 4\n"), std::string::npos) << page;
    EXPECT_NE(page.find("sluice_seconds_bucket{le=\"0.00025\"} 1\n"), std::string::npos) << page;
    EXPECT_NE(page.find("sluice_seconds_count 1\n"), std::string::npos) << page;
}

std::string refusal_of(Metrics& metrics, const std::string& name) {
    try {
        (void)metrics.gauge(name, "help");
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
    return "";
}

TEST(Metrics, refuses_another_type_and_bad_names_by_name) {
    Metrics metrics;
    (void)metrics.counter("sluice_taken", "Taken");
    EXPECT_NE(refusal_of(metrics, "sluice_taken").find("'sluice_taken'"), std::string::npos);
    EXPECT_NE(refusal_of(metrics, "not a name").find("'not a name'"), std::string::npos);
}

TEST(Metrics, default_handles_count_nothing) {
    Counter().add();
    Gauge().set(3);
    Histogram().observe(1);
    EXPECT_EQ(Counter().value(), 0);
    EXPECT_EQ(Gauge().value(), 0);
}

}  // namespace
}  // namespace sluice::core
