//! The allowed dependencies of each crate: dependencies point one way.
//!
//! The table is compared with `cargo tree`. A crate without a rule is a finding too, so that its author decides.
//! Dev-dependencies have no rule: tests may use any crate.

use std::collections::{BTreeMap, BTreeSet};

use super::{assert_none, text, tracked_files};
use crate::workspace;

/// Crates that reach the network, a disk or a runtime.
const IO: &[&str] = &["axum", "hyper", "reqwest", "rusqlite", "sqlx", "tokio", "tower-http"];
/// Crates that are a database.
const DATABASES: &[&str] = &["rusqlite", "sqlx"];
const NONE: &[&str] = &[];

/// The dependencies that a crate may have.
struct Rule {
    package: &'static str,
    /// Crates of this workspace on which it may depend.
    allowed: &'static [&'static str],
    /// External crates on which it must not depend directly.
    not_directly: &'static [&'static str],
    /// External crates on which it must not depend, also not through another crate.
    not_at_all: &'static [&'static str],
}

const fn rule(
    package: &'static str,
    allowed: &'static [&'static str],
    not_directly: &'static [&'static str],
    not_at_all: &'static [&'static str],
) -> Rule {
    Rule { package, allowed, not_directly, not_at_all }
}

const FAIL_POINTS: &str = "souk-fail-points";
const KERNEL: &str = "souk-eventsourcing";
const DOMAIN: &str = "souk-domain";
const SIGN_IN: &str = "souk-sign-in";
const HTTP_CLIENT: &str = "souk-http-client";
const PRIVATE_FILES: &str = "souk-private-files";
const HTTP: &str = "souk-http";
const GATEWAY: &str = "souk-gateway";
const PROCESSES: &str = "souk-process-managers";
const PROJECTIONS: &str = "souk-projections";
const SHOP_MODEL: &str = "souk-shop-model";
const COMMAND_API: &str = "souk-command-api";
const QUERY_API: &str = "souk-query-api";

/// Packages that may depend on all crates of the program.
const COMPOSERS: [&str; 3] = ["souk", "souk-http-shop", "xtask"];

const RULES: &[Rule] = &[
    rule(KERNEL, NONE, NONE, IO),
    rule(DOMAIN, &[KERNEL], NONE, IO),
    rule(SIGN_IN, &[DOMAIN], NONE, IO),
    rule(PROJECTIONS, &[KERNEL, DOMAIN], NONE, IO),
    rule(FAIL_POINTS, NONE, NONE, IO),
    rule("souk-configuration", &[DOMAIN, SIGN_IN], NONE, DATABASES),
    rule(PROCESSES, &[KERNEL, DOMAIN, SIGN_IN], NONE, IO),
    rule(HTTP, &[KERNEL, DOMAIN, SIGN_IN, PRIVATE_FILES], NONE, DATABASES),
    rule(GATEWAY, &[KERNEL, HTTP, HTTP_CLIENT], NONE, DATABASES),
    rule(HTTP_CLIENT, NONE, &["axum", "reqwest"], DATABASES),
    rule(COMMAND_API, &[KERNEL, DOMAIN, SIGN_IN, PROCESSES, HTTP], NONE, DATABASES),
    rule(QUERY_API, &[KERNEL, DOMAIN, SIGN_IN, PROJECTIONS, HTTP], &["rusqlite"], NONE),
    rule(SHOP_MODEL, &[KERNEL, DOMAIN, PROCESSES], NONE, IO),
    rule("souk-simulation", &[KERNEL, DOMAIN, PROCESSES, PROJECTIONS, SHOP_MODEL], NONE, IO),
    rule("souk-lossy-disk", NONE, &["axum", "sqlx"], NONE),
    rule("souk-servers", NONE, IO, NONE),
    rule("souk-priority", NONE, NONE, IO),
    rule(PRIVATE_FILES, NONE, NONE, IO),
    rule("souk-redis", &[KERNEL, GATEWAY, HTTP], &["axum", "reqwest"], DATABASES),
    rule("souk-sqlite-log", &[KERNEL, FAIL_POINTS, PRIVATE_FILES], &["axum", "sqlx"], NONE),
    rule("souk-mail-folder", &[SIGN_IN, DOMAIN, KERNEL, PRIVATE_FILES], &["axum", "rusqlite", "sqlx"], NONE),
    rule("souk-openid-connect", &[SIGN_IN, DOMAIN, KERNEL, HTTP_CLIENT], &["axum", "reqwest"], DATABASES),
    rule("souk-sqlite-credentials", &[SIGN_IN, DOMAIN, PRIVATE_FILES], &["axum", "rusqlite"], NONE),
    rule("souk-sqlite-person-keys", &[KERNEL, FAIL_POINTS, PRIVATE_FILES], &["axum", "sqlx"], NONE),
    rule("souk-sqlite-read-models", &[KERNEL, PROJECTIONS, FAIL_POINTS, PRIVATE_FILES], &["axum"], NONE),
    rule("souk-simulated-provider", &[KERNEL, DOMAIN, PROCESSES], &["axum", "rusqlite", "sqlx"], NONE),
];

