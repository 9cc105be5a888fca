//! Correlation ids that clients send, and the form in which the event log stores them.
//!
//! UUIDs, trace ids and other long hexadecimal ids are stored as sent. Any other text may be a name, an
//! address or a telephone number, and the log never deletes anything, so the log stores a keyed hash of it
//! instead. Responses repeat the text that the client sent, and `GET /api/admin/correlations/{id}` finds the
//! request by that text.

use souk_eventsourcing::CorrelationId;

/// Smallest number of hexadecimal digits of an id that is stored as sent. Telephone numbers have at most 15
/// digits.
pub const PLAIN_ID_DIGITS_MIN: usize = 16;
/// Largest length of an id that is stored as sent, in characters.
pub const PLAIN_ID_CHARS_MAX: usize = 64;
/// Length of the keyed hash that replaces an id, in hexadecimal digits: 128 bits.
const HASH_DIGITS: usize = 32;
/// Prefix of a keyed hash that replaces an id.
const HASH_PREFIX: &str = "sent-";

/// Returns the form in which the event log stores an id.
pub fn in_log(key: &[u8; 32], id: &CorrelationId) -> CorrelationId {
    let text = id.as_str();
    let digits = text.bytes().filter(u8::is_ascii_hexdigit).count();
    let is_plain = digits >= PLAIN_ID_DIGITS_MIN
        && text.len() <= PLAIN_ID_CHARS_MAX
        && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if is_plain {
        return id.clone();
    }
    let hash = blake3::keyed_hash(key, text.as_bytes()).to_hex();
    let hashed = format!("{HASH_PREFIX}{}", &hash[..HASH_DIGITS]);
    CorrelationId::parse(&hashed).unwrap_or_else(|| id.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_log_of(text: &str) -> String {
        in_log(&[1; 32], &CorrelationId::parse(text).unwrap()).as_str().to_owned()
    }

    #[test]
    fn uuids_and_trace_ids_are_stored_as_sent_and_other_texts_are_hashed() {
        for plain in
            ["00f067aa0ba902b7", "0199c2aa-4f1e-7000-8000-000000000001", &"a".repeat(PLAIN_ID_CHARS_MAX)]
        {
            assert_eq!(in_log_of(plain), plain);
        }
        for text in [
            "zoe@example.org",
            "visit-of-zoe",
            "4f1e2c",
            "44-7700-900123",
            &"a".repeat(PLAIN_ID_CHARS_MAX + 1),
            "sent-00",
        ] {
            let hashed = in_log_of(text);
            assert!(hashed.starts_with(HASH_PREFIX) && !hashed.contains(text), "{hashed}");
            assert_eq!(in_log_of(text), hashed);
        }
        assert_ne!(in_log_of("zoe@example.org"), in_log_of("ada@example.org"));
    }
}
