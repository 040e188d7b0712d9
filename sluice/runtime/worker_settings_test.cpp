#include "sluice/runtime/worker_settings.hpp"

#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "sluice/runtime/profile.hpp"

namespace sluice::runtime {
namespace {

using namespace std::chrono_literals;

TEST(WorkerSettings, own_goes_before_profile_and_profile_before_default) {
    WorkerTuning own;
    own.batch = 7;
    WorkerTuning profile;
    profile.batch = 9;
    profile.idle_interval = 33ms;

    const WorkerSettings settings = resolve("processor", own, profile);

    EXPECT_EQ(settings.batch, 7u);
    EXPECT_EQ(settings.idle_interval, 33ms);
    EXPECT_EQ(settings.rest_interval, WorkerSettings{}.rest_interval);
}

TEST(WorkerSettings, every_setting_can_be_tuned) {
    WorkerTuning own;
    own.batch = 1;
    own.active_interval = 5ms;
    own.min_interval = 2ms;
    own.ramp_step = 1ms;
    own.idle_interval = 10ms;
    own.rest_interval = 20ms;
    own.retry_base = 3ms;
    own.retry_max = 4ms;
    own.panic = PanicPolicy::propagate;

    const WorkerSettings settings = resolve("processor", own, {});

    EXPECT_EQ(settings.batch, 1u);
    EXPECT_EQ(settings.active_interval, 5ms);
    EXPECT_EQ(settings.min_interval, 2ms);
    EXPECT_EQ(settings.ramp_step, 1ms);
    EXPECT_EQ(settings.idle_interval, 10ms);
    EXPECT_EQ(settings.rest_interval, 20ms);
    EXPECT_EQ(settings.retry.initial, 3ms);
    EXPECT_EQ(settings.retry.max, 4ms);
    EXPECT_EQ(settings.panic, PanicPolicy::propagate);
}

TEST(WorkerSettings, every_profile_is_valid_for_every_kind_of_worker) {
    for (const Profile& profile :
         {Profile::balanced(), Profile::low_latency(), Profile::high_throughput(), Profile::relaxed()}) {
        EXPECT_NO_THROW((void)resolve("processor", {}, profile.processor)) << profile.name;
        EXPECT_NO_THROW((void)resolve("sequencer", {}, profile.sequencer)) << profile.name;
        EXPECT_NO_THROW((void)resolve("retention", {}, profile.retention)) << profile.name;
        EXPECT_NO_THROW((void)resolve("reconciler", {}, profile.reconciler)) << profile.name;
    }
}

TEST(WorkerSettings, what_cannot_be_meant_is_refused_by_name) {
    struct Case {
        std::string setting;
        std::function<void(WorkerSettings&)> spoil;
    };
    const std::vector<Case> cases{
        {"batch", [](WorkerSettings& s) { s.batch = 0; }},
        {"min_interval", [](WorkerSettings& s) { s.min_interval = -1ns; }},
        {"min_interval", [](WorkerSettings& s) { s.min_interval = s.active_interval + 1ms; }},
        {"ramp_step", [](WorkerSettings& s) { s.ramp_step = -1ms; }},
        {"idle_interval", [](WorkerSettings& s) { s.idle_interval = 0ms; }},
        {"idle_interval", [](WorkerSettings& s) { s.idle_interval = s.rest_interval + 1ms; }},
        {"retry_base", [](WorkerSettings& s) { s.retry.initial = 0ms; }},
        {"retry_base", [](WorkerSettings& s) { s.retry.initial = s.retry.max + 1ms; }},
        {"retry_multiplier", [](WorkerSettings& s) { s.retry.multiplier = 0.5; }},
        {"retry_jitter", [](WorkerSettings& s) { s.retry.jitter = 1.5; }},
    };
    for (const Case& refused : cases) {
        WorkerSettings settings;
        refused.spoil(settings);
        try {
            check("sequencer", settings);
            ADD_FAILURE() << refused.setting << " was accepted";
        } catch (const InvalidSetting& e) {
            EXPECT_EQ(e.setting(), "sequencer." + refused.setting);
            EXPECT_TRUE(std::string(e.what()).starts_with("sequencer." + refused.setting + ": ")) << e.what();
        }
    }
}

}  // namespace
}  // namespace sluice::runtime
