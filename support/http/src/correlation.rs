//! Correlation ids that clients send, and the form in which the log holds them.
//!
//! UUIDs and trace ids stay as they are. Any other text may be a name, an address or a telephone number, and
//! nothing is ever deleted from the log. So the log holds a keyed hash in its place. Responses repeat the text
//! that the client sent, and `GET /api/admin/correlations/{id}` finds the request by that text.

use souk_eventsourcing::CorrelationId;

/// The shortest id that the log holds as it was sent, in hexadecimal digits. Telephone numbers have at most 15.
pub const PLAIN_ID_DIGITS_MIN: usize = 16;
/// The longest id that the log holds as it was sent, in characters.
pub const PLAIN_ID_CHARS_MAX: usize = 64;
/// The hexadecimal digits of a keyed hash in the place of an id: 128 bits.
const HASH_DIGITS: usize = 32;
/// The first characters of an id that stands for another.
const HASHED: &str = "sent-";

/// Returns the form in which the log holds an id.
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
    let hashed = format!("{HASHED}{}", &hash[..HASH_DIGITS]);
    CorrelationId::parse(&hashed).unwrap_or_else(|| id.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_log_of(text: &str) -> String {
        in_log(&[1; 32], &CorrelationId::parse(text).unwrap()).as_str().to_owned()
    }

    #[test]
    fn uuids_and_trace_ids_stay_and_other_texts_are_hashed() {
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
            assert!(hashed.starts_with(HASHED) && !hashed.contains(text), "{hashed}");
            assert_eq!(in_log_of(text), hashed);
        }
        assert_ne!(in_log_of("zoe@example.org"), in_log_of("ada@example.org"));
    }
}
