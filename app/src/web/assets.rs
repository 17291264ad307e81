//! Style and script, embedded, under names that change with their content, so that they may be kept for ever.

use std::{collections::BTreeMap, sync::LazyLock};

use axum::{
    extract::Path,
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use rust_embed::RustEmbed;

use super::error::WebError;

#[derive(RustEmbed)]
#[folder = "../templates/assets/"]
struct Embedded;

struct Asset {
    kind: &'static str,
    bytes: std::borrow::Cow<'static, [u8]>,
}

struct Assets {
    by_url_name: BTreeMap<String, Asset>,
    url_by_name: BTreeMap<String, String>,
}

static ASSETS: LazyLock<Assets> = LazyLock::new(|| {
    let mut assets = Assets { by_url_name: BTreeMap::new(), url_by_name: BTreeMap::new() };
    for name in Embedded::iter() {
        let Some(file) = Embedded::get(&name) else { continue };
        let Some((stem, ending)) = name.rsplit_once('.') else { continue };
        let kind = match ending {
            "css" => "text/css; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "svg" => "image/svg+xml",
            _ => continue,
        };
        let hash: String = file.metadata.sha256_hash().iter().take(6).map(|b| format!("{b:02x}")).collect();
        let url_name = format!("{stem}-{hash}.{ending}");
        assets.url_by_name.insert(name.to_string(), format!("/assets/{url_name}"));
        assets.by_url_name.insert(url_name, Asset { kind, bytes: file.data });
    }
    assets
});

/// Where an asset is; for templates.
pub fn url(name: &str) -> &'static str {
    ASSETS.url_by_name.get(name).map_or("/assets/unknown", String::as_str)
}

/// `GET /assets/{name}`
pub async fn asset(Path(name): Path<String>) -> Result<Response, WebError> {
    let asset = ASSETS.by_url_name.get(&name).ok_or_else(WebError::no_page)?;
    let head = [(CONTENT_TYPE, asset.kind), (CACHE_CONTROL, "public, max-age=31536000, immutable")];
    Ok((head, asset.bytes.clone()).into_response())
}
