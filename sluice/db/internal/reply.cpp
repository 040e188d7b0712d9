#include "sluice/db/internal/reply.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

namespace sluice::db::internal {

void Reply::rethrow() const {
    if (interrupted) throw boost::system::system_error(boost::asio::error::operation_aborted);
    if (error) throw Error(*error);
    if (loss) throw Error(*loss);
}

}  // namespace sluice::db::internal
