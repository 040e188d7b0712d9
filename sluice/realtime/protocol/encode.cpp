#include "sluice/realtime/protocol/encode.hpp"

#include <fmt/format.h>

#include "sluice/core/assert.hpp"
#include "sluice/core/json/writer.hpp"

namespace sluice::realtime::protocol {
namespace {

using core::json::BadText;
using core::json::Writer;

/// One message: opens with its type, closes when it goes out of scope unless `leave_open`.
class MessageWriter {
public:
    MessageWriter(std::string& out, std::string_view type) : writer_(out, BadText::replace) {
        writer_.begin_object();
        text("type", type);
    }
    ~MessageWriter() {
        if (!open_) writer_.end_object();
    }
    MessageWriter(const MessageWriter&) = delete;
    MessageWriter& operator=(const MessageWriter&) = delete;

    void text(std::string_view name, std::string_view value) {
        writer_.key(name);
        writer_.value(value);
    }
    void number(std::string_view name, std::int64_t value) {
        writer_.key(name);
        writer_.value(value);
    }
    void flag(std::string_view name, bool value) {
        writer_.key(name);
        writer_.value(value);
    }
    void raw(std::string_view name, std::string_view json) {
        writer_.key(name);
        writer_.raw(json);
    }
    void id(std::string_view id_json) {
        if (!id_json.empty()) raw("id", id_json);
    }
    void position(const PositionView& at) {
        SLUICE_ASSERT(at.version.value() >= 0 && at.version.value() <= core::kLargestVersion,
                      "version {} cannot travel", at.version);
        text("epoch", at.epoch);
        number("version", at.version.value());
    }
    void leave_open(std::string_view member) {
        writer_.key(member);
        open_ = true;
    }

private:
    Writer writer_;
    bool open_ = false;
};

}  // namespace

void append_welcome(std::string& out, const Welcome& welcome) {
    MessageWriter message(out, "welcome");
    message.text("connection", fmt::to_string(welcome.connection.value()));
    message.number("ping_interval_ms", welcome.ping_interval.count());
    message.raw("limits", fmt::format(R"({{"subscriptions":{},"commands_in_flight":{},"message_bytes":{}}})",
                                      welcome.subscriptions, welcome.commands_in_flight, welcome.message_bytes));
}

void append_subscribed_head(std::string& out, std::string_view id_json, std::string_view channel,
                            const std::optional<PositionView>& position, std::string_view member) {
    MessageWriter message(out, "subscribed");
    message.id(id_json);
    message.text("channel", channel);
    if (position) message.position(*position);
    message.text("policy", "evict");
    if (!member.empty()) message.leave_open(member);
}

void append_frames_array(std::string& out, std::span<const Frame> frames) {
    Writer writer(out, BadText::replace);
    writer.begin_array();
    for (const Frame& frame : frames) {
        writer.begin_object();
        writer.key("version");
        writer.value(frame.version.value());
        if (!frame.event.empty()) {
            writer.key("event");
            writer.value(frame.event);
        }
        writer.key("data");
        writer.raw(frame.data_json);
        if (frame.from_client) {
            writer.key("client");
            writer.value(true);
        }
        writer.end_object();
    }
    writer.end_array();
}

void append_unsubscribed(std::string& out, std::string_view id_json, std::string_view channel) {
    MessageWriter message(out, "unsubscribed");
    message.id(id_json);
    message.text("channel", channel);
}

void append_ok(std::string& out, std::string_view id_json) {
    MessageWriter message(out, "ok");
    message.id(id_json);
}

void append_delta(std::string& out, std::string_view channel, std::string_view epoch, const Frame& frame) {
    MessageWriter message(out, "delta");
    message.text("channel", channel);
    message.position({epoch, frame.version});
    if (!frame.event.empty()) message.text("event", frame.event);
    message.raw("data", frame.data_json);
}

void append_event(std::string& out, const Event& event) {
    MessageWriter message(out, "event");
    if (!event.channel.empty()) message.text("channel", event.channel);
    if (event.position) message.position(*event.position);
    message.text("event", event.event);
    message.raw("data", event.data_json);
    if (event.from_client) message.flag("client", true);
}

void append_reset_head(std::string& out, std::string_view channel, const PositionView& position, bool with_state) {
    MessageWriter message(out, "reset");
    message.text("channel", channel);
    message.position(position);
    if (with_state) message.leave_open("state");
}

void append_position(std::string& out, std::string_view channel, const PositionView& position) {
    MessageWriter message(out, "position");
    message.text("channel", channel);
    message.position(position);
}

void append_ping(std::string& out) {
    MessageWriter(out, "ping");
}

void append_error(std::string& out, std::string_view id_json, ErrorCode code, std::string_view text, bool retry) {
    MessageWriter message(out, "error");
    message.id(id_json);
    message.text("code", to_string(code));
    message.text("message", text);
    message.flag("retry", retry);
}

void append_bye(std::string& out, ws::CloseCode code, std::string_view reason,
                std::chrono::milliseconds reconnect_after) {
    MessageWriter message(out, "bye");
    message.number("code", static_cast<std::int64_t>(code));
    message.text("reason", reason);
    message.number("reconnect_after_ms", reconnect_after.count());
}

void append_gateway_event(std::string& out, std::string_view event, std::string_view data_json) {
    Writer writer(out, BadText::replace);
    writer.begin_object();
    writer.key("event");
    writer.value(event);
    writer.key("data");
    writer.raw(data_json);
    writer.end_object();
}

void append_gateway_error(std::string& out, ErrorCode code, std::string_view text) {
    std::string data;
    Writer writer(data, BadText::replace);
    writer.begin_object();
    writer.key("code");
    writer.value(to_string(code));
    writer.key("message");
    writer.value(text);
    writer.end_object();
    append_gateway_event(out, "error", data);
}

}  // namespace sluice::realtime::protocol
