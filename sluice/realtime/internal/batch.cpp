#include "sluice/realtime/internal/batch.hpp"

namespace sluice::realtime {

BatchRef Batch::make(std::size_t& gauge) {
    return BatchRef(new Batch(gauge));
}

BatchRef Batch::of_shared(std::size_t& gauge, std::shared_ptr<const std::string> bytes) {
    BatchRef batch = make(gauge);
    batch->shared_ = std::move(bytes);
    batch->count();
    return batch;
}

void Batch::append_frame(ws::Opcode opcode, std::string_view payload) {
    ws::append_frame(own_, opcode, payload);
    end_frame();
}

void Batch::append_framed(std::string_view bytes, std::span<const std::uint32_t> ends) {
    const auto base = static_cast<std::uint32_t>(own_.size());
    own_.append(bytes);
    for (const std::uint32_t end : ends)
        ends_.push_back(base + end);
    count();
}

void Batch::append_part(std::string_view bytes, bool ends_frame) {
    own_.append(bytes);
    if (ends_frame)
        end_frame();
    else
        count();
}

void Batch::end_frame() {
    ends_.push_back(static_cast<std::uint32_t>(own_.size()));
    count();
}

void Batch::clear() noexcept {
    own_.clear();
    ends_.clear();
    count();
}

void Batch::count() noexcept {
    gauge_ += view().size();
    gauge_ -= counted_;
    counted_ = view().size();
}

}  // namespace sluice::realtime
