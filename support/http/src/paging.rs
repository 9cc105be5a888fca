//! Pages of a list: the limit of items, and the cursor that marks the end of the last page.
//!
//! A cursor contains the sort key of the last item, so new rows neither shift nor repeat items of later
//! pages. It also contains the name of the list, so that a cursor of another list is refused. A list whose rows
//! depend on the path has the parameters of the path in its name, as in `order-notes:ID`.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// Number of items on a page if the request has no `limit`.
pub const LIMIT_DEFAULT: u32 = 20;
/// Largest number of items on a page.
pub const LIMIT_MAX: u32 = 100;

/// Returns the number of items for the request's `limit` parameter.
pub fn limit(requested: Option<u32>) -> Result<u32, Problem> {
    match requested {
        None => Ok(LIMIT_DEFAULT),
        Some(limit) if (1..=LIMIT_MAX).contains(&limit) => Ok(limit),
        Some(_) => Err(Problem::parameter("limit", format!("1 to {LIMIT_MAX} is allowed"))),
    }
}

/// Creates the cursor after an item. It contains the name of the list and the sort key of the item.
///
/// # Panics
/// Never for sort keys, which are plain values.
pub fn encode(list: &str, key: &impl Serialize) -> String {
    let json = serde_json::to_vec(&(list, key)).expect("sort keys are plain values");
    BASE64_URL_SAFE_NO_PAD.encode(json)
}

/// Returns the sort key of a cursor. Refuses a cursor of another list.
pub fn decode<K: DeserializeOwned>(list: &str, cursor: Option<&str>) -> Result<Option<K>, Problem> {
    let Some(cursor) = cursor else { return Ok(None) };
    let refused =
        || Problem::parameter("cursor", "a `nextCursor` of this list, with the same sort, is allowed");
    let json = BASE64_URL_SAFE_NO_PAD.decode(cursor).map_err(|_| refused())?;
    let (cursor_list, key): (String, K) = serde_json::from_slice(&json).map_err(|_| refused())?;
    if cursor_list == list { Ok(Some(key)) } else { Err(refused()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_works_only_for_its_own_list() {
        let cursor = encode("products:name", &("lamp", 7));
        assert_eq!(
            decode::<(String, i64)>("products:name", Some(&cursor)).unwrap(),
            Some(("lamp".to_owned(), 7))
        );
        assert!(decode::<(String, i64)>("products:price", Some(&cursor)).is_err());
        assert!(decode::<(String, i64)>("products:name", Some("zzz")).is_err());
        assert!(decode::<(String, i64)>("products:name", None).unwrap().is_none());
    }

    // Proves: common.page-limits
    #[test]
    fn a_limit_outside_the_range_is_refused() {
        assert_eq!(limit(None).unwrap(), LIMIT_DEFAULT);
        assert!(limit(Some(0)).is_err() && limit(Some(101)).is_err());
    }
}
