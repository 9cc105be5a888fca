//! Paths of the routes about the process itself. They are not in the API document.

/// Path of the liveness check.
pub const LIVE: &str = "/health/live";
/// Path of the readiness check.
pub const READY: &str = "/health/ready";
/// Path of the metrics for Prometheus.
pub const METRICS: &str = "/metrics";
/// Path of the API document.
pub const API_DOCUMENT: &str = "/openapi.json";
/// Path of the page that shows the API document to readers.
pub const DOCS: &str = "/docs";
/// Path of the page that explains a problem code.
pub const PROBLEM: &str = "/problems/{code}";
/// Path to which a release pipeline reports its results, on the internal listener.
pub const RELEASE_GATE: &str = "/internal/release-gate/callbacks";
