//! Pages: a limit, and a cursor that says where the last one ended.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// Items of a page unless asked otherwise.
pub const LIMIT_DEFAULT: u32 = 20;
/// Items of a page at most.
pub const LIMIT_MAX: u32 = 100;

/// Checks a limit.
pub fn limit(asked: Option<u32>) -> Result<u32, Problem> {
    match asked {
        None => Ok(LIMIT_DEFAULT),
        Some(limit) if (1..=LIMIT_MAX).contains(&limit) => Ok(limit),
        Some(_) => Err(Problem::parameter("limit", format!("1 to {LIMIT_MAX} is allowed"))),
    }
}

/// The cursor behind an item: the list it is of, and the item's sort key.
///
/// # Panics
/// Never for sort keys, which are plain values.
pub fn encode(list: &str, key: &impl Serialize) -> String {
    let json = serde_json::to_vec(&(list, key)).expect("sort keys are plain values");
    BASE64_URL_SAFE_NO_PAD.encode(json)
}

/// Reads a cursor of this list.
pub fn decode<K: DeserializeOwned>(list: &str, cursor: Option<&str>) -> Result<Option<K>, Problem> {
    let Some(cursor) = cursor else { return Ok(None) };
    let refused =
        || Problem::parameter("cursor", "a `nextCursor` of this list, with the same sort, is allowed");
    let json = BASE64_URL_SAFE_NO_PAD.decode(cursor).map_err(|_| refused())?;
    let (of, key): (String, K) = serde_json::from_slice(&json).map_err(|_| refused())?;
    if of == list { Ok(Some(key)) } else { Err(refused()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_good_for_its_own_list_only() {
        let cursor = encode("products:name", &("lamp", 7));
        assert_eq!(
            decode::<(String, i64)>("products:name", Some(&cursor)).unwrap(),
            Some(("lamp".to_owned(), 7))
        );
        assert!(decode::<(String, i64)>("products:price", Some(&cursor)).is_err());
        assert!(decode::<(String, i64)>("products:name", Some("zzz")).is_err());
        assert!(decode::<(String, i64)>("products:name", None).unwrap().is_none());
    }

    #[test]
    fn limits_are_held() {
        assert_eq!(limit(None).unwrap(), LIMIT_DEFAULT);
        assert!(limit(Some(0)).is_err() && limit(Some(101)).is_err());
    }
}
