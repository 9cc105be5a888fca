//! Environment variables: known ones, ones of the container platform, and mistakes.

use std::collections::HashMap;
use std::ffi::OsString;

use super::{ConfigurationError, PREFIX, Raw, not_allowed, providers, service_links};

/// Minimum similarity of a mistyped name and a known name, so that the message suggests the known name. 1
/// means equal.
const LIKENESS_MIN: f64 = 0.6;

/// Returns the variables that the shop knows. Refuses an unknown variable with the prefix of the shop, and a
/// value that is not UTF-8.
pub(super) fn of(
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Result<HashMap<String, String>, ConfigurationError> {
    let known = known();
    let mut variables = HashMap::new();
    for (name, value) in environment {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        let is_known = known.iter().any(|known| known == name) || providers::is_variable(name);
        let value = match value.into_string() {
            Ok(value) => value,
            Err(_) if is_known => {
                return Err(not_allowed(name, "(not shown)", "must be UTF-8 text"));
            }
            Err(_) => String::new(),
        };
        if is_known {
            variables.insert(name.to_owned(), value);
        } else if !service_links::is_injected(name, &value) {
            let nearest = nearest(name, &known);
            return Err(ConfigurationError::Unknown { name: name.to_owned(), nearest, known });
        }
    }
    Ok(variables)
}

/// Returns the names of all known variables.
pub(super) fn known() -> Vec<String> {
    let raw = serde_json::to_value(Raw::default()).expect("optional strings serialize to JSON");
    let fields = raw.as_object().into_iter().flatten();
    let names = fields.map(|(field, _)| format!("{PREFIX}{}", field.to_uppercase()));
    names.chain(providers::VARIABLES.map(str::to_owned)).collect()
}

/// Returns the known name that is most similar to a mistyped name, or `None` if no name is similar enough.
fn nearest(name: &str, known: &[String]) -> Option<String> {
    let stem = |name: &str| name.strip_prefix(PREFIX).unwrap_or(name).to_owned();
    let likeness = |known: &str| strsim::normalized_damerau_levenshtein(&stem(name), &stem(known));
    let candidates = known.iter().map(|known| providers::with_provider_name(known, name));
    let likely =
        candidates.map(|known| (likeness(&known), known)).filter(|(likeness, _)| *likeness >= LIKENESS_MIN);
    likely.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_texts(variables: &[(&str, &str)]) -> Result<HashMap<String, String>, String> {
        let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        of(variables).map_err(|error| error.to_string())
    }

    #[test]
    fn variables_that_kubernetes_injects_for_a_service_named_souk_are_ignored() {
        let read = of_texts(&[
            ("SOUK_SERVICE_HOST", "10.96.0.12"),
            ("SOUK_SERVICE_PORT", "8080"),
            ("SOUK_SERVICE_PORT_HTTP", "8080"),
            ("SOUK_PORT", "tcp://10.96.0.12:8080"),
            ("SOUK_PORT_8080_TCP", "tcp://10.96.0.12:8080"),
            ("SOUK_PORT_8080_TCP_PROTO", "tcp"),
            ("SOUK_PORT_8080_TCP_PORT", "8080"),
            ("SOUK_PORT_8080_TCP_ADDR", "10.96.0.12"),
            ("SOUK_GATEWAY_SERVICE_HOST", "10.96.0.13"),
            ("SOUK_GATEWAY_PORT_80_TCP_ADDR", "10.96.0.13"),
            ("SOUK_LISTEN", "127.0.0.1:1"),
            ("PATH", "/bin"),
        ]);
        assert_eq!(read.unwrap(), HashMap::from([("SOUK_LISTEN".to_owned(), "127.0.0.1:1".to_owned())]));
    }

    // Proves: operations.configuration
    #[test]
    fn a_mistyped_variable_is_refused_with_the_nearest_name() {
        for (mistyped, nearest) in [
            ("SOUK_LISTN", "SOUK_LISTEN"),
            ("SOUK_LSITEN", "SOUK_LISTEN"),
            ("SOUK_PAYMENT_TIMEOUT", "SOUK_PAYMENT_TIMEOUT_S"),
            ("SOUK_TRUSTED_PROXY", "SOUK_TRUSTED_PROXIES"),
            ("SOUK_OIDC_WORK_ISUER", "SOUK_OIDC_WORK_ISSUER"),
        ] {
            let error = of_texts(&[(mistyped, "x")]).unwrap_err();
            assert!(error.starts_with(&format!("unknown variable {mistyped}")), "{error}");
            assert!(error.contains(&format!("did you mean {nearest}?")), "{error}");
        }
        let error = of_texts(&[("SOUK_PORT", "8080")]).unwrap_err();
        assert!(error.contains("unknown variable SOUK_PORT") && error.contains("SOUK_LISTEN"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_not_utf_8_is_refused_and_not_treated_as_empty() {
        use std::os::unix::ffi::OsStringExt as _;
        let value = OsString::from_vec(b"/data/caf\xe9".to_vec());
        let error = of([(OsString::from("SOUK_DATA"), value)].into_iter()).unwrap_err().to_string();
        assert!(error.starts_with("SOUK_DATA") && error.contains("UTF-8 text"), "{error}");
    }
}
