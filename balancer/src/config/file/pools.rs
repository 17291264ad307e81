//! `[pool]`, or `[[pool]]` when there are several.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

use super::Pool;

/// The pools of a file, and whether they are a list.
#[derive(Debug)]
pub(in crate::config) struct Pools {
    pub(in crate::config) list: Vec<Pool>,
    pub(in crate::config) is_list: bool,
}

impl Default for Pools {
    fn default() -> Self {
        Self { list: vec![Pool::default()], is_list: false }
    }
}

impl<'de> Deserialize<'de> for Pools {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(OneOrMore)
    }
}

struct OneOrMore;

impl<'de> Visitor<'de> for OneOrMore {
    type Value = Pools;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("[pool], or [[pool]] with names")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Pools, A::Error> {
        let pool = Pool::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Pools { list: vec![pool], is_list: false })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Pools, A::Error> {
        let mut list = Vec::new();
        while let Some(pool) = items.next_element()? {
            list.push(pool);
        }
        Ok(Pools { list, is_list: true })
    }
}
