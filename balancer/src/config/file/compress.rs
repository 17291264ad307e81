//! `compress`: whether, or what.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};

/// What is compressed, if anything is.
#[derive(Debug)]
pub(in crate::config) enum Compress {
    Off,
    On(Terms),
}

/// What is said about it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Terms {
    pub(in crate::config) types: Option<Vec<String>>,
    pub(in crate::config) min_length: Option<String>,
}

impl<'de> Deserialize<'de> for Compress {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(WhetherOrWhat)
    }
}

struct WhetherOrWhat;

impl<'de> Visitor<'de> for WhetherOrWhat {
    type Value = Compress;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("true, false, or a table with types and min_length")
    }

    fn visit_bool<E>(self, is_on: bool) -> Result<Compress, E> {
        Ok(if is_on { Compress::On(Terms::default()) } else { Compress::Off })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Compress, A::Error> {
        Terms::deserialize(MapAccessDeserializer::new(map)).map(Compress::On)
    }
}
