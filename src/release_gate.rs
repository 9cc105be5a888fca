//! `POST /internal/release-gate/callbacks`: results of a release pipeline, as metrics. The route exists only
//! on the internal listener.
//!
//! Every client of that listener can invent names of gates, so the table of gates has a limit. If the table
//! is full, a new gate replaces the gate with the fewest callbacks, and among these the oldest one. The
//! metrics are rendered from the table, so a replaced gate has no metrics any more.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use jiff::Timestamp;
use serde::Deserialize;
use souk_http::routes::operations::RELEASE_GATE;
use souk_http::{Problem, StrictJson};

/// Maximum number of gates in the table. Each gate has up to four series in each metric.
const GATES_MAX: usize = 50;
/// Maximum length of the name of a gate or release, in characters.
const NAME_CHARS_MAX: usize = 64;

/// Result of a gate, as the pipeline sends it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Callback {
    environment: Environment,
    release: String,
    gate: String,
    status: Status,
    at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Environment {
    Staging,
    Production,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Passed,
    Failed,
}

impl Environment {
    fn as_str(self) -> &'static str {
        match self {
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
        }
    }
}

/// Table of the known gates.
#[derive(Clone, Default)]
pub struct Gates(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    gates: BTreeMap<String, Gate>,
    /// Number of gates that were ever added.
    added: u64,
}

struct Gate {
    /// Number of the gate in the order in which gates were added.
    number: u64,
    callbacks: u64,
    series: BTreeMap<(Environment, Status), Series>,
}

/// Callbacks of a gate in one environment with one status: their number, and the time of the last one.
#[derive(Clone, Copy, Default)]
struct Series {
    count: u64,
    last_s: i64,
}

impl Table {
    /// Counts a callback. A new gate may replace another gate.
    fn count(&mut self, gate: &str, of: (Environment, Status), at_s: i64) {
        if !self.gates.contains_key(gate) && self.gates.len() >= GATES_MAX {
            let least = self.gates.iter().min_by_key(|(_, gate)| (gate.callbacks, gate.number));
            if let Some(name) = least.map(|(name, _)| name.clone()) {
                tracing::warn!(
                    gate = name,
                    "a release gate was replaced by a new one, because the table is full"
                );
                self.gates.remove(&name);
            }
        }
        let added = &mut self.added;
        let gate = self.gates.entry(gate.to_owned()).or_insert_with(|| {
            *added += 1;
            Gate { number: *added, callbacks: 0, series: BTreeMap::new() }
        });
        gate.callbacks += 1;
        let series = gate.series.entry(of).or_default();
        series.count += 1;
        series.last_s = at_s;
    }

    fn metric(&self, name: &str, kind: &str, value: impl Fn(&Series) -> String) -> String {
        let mut text = format!("# TYPE {name} {kind}\n");
        for (gate, of) in &self.gates {
            let gate = gate.replace('\\', "\\\\").replace('"', "\\\"");
            for ((environment, status), series) in &of.series {
                let labels = format!(
                    "environment=\"{}\",gate=\"{gate}\",status=\"{}\"",
                    environment.as_str(),
                    status.as_str()
                );
                // Writing to a string does not fail.
                let _ = writeln!(text, "{name}{{{labels}}} {}", value(series));
            }
        }
        text
    }
}

impl Gates {
    /// Returns the metrics of all gates in the text format of Prometheus.
    pub fn render(&self) -> String {
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if table.gates.is_empty() {
            return String::new();
        }
        let count = |series: &Series| series.count.to_string();
        let last = |series: &Series| series.last_s.to_string();
        table.metric("souk_release_gate_callbacks_total", "counter", count)
            + &table.metric("souk_release_gate_last_seconds", "gauge", last)
    }
}

/// Returns the router with the route of the callbacks.
pub fn router(gates: Gates) -> Router {
    Router::new().route(RELEASE_GATE, post(callback)).with_state(gates)
}

async fn callback(State(gates): State<Gates>, body: StrictJson<Callback>) -> Result<StatusCode, Problem> {
    let Callback { environment, release, gate, status, at } = body.value;
    let is_name = |text: &str| {
        (1..=NAME_CHARS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    for (pointer, text) in [("/release", &release), ("/gate", &gate)] {
        if !is_name(text) {
            let detail = "must be 1 to 64 visible ASCII characters without spaces";
            return Err(Problem::field(pointer, "invalid-text", detail));
        }
    }
    tracing::info!(
        environment = environment.as_str(),
        release,
        gate,
        status = status.as_str(),
        %at,
        "a release gate called back"
    );
    let mut table = gates.0.lock().unwrap_or_else(PoisonError::into_inner);
    table.count(&gate, (environment, status), at.as_second());
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(gates: &Gates, gate: &str, times: usize) {
        let of = (Environment::Staging, Status::Passed);
        for _ in 0..times {
            gates.0.lock().unwrap().count(gate, of, 7);
        }
    }

    #[test]
    fn invented_gates_replace_only_each_other() {
        let gates = Gates::default();
        count(&gates, "smoke", 2);
        for number in 0..10 * GATES_MAX {
            count(&gates, &format!("invented-{number}"), 1);
        }
        count(&gates, "rollback", 1);
        let text = gates.render();
        let series = "souk_release_gate_callbacks_total{environment=\"staging\",gate=";
        assert_eq!(text.matches(series).count(), GATES_MAX);
        assert!(text.contains(&format!("{series}\"smoke\",status=\"passed\"}} 2\n")), "{text}");
        assert!(text.contains(&format!("{series}\"rollback\",status=\"passed\"}} 1\n")), "{text}");
        assert!(text.contains("souk_release_gate_last_seconds") && !text.contains("invented-0\""), "{text}");
    }

    #[test]
    fn the_name_of_a_gate_is_escaped_in_its_label() {
        let gates = Gates::default();
        count(&gates, "a\"b\\", 1);
        assert!(gates.render().contains(r#"gate="a\"b\\","#), "{}", gates.render());
        assert_eq!(Gates::default().render(), "");
    }
}
