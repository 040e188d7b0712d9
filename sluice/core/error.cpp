#include "sluice/core/error.hpp"

namespace sluice::core {

std::string describe(const std::exception_ptr& error) {
    if (!error) return "no error";
    try {
        std::rethrow_exception(error);
    } catch (const Error& e) {
        std::string text = e.what();
        if (e.cause()) text += ": caused by: " + describe(e.cause());
        return text;
    } catch (const std::exception& e) {
        return e.what();
    } catch (...) {
        return "an exception that is not a std::exception";
    }
}

}  // namespace sluice::core
