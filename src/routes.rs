//! The route table of the shop: the routes of both APIs, and the routes about the process itself.

use souk_gateway::RouteTable;
use souk_http::routes::operations::{API_DOCUMENT, DOCS, LIVE, METRICS, PROBLEM, READY, RELEASE_GATE};
use souk_http::routes::{Access, RateClass, Route, Side, rules};

/// Returns the route table. A gateway has the same table as a shop, although it has no handlers.
pub fn table() -> RouteTable {
    let mut routes = souk_command_api::routes();
    routes.extend(souk_query_api::routes());
    routes.extend(operations());
    RouteTable::new(routes)
}

/// Returns the routes about the process itself. They are not in the API document.
fn operations() -> Vec<Route> {
    let unlimited = rules(Access::Anyone).counts_as(RateClass::Unlimited);
    let reads = [LIVE, READY, METRICS, API_DOCUMENT, DOCS, PROBLEM];
    let reads = reads.map(|path| Route::new("GET", path, Side::Operations, unlimited));
    let callbacks = Route::new("POST", RELEASE_GATE, Side::Operations, unlimited.small_body());
    reads.into_iter().chain([callbacks]).collect()
}

#[cfg(test)]
mod tests {
    use souk_http::routes::SIGNED_BODY_BYTES_MAX;

    use super::*;

    #[test]
    fn every_route_has_only_one_row() {
        let table = table();
        let mut names: Vec<_> = table.iter().map(|route| (route.method, &route.path)).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    }

    #[test]
    fn routes_that_may_hide_a_resource_of_another_person_delay_their_404() {
        for route in table().iter() {
            let is_of_one_owner = matches!(route.access, Access::Buyer | Access::SignedIn);
            let finds_by_code = route.path.starts_with("/api/orders/lookup");
            assert_eq!(route.hides_other_owners, is_of_one_owner || finds_by_code, "{}", route.path);
        }
    }

    #[test]
    fn routes_of_the_api_need_its_version_except_for_signing_in_and_webhooks() {
        for route in table().iter() {
            let is_of_api = route.path.starts_with("/api/");
            let is_exempt = route.path.starts_with("/api/auth/") || route.path == "/api/payments/webhook";
            assert_eq!(route.needs_version, is_of_api && !is_exempt, "{}", route.path);
        }
    }

    #[test]
    fn get_routes_take_no_body_and_the_webhook_route_takes_only_a_small_body() {
        for route in table().iter() {
            let bytes_max = route.body_bytes_max;
            assert_eq!(route.method == "GET", bytes_max == 0 && route.method != "DELETE", "{}", route.path);
            let is_signed = route.path == "/api/payments/webhook";
            assert_eq!(is_signed, is_signed && bytes_max == SIGNED_BODY_BYTES_MAX, "{}", route.path);
        }
    }
}
