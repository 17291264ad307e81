//! `[[route]]` as written.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::LimitReq;

/// For whom it is, and where it goes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Route {
    #[serde(default)]
    pub(in crate::config) server_name: Vec<String>,
    pub(in crate::config) location: Option<String>,
    pub(in crate::config) pool: Option<String>,
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
