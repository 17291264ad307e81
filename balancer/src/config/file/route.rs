//! `[[route]]` as written.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Deserialize;

use super::{Compress, LimitReq};

/// For whom it is, and where it goes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Route {
    #[serde(default)]
    pub(in crate::config) server_name: Vec<String>,
    pub(in crate::config) location: Option<String>,
    pub(in crate::config) pool: Option<String>,
    pub(in crate::config) root: Option<PathBuf>,
    pub(in crate::config) alias: Option<PathBuf>,
    pub(in crate::config) index: Option<String>,
    pub(in crate::config) cache_control: Option<String>,
    #[serde(default)]
    pub(in crate::config) precompressed: bool,
    pub(in crate::config) compress: Option<Compress>,
    pub(in crate::config) buffer_requests: Option<String>,
    pub(in crate::config) limit_req: Option<LimitReq>,
    #[serde(default)]
    pub(in crate::config) request_headers: Edits,
    #[serde(default)]
    pub(in crate::config) response_headers: Edits,
    pub(in crate::config) cors: Option<Cors>,
}

/// Changes of one head.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Edits {
    #[serde(default)]
    pub(in crate::config) set: BTreeMap<String, String>,
    #[serde(default)]
    pub(in crate::config) add: BTreeMap<String, String>,
    #[serde(default)]
    pub(in crate::config) remove: Vec<String>,
}

impl Edits {
    /// Whether there are none.
    pub(in crate::config) fn is_empty(&self) -> bool {
        self.set.is_empty() && self.add.is_empty() && self.remove.is_empty()
    }
}

/// What other sites are granted.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Cors {
    #[serde(default)]
    pub(in crate::config) allow_origin: Vec<String>,
    #[serde(default)]
    pub(in crate::config) allow_credentials: bool,
    #[serde(default)]
    pub(in crate::config) allow_methods: Vec<String>,
    #[serde(default)]
    pub(in crate::config) allow_headers: Vec<String>,
    #[serde(default)]
    pub(in crate::config) expose_headers: Vec<String>,
    pub(in crate::config) max_age: Option<String>,
}
