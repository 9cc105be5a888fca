//! Stricter serde readers: one refuses a name that occurs twice in an object, one refuses null for an
//! optional field.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use souk_domain::text::quoted;

/// Reads an object with arbitrary names. Refuses a name that occurs twice; plain serde would keep the last
/// value.
pub fn unique<'de, D: Deserializer<'de>, V: Deserialize<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, V>, D::Error> {
    deserializer.deserialize_map(Unique(PhantomData))
}

/// Reads a field that may be left out but must not be null. Plain serde would treat null as a missing field.
pub fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

struct Unique<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for Unique<V> {
    type Value = BTreeMap<String, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut map = BTreeMap::new();
        while let Some((name, value)) = members.next_entry::<String, V>()? {
            if map.contains_key(&name) {
                return Err(A::Error::custom(format!("duplicate field `{}`", quoted(&name))));
            }
            map.insert(name, value);
        }
        Ok(map)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::body::parse;

    #[derive(Debug, Deserialize)]
    struct Lamp {
        #[serde(default, deserialize_with = "unique")]
        attributes: BTreeMap<String, Option<u8>>,
        #[serde(default, deserialize_with = "present")]
        name: Option<String>,
    }

    #[test]
    fn a_name_that_occurs_twice_is_refused() {
        let lamp: Lamp = parse(br#"{"attributes":{"a":1,"b":null}}"#).unwrap();
        assert_eq!(lamp.attributes, BTreeMap::from([("a".to_owned(), Some(1)), ("b".to_owned(), None)]));
        let problem = parse::<Lamp>(br#"{"attributes":{"a":1,"a":1}}"#).unwrap_err();
        assert!(format!("{problem:?}").contains("duplicate-field"), "{problem:?}");
    }

    #[test]
    fn null_is_refused_for_an_optional_field() {
        assert_eq!(parse::<Lamp>(b"{}").unwrap().name, None);
        assert_eq!(parse::<Lamp>(br#"{"name":""}"#).unwrap().name.as_deref(), Some(""));
        assert!(parse::<Lamp>(br#"{"name":null}"#).is_err());
    }
}
