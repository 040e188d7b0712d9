// A database server of one test alone, started by tools/servers: the test may stop, kill and revive it.
//
//     const servers::OwnServer server("postgres");
//     open(server.address("postgres.app"));
//     server.tell("kill");
#pragma once

#include <string>

namespace sluice::servers {

/// Started from the top folder of the tree, which tests run in. It ends with this object, or with the program. What
/// fails is a std::runtime_error; what tools/servers has to say is on standard error.
class OwnServer {
public:
    enum class Disk { ignored, waited_for };  ///< whether a commit waits for it

    explicit OwnServer(std::string kind, Disk disk = Disk::ignored);
    ~OwnServer();
    OwnServer(const OwnServer&) = delete;
    OwnServer& operator=(const OwnServer&) = delete;

    /// `order` is kill (−9), halt (orderly) or revive (same port, same data). Returns when it is done.
    void tell(const std::string& order) const;
    /// The value of `name` ("postgres.app") in its list of addresses.
    [[nodiscard]] std::string address(const std::string& name) const;

private:
    std::string kind_;
    std::string folder_;
};

}  // namespace sluice::servers
