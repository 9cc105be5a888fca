//! Writes `docs/RULES.md`: each rule of the shop, by context, with the tests that prove it.
//!
//! `docs/rules.toml` lists the rules. A test names a rule that it proves in a comment directly above its
//! attributes: `// Proves: orders.placed-once`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::{claims, workspace};

/// List of the rules.
const LIST: &str = "docs/rules.toml";
/// Page that is generated from the list and the tests.
pub(crate) const PAGE: &str = "docs/RULES.md";
/// Beginning of the comment with which a test names a rule.
pub(crate) const MARK: &str = "// Proves: ";
/// Cell of a rule that no test proves.
const NO_TEST: &str = "**no test yet**";

/// Rules of the whole shop.
#[derive(Debug, Deserialize)]
pub(crate) struct Rules {
    context: Vec<BoundedContext>,
}

/// Part of the shop with its rules. A context without rules is not built yet.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BoundedContext {
    /// First part of the ids of its rules.
    id: String,
    title: String,
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    /// Second part of its id.
    id: String,
    text: String,
    /// True if no test proves the rule yet.
    #[serde(default)]
    untested: bool,
}

/// Test that proves a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Proof {
    /// Id of the rule, with its context.
    pub(crate) rule: String,
    /// Modules and name of the test.
    pub(crate) test: String,
}

/// Proofs by the path of their file.
pub(crate) type ProofsByFile = BTreeMap<PathBuf, Vec<Proof>>;

impl Rules {
    /// Reads a list.
    pub(crate) fn parse(list: &str) -> Result<Self> {
        toml::from_str(list).context(LIST)
    }

    /// Returns a finding for each proof of an unknown rule, each rule that occurs twice or that no test proves,
    /// and each rule that is marked as untested although it has a test.
    pub(crate) fn findings(&self, proofs: &ProofsByFile) -> Vec<String> {
        let mut ids = BTreeSet::new();
        let mut findings = Vec::new();
        let proven: BTreeSet<&str> = proofs.values().flatten().map(|proof| proof.rule.as_str()).collect();
        for (context, rule) in self.context.iter().flat_map(|of| of.rules.iter().map(move |rule| (of, rule)))
        {
            let id = format!("{}.{}", context.id, rule.id);
            match (proven.contains(id.as_str()), rule.untested) {
                (false, false) => findings.push(format!("{LIST}: no test proves `{id}`")),
                (true, true) => findings.push(format!("{LIST}: `{id}` has a test, so it is not untested")),
                _ => {}
            }
            if !ids.insert(id.clone()) {
                findings.push(format!("{LIST}: `{id}` is listed twice"));
            }
        }
        for (path, of_file) in proofs {
            let unknown = of_file.iter().filter(|proof| !ids.contains(&proof.rule));
            findings.extend(unknown.map(|proof| {
                format!("{}: `{}` proves the unknown rule `{}`", path.display(), proof.test, proof.rule)
            }));
        }
        findings
    }

    /// Returns the page with all rules and their tests.
    pub(crate) fn page(&self, proofs: &ProofsByFile, packages: &BTreeMap<PathBuf, String>) -> String {
        let mut tests: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (path, of_file) in proofs {
            for proof in of_file {
                let package = package_of(path, packages);
                let test = format!("{package}: `{}` ({})", proof.test, path.display());
                tests.entry(&proof.rule).or_default().push(test);
            }
        }
        let mut page = String::from(
            "# Rules\n\nThe rules of the shop, with the tests that prove them. `cargo xtask rules` writes this \
             file from [rules.toml](rules.toml) and from the comments `// Proves: …` above the tests.\n",
        );
        for context in &self.context {
            let _ = write!(page, "\n## {}\n\n", context.title);
            if context.rules.is_empty() {
                page.push_str("Not built yet.\n");
                continue;
            }
            page.push_str("| rule | id | tests |\n|---|---|---|\n");
            for rule in &context.rules {
                let id = format!("{}.{}", context.id, rule.id);
                let shown =
                    tests.get(id.as_str()).map_or_else(|| NO_TEST.to_owned(), |tests| tests.join("<br>"));
                let _ = writeln!(page, "| {} | `{id}` | {shown} |", rule.text);
            }
        }
        page
    }
}

