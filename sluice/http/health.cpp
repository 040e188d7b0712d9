#include "sluice/http/health.hpp"

#include <algorithm>
#include <utility>

#include "sluice/core/json/writer.hpp"

namespace sluice::http {
namespace {

using runtime::Task;
using HealthPtr = std::shared_ptr<const Health>;

std::string describe(const Health& health, bool with_reasons) {
    const std::vector<Health::Finding> findings = health.findings();
    const bool ready = std::ranges::none_of(findings, [](const auto& f) { return f.complaint.has_value(); });
    std::string body;
    core::json::Writer writer(body, core::json::BadText::replace);
    writer.begin_object();
    writer.key("ready");
    writer.value(ready);
    if (with_reasons) {
        writer.key("checks");
        writer.begin_array();
        for (const Health::Finding& finding : findings) {
            writer.begin_object();
            writer.key("name");
            writer.value(finding.name);
            writer.key("ready");
            writer.value(!finding.complaint.has_value());
            if (finding.complaint) {
                writer.key("reason");
                writer.value(*finding.complaint);
            }
            writer.end_object();
        }
        writer.end_array();
    }
    writer.end_object();
    return body;
}

Task<Response> live(RequestContext&) {
    co_return Response::json(200, R"({"live":true})");
}

Task<Response> ready(HealthPtr health, bool with_reasons) {
    Response response = Response::json(health->ready() ? 200 : 503, describe(*health, with_reasons));
    response.headers.add("Cache-Control", "no-store");
    co_return response;
}

Task<Response> page(const core::Metrics& metrics) {
    Response response = Response::text(200, metrics.render());
    response.headers.set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    co_return response;
}

void add_readiness(Router& router, HealthPtr health, bool with_reasons) {
    router.get("/healthz", live, Tenancy::none);
    router.get(
        "/readyz", [health = std::move(health), with_reasons](RequestContext&) { return ready(health, with_reasons); },
        Tenancy::none);
}

}  // namespace

void Health::add(std::string name, Check check) {
    checks_.push_back(Named{std::move(name), std::move(check)});
}

std::vector<Health::Finding> Health::findings() const {
    std::vector<Finding> findings;
    for (const Named& named : checks_)
        findings.push_back(Finding{named.name, named.check()});
    Finding drain{"drain", std::nullopt};
    if (draining_.load()) drain.complaint = "the program is stopping";
    findings.push_back(std::move(drain));
    return findings;
}

bool Health::ready() const {
    return std::ranges::none_of(findings(), [](const Finding& finding) { return finding.complaint.has_value(); });
}

void add_health_routes(Router& router, std::shared_ptr<const Health> health) {
    add_readiness(router, std::move(health), false);
}

void add_admin_routes(Router& router, std::shared_ptr<const Health> health, const core::Metrics& metrics) {
    add_readiness(router, std::move(health), true);
    router.get("/metrics", [&metrics](RequestContext&) { return page(metrics); }, Tenancy::none);
}

}  // namespace sluice::http
