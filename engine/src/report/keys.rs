//! Keys in JSON: 16 hexadecimal digits. As numbers they would lose their last digits in every reader that takes numbers
//! for doubles (RFC 8259, section 6), browsers among them.

use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// One key.
pub(super) mod one {
    use super::{Deserializer, Serializer, digits, parse};
    use serde::Deserialize;

    pub(crate) fn serialize<S: Serializer>(key: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&digits(*key))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        parse(&String::deserialize(deserializer)?)
    }
}

/// A list of keys.
pub(super) fn serialize<S: Serializer>(keys: &[u64], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(keys.iter().map(|key| digits(*key)))
}

/// See [`serialize`].
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
    Vec::<String>::deserialize(deserializer)?.iter().map(|text| parse(text)).collect()
}

fn digits(key: u64) -> String {
    format!("{key:016x}")
}

fn parse<E: Error>(text: &str) -> Result<u64, E> {
    u64::from_str_radix(text, 16).map_err(|_| E::custom(format!("{text:?} is no key of 16 hexadecimal digits")))
}