/// Returns the name of the package whose folder contains a file.
fn package_of<'a>(path: &Path, packages: &'a BTreeMap<PathBuf, String>) -> &'a str {
    path.ancestors().find_map(|folder| packages.get(folder)).map_or("", String::as_str)
}

/// Returns the modules of a file, from the root of its crate.
fn modules_of(path: &Path) -> Vec<String> {
    let names: Vec<String> = path.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    let root = names.iter().position(|name| name == "src" || name == "tests").map_or(0, |at| at + 1);
    let mut modules = names[root..].to_vec();
    if let Some(file) = modules.pop() {
        let module = file.trim_end_matches(".rs");
        if !matches!(module, "mod" | "lib" | "main") {
            modules.push(module.to_owned());
        }
    }
    modules
}

/// Returns the proofs in a source file, and a finding for each comment that no test follows.
pub(crate) fn proofs_in(path: &Path, source: &str) -> (Vec<Proof>, Vec<String>) {
    let modules = modules_of(path);
    let mut inline_module = None;
    let mut proofs = Vec::new();
    let mut findings = Vec::new();
    let mut rules: Vec<&str> = Vec::new();
    let mut tests = claims::TestLines::default();
    for line in source.lines() {
        if let Some(name) = line.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(" {")) {
            inline_module = Some(name);
        }
        if let Some(rule) = line.trim().strip_prefix(MARK) {
            rules.push(rule);
        } else if let Some(test) = tests.read(line) {
            let names = modules.iter().map(String::as_str).chain(inline_module).chain([test.as_str()]);
            let test = names.collect::<Vec<_>>().join("::");
            proofs.extend(rules.drain(..).map(|rule| Proof { rule: rule.to_owned(), test: test.clone() }));
        } else if !line.trim().starts_with("#[") {
            let lost = rules.drain(..);
            findings.extend(lost.map(|rule| format!("{}: no test follows `{MARK}{rule}`", path.display())));
        }
    }
    (proofs, findings)
}

/// Returns the proofs of every source file of the checkout, and the findings in them.
fn proofs_of_checkout() -> Result<(ProofsByFile, Vec<String>)> {
    let mut proofs = ProofsByFile::new();
    let mut findings = Vec::new();
    for path in workspace::tracked_files()? {
        if path.extension().is_some_and(|extension| extension == "rs") {
            let source = std::fs::read_to_string(workspace::root().join(&path))?;
            let (of_file, of_comments) = proofs_in(&path, &source);
            findings.extend(of_comments);
            proofs.insert(path, of_file);
        }
    }
    Ok((proofs, findings))
}

/// Returns the name of each package of the workspace, by its folder relative to the root.
fn packages() -> Result<BTreeMap<PathBuf, String>> {
    let metadata = workspace::metadata(&["--no-deps"])?;
    let packages = metadata["packages"].as_array().context("cargo lists no packages")?;
    let mut by_folder = BTreeMap::new();
    for package in packages {
        let manifest = package["manifest_path"].as_str().context("a package has no manifest")?;
        let folder = Path::new(manifest).parent().context("a manifest has no folder")?;
        let name = package["name"].as_str().context("a package has no name")?;
        by_folder.insert(folder.strip_prefix(workspace::root())?.to_owned(), name.to_owned());
    }
    Ok(by_folder)
}

/// Returns the page of the checkout, and a finding for each rule, comment and test that do not fit together.
pub(crate) fn check() -> Result<(String, Vec<String>)> {
    let rules = Rules::parse(&std::fs::read_to_string(workspace::root().join(LIST))?)?;
    let (proofs, mut findings) = proofs_of_checkout()?;
    findings.extend(rules.findings(&proofs));
    Ok((rules.page(&proofs, &packages()?), findings))
}

/// Writes the page. Returns false if there are findings.
pub(crate) fn write() -> Result<bool> {
    let (page, findings) = check()?;
    std::fs::write(workspace::root().join(PAGE), page)?;
    println!("{PAGE} is written");
    for finding in &findings {
        println!("WRONG  {finding}");
    }
    Ok(findings.is_empty())
}
