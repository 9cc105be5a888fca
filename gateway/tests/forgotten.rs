//! A route without a row in the route table.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::get;
use souk_domain::CustomerId;
use souk_eventsourcing::testkit::{Noon, noon};
use souk_gateway::{BodyHandling, Edge, Limits, document, edge};
use souk_http::identity::{Grant, issue};
use souk_http::{Keys, Role};
use tower::ServiceExt;
use utoipa::openapi::path::Operation;
use uuid::Uuid;

mod routes;

// Proves: edge.access-table
#[tokio::test]
async fn a_route_without_a_row_refuses_every_request() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Arc::new(Keys::open(folder.path()).unwrap());
    let router = Router::new().route("/api/forgotten", get(|| async { "in" }));
    let settings = Edge {
        routes: routes::table(),
        tokens: keys.clone(),
        ended_sessions: Arc::default(),
        clock: Arc::new(Noon),
        limits: Arc::new(Limits::off()),
        proxies: Arc::default(),
        bodies: BodyHandling::ReadHere,
        memory: Arc::default(),
    };
    let app = edge(router, settings);
    let subject = CustomerId::parse("ops").unwrap();
    let grant = Grant { subject: &subject, role: Role::Admin, ttl: Duration::from_mins(1), session: None };
    let token = issue(&keys, grant, noon(), Uuid::nil());
    for bearer in [None, Some(format!("Bearer {token}"))] {
        let mut request = Request::get("/api/forgotten").header("x-api-version", "v1");
        if let Some(bearer) = &bearer {
            request = request.header("authorization", bearer);
        }
        let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status().as_u16(), 500, "{bearer:?}");
    }
    // At its start, the program calls this function for each route, and panics if it returns false.
    assert!(!document::secure(&routes::table(), "GET", "/api/forgotten", &mut Operation::default()));
}
