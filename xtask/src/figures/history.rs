//! Subjects of commits: `area: Verb object` with one area, at most 72 characters.
//!
//! The commits after the one that `.ci/subjects-checked-after` names are held to it.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::workspace;

/// Characters of a subject, at most.
const SUBJECT_CHARS_MAX: usize = 72;
/// The file with the hash of the last commit that is not held to the rule.
const BASE_FILE: &str = ".ci/subjects-checked-after";

/// The fault of a subject, if it has one.
fn fault(subject: &str) -> Option<String> {
    let length = subject.chars().count();
    if length > SUBJECT_CHARS_MAX {
        return Some(format!("{length} characters, at most {SUBJECT_CHARS_MAX}"));
    }
    let is_letter =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-/.".contains(letter);
    let is_area = |area: &str| !area.is_empty() && area.chars().all(is_letter);
    let is_formed = subject.split_once(": ").is_some_and(|(area, change)| {
        is_area(area) && change.starts_with(|first: char| first.is_uppercase()) && !change.ends_with('.')
    });
    (!is_formed).then(|| "not `area: Verb object`".to_owned())
}

/// Commits with a fault in the subject, each as hash, subject and fault; the newest first. Merges are not checked.
pub(crate) fn subject_faults() -> Result<Vec<String>> {
    let base = std::fs::read_to_string(workspace::root().join(BASE_FILE))
        .with_context(|| format!("{BASE_FILE} can't be read"))?;
    let range = format!("{}..HEAD", base.trim());
    let output = Command::new("git")
        .args(["log", "--no-merges", "--format=%H %s", &range])
        .current_dir(workspace::root())
        .output()
        .context("git can't be run")?;
    ensure!(
        output.status.success(),
        "the history since {} is not in this clone (`git fetch --unshallow` brings it): {}",
        base.trim(),
        String::from_utf8_lossy(&output.stderr)
    );
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    let commits = listed.lines().filter_map(|line| line.split_once(' '));
    let faults =
        commits.filter_map(|(hash, subject)| Some(format!("{} {subject}: {}", &hash[..8], fault(subject)?)));
    Ok(faults.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_names_its_area_and_what_changes() {
        let long = format!("docs: {}", "A".repeat(67));
        for (subject, is_right) in [
            ("gateway: Delay 404s of owner-only routes", true),
            ("infra/redis: Count by address", true),
            ("domain, web: Name limits alike", false),
            ("Tell what is not there", false),
            ("gateway: delay 404s", false),
            ("gateway: Delay 404s.", false),
            ("Gateway: Delay 404s", false),
            (": Delay", false),
            (long.as_str(), false),
        ] {
            assert_eq!(fault(subject).is_none(), is_right, "{subject}");
        }
    }
}
