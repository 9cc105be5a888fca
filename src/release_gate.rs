//! `POST /internal/release-gate/callbacks`: what a release pipeline found out, as metrics. Only on the
//! internal listener.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use jiff::Timestamp;
use serde::Deserialize;
use souk_web::{Problem, StrictJson};

/// Gates that are told apart: each is a series of metrics.
const GATES_MAX: usize = 50;
/// Characters of a gate's and of a release's name.
const NAME_CHARS_MAX: usize = 64;

/// What a gate found out.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Callback {
    environment: Environment,
    release: String,
    gate: String,
    status: Status,
    at: Timestamp,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Environment {
    Staging,
    Production,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Passed,
    Failed,
}

/// The gates so far.
type Gates = Arc<Mutex<BTreeSet<String>>>;

/// The route.
pub fn router() -> Router {
    let gates = Gates::default();
    Router::new().route("/internal/release-gate/callbacks", post(callback)).with_state(gates)
}

async fn callback(State(gates): State<Gates>, body: StrictJson<Callback>) -> Result<StatusCode, Problem> {
    let Callback { environment, release, gate, status, at } = body.value;
    let is_name = |text: &str| {
        (1..=NAME_CHARS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    for (pointer, text) in [("/release", &release), ("/gate", &gate)] {
        if !is_name(text) {
            let detail = "1 to 64 visible ASCII characters without spaces are allowed";
            return Err(Problem::field(pointer, "invalid-text", detail));
        }
    }
    know(&gates, &gate)?;
    let environment = match environment {
        Environment::Staging => "staging",
        Environment::Production => "production",
    };
    let status = match status {
        Status::Passed => "passed",
        Status::Failed => "failed",
    };
    tracing::info!(environment, release, gate, status, %at, "a release gate called back");
    let labels =
        [("environment", environment.to_owned()), ("gate", gate.clone()), ("status", status.to_owned())];
    metrics::counter!("souk_release_gate_callbacks_total", &labels).increment(1);
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; seconds are small")]
    metrics::gauge!("souk_release_gate_last_seconds", &labels).set(at.as_second() as f64);
    Ok(StatusCode::NO_CONTENT)
}

/// A gate nobody heard of yet is taken in while there is room.
fn know(gates: &Gates, gate: &str) -> Result<(), Problem> {
    let mut gates = gates.lock().unwrap_or_else(PoisonError::into_inner);
    if gates.len() >= GATES_MAX && !gates.contains(gate) {
        let detail = format!("at most {GATES_MAX} gates are told apart");
        return Err(Problem::field("/gate", "too-many-gates", detail));
    }
    gates.insert(gate.to_owned());
    Ok(())
}
