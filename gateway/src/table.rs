//! The route table: every route of the shop with its access rule, limits and timeout.
//!
//! *Invariant:* a route that is not in the table refuses every request.

use souk_http::routes::Route;

/// Methods in the order in which the table and the header `Allow` list them.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// Routes that this process handles or forwards, sorted by path.
#[derive(Debug)]
pub struct RouteTable {
    routes: Vec<Route>,
}

impl RouteTable {
    /// Makes the table of these routes.
    pub fn new(mut routes: Vec<Route>) -> Self {
        let rank = |route: &Route| METHODS.iter().position(|method| *method == route.method);
        routes.sort_by(|one, other| (&one.path, rank(one)).cmp(&(&other.path, rank(other))));
        Self { routes }
    }

    /// Returns the row of a route. `HEAD` uses the row of `GET`.
    pub fn find(&self, method: &str, path: &str) -> Option<&Route> {
        let method = if method == "HEAD" { "GET" } else { method };
        self.routes.iter().find(|route| route.method == method && route.path == path)
    }

    /// Returns the methods of a path.
    pub fn methods(&self, path: &str) -> Vec<&'static str> {
        self.iter().filter(|route| route.path == path).map(|route| route.method).collect()
    }

    /// Returns true if requests to a path must name the version of the API. All routes of a path agree on it.
    /// `None` is a path that does not exist: it needs a version if it begins like the paths of the API.
    pub fn needs_version(&self, path: Option<&str>, requested_path: &str) -> bool {
        let route = path.and_then(|path| self.iter().find(|route| route.path == path));
        route.map_or(requested_path.starts_with("/api/"), |route| route.needs_version)
    }

    /// Returns all rows.
    pub fn iter(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter()
    }
}
