//! Parser of the text of `/metrics` (Prometheus exposition format).

/// Returns the sum of a counter over all label sets that contain `label`; `None` if there is no such counter.
pub(super) fn counter(text: &str, name: &str, label: &str) -> Option<f64> {
    let values: Vec<f64> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let (labels, value) = rest.rsplit_once(' ')?;
            let is_whole_name = labels.is_empty() || labels.starts_with('{');
            (is_whole_name && labels.contains(label)).then(|| value.parse().ok()).flatten()
        })
        .collect();
    if values.is_empty() { None } else { Some(values.iter().sum()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_summed_over_its_labels_and_not_confused_with_others() {
        let text = "# TYPE souk_commits counter\nsouk_commits 3\nsouk_commits_total{stream=\"a\"} 4\nsouk_commits_total{stream=\"b\"} 5\n";
        assert_eq!(counter(text, "souk_commits", ""), Some(3.0));
        assert_eq!(counter(text, "souk_commits_total", ""), Some(9.0));
        assert_eq!(counter(text, "souk_commits_total", "stream=\"a\""), Some(4.0));
        assert_eq!(counter(text, "souk_events_total", ""), None);
    }
}