/// The dependencies of every package of the workspace, by name, without dev-dependencies.
struct Graph {
    members: BTreeSet<String>,
    /// Members that lie in `infra/`.
    adapters: BTreeSet<String>,
    /// Members that lie in `testing/`.
    testing: BTreeSet<String>,
    direct: BTreeMap<String, BTreeSet<String>>,
    /// Direct and indirect dependencies.
    all: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    fn read() -> Self {
        let metadata = workspace::metadata(&["--no-deps"]).expect("cargo knows the workspace");
        let infra = workspace::root().join("infra").display().to_string();
        let tests = workspace::root().join("testing").display().to_string();
        let mut members = BTreeSet::new();
        let mut adapters = BTreeSet::new();
        let mut testing = BTreeSet::new();
        for package in metadata["packages"].as_array().expect("cargo lists packages") {
            let text =
                |name: &str| package[name].as_str().expect("cargo metadata has a text here").to_owned();
            members.insert(text("name"));
            if text("manifest_path").starts_with(&infra) {
                adapters.insert(text("name"));
            }
            if text("manifest_path").starts_with(&tests) {
                testing.insert(text("name"));
            }
        }
        let of_each =
            |depth| members.iter().map(|member| (member.clone(), dependencies(member, depth))).collect();
        let direct = of_each(Some("1"));
        let all = of_each(None);
        Self { members, adapters, testing, direct, all }
    }

    fn breaches(&self, rule: &Rule) -> Vec<String> {
        let nothing = BTreeSet::new();
        let direct = self.direct.get(rule.package).unwrap_or(&nothing);
        let all = self.all.get(rule.package).unwrap_or(&nothing);
        let ours = direct.iter().filter(|name| self.members.contains(*name));
        let ours = ours.filter(|name| !rule.allowed.contains(&name.as_str()));
        let others = direct.iter().filter(|name| rule.not_directly.contains(&name.as_str()));
        let hidden = all.iter().filter(|name| rule.not_at_all.contains(&name.as_str()));
        let found: BTreeSet<_> = ours.chain(others).chain(hidden).collect();
        found.into_iter().map(|name| format!("{} depends on {name}", rule.package)).collect()
    }
}

/// The names that `cargo tree` lists for one package. Features that the tests of other crates switch on do not
/// count, because the package is resolved on its own.
fn dependencies(package: &str, depth: Option<&str>) -> BTreeSet<String> {
    let mut command = workspace::cargo();
    command.args(["tree", "--package", package, "--edges", "normal,build", "--prefix", "none"]);
    command.args(["--format", "{p}"]);
    if let Some(depth) = depth {
        command.args(["--depth", depth]);
    }
    let output = command.output().expect("cargo can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).expect("package names are ASCII");
    listed.lines().skip(1).filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn dependencies_point_one_way() {
    let graph = Graph::read();
    let mut findings: Vec<String> = RULES.iter().flat_map(|rule| graph.breaches(rule)).collect();
    let ruled: BTreeSet<&str> = RULES.iter().map(|rule| rule.package).chain(COMPOSERS).collect();
    let unruled = graph.members.iter().filter(|member| !ruled.contains(member.as_str()));
    findings.extend(unruled.map(|member| format!("{member} has no rule in {}", file!())));
    for member in graph.members.iter().filter(|member| !COMPOSERS.contains(&member.as_str())) {
        let known = graph.direct[member].intersection(&graph.adapters);
        findings.extend(known.map(|adapter| format!("{member} depends on the adapter {adapter}")));
    }
    let program = graph.members.difference(&graph.testing).filter(|member| *member != "xtask");
    for member in program {
        let of_tests = graph.direct[member].intersection(&graph.testing);
        findings.extend(of_tests.map(|name| format!("{member} depends on {name}, which is for tests")));
    }
    assert_none(&findings);
}

#[test]
fn a_dependency_in_the_wrong_direction_is_found() {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<String>>();
    let direct = BTreeMap::from([(DOMAIN.to_owned(), set(&[KERNEL, HTTP, "serde"]))]);
    let all = BTreeMap::from([(DOMAIN.to_owned(), set(&[KERNEL, HTTP, "serde", "tokio"]))]);
    let members = set(&[DOMAIN, KERNEL, HTTP]);
    let graph = Graph { members, adapters: BTreeSet::new(), testing: BTreeSet::new(), direct, all };
    let found = graph.breaches(&rule(DOMAIN, &[KERNEL], &["serde"], IO));
    let expected = ["serde", HTTP, "tokio"].map(|name| format!("{DOMAIN} depends on {name}"));
    assert_eq!(found, expected);
}

/// The folder of the query side that may read the log.
const LOG_BROWSER: &str = "log_browser";

#[test]
fn only_the_log_browser_of_the_query_side_reads_the_log() {
    let sources = tracked_files();
    let outside = sources
        .iter()
        .filter(|path| path.starts_with("query-api/src") && !path.to_string_lossy().contains(LOG_BROWSER));
    let findings: Vec<String> = outside
        .filter(|path| text(path).is_some_and(|text| text.contains("EventStore")))
        .map(|path| format!("{}: uses the event store", path.display()))
        .collect();
    assert_none(&findings);
}
