//! `[[route]]` as written.

use serde::Deserialize;

/// For whom it is, and where it goes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Route {
    #[serde(default)]
    pub(in crate::config) server_name: Vec<String>,
    pub(in crate::config) location: Option<String>,
    pub(in crate::config) pool: Option<String>,
}
