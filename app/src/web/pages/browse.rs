//! The path picker: folders that may be opened and the files in them.

use askama::Template;
use axum::{extract::State as Shared, http::Uri, response::Response};
use tokio::task::spawn_blocking;

use crate::{
    output::visible,
    roots::Listing,
    web::{
        error::WebError,
        figures::{moment, size},
        query::Query,
        render::page,
        state::App,
    },
};

#[derive(Template)]
#[template(path = "browse.html")]
struct BrowsePage {
    folder: Option<String>,
    parent: Option<String>,
    items: Vec<Item>,
    is_cut: bool,
}

struct Item {
    is_file: bool,
    name: String,
    path: String,
    size: String,
    modified: String,
}

/// `GET /browse?path=`
pub async fn browse(Shared(app): Shared<App>, uri: Uri) -> Result<Response, WebError> {
    let query = Query::of(&uri, &["path"])?;
    let only_root = match app.roots.folders() {
        [only] => Some(only.display().to_string()),
        _ => None,
    };
    let Some(path) = query.text("path").map(str::to_owned).or(only_root) else {
        return page(&roots(&app));
    };
    let roots = app.roots.clone();
    let listing = spawn_blocking(move || roots.list(&path)).await;
    let Ok(listing) = listing else { return Err(WebError::bad_request("this folder cannot be listed")) };
    page(&shown(&app, listing?))
}

fn roots(app: &App) -> BrowsePage {
    let items = app.roots.folders().iter().map(|root| {
        let path = root.display().to_string();
        Item { is_file: false, name: path.clone(), path, size: String::new(), modified: String::new() }
    });
    BrowsePage { folder: None, parent: None, items: items.collect(), is_cut: false }
}

fn shown(app: &App, listing: Listing) -> BrowsePage {
    let items = listing.entries.into_iter().map(|entry| Item {
        is_file: entry.is_file,
        size: if entry.is_file { size(entry.bytes) } else { String::new() },
        modified: moment(entry.modified_ms),
        path: entry.path.display().to_string(),
        name: visible(&entry.name).into_owned(),
    });
    let items = items.collect();
    let all_roots = (app.roots.folders().len() > 1).then(|| "/browse".to_owned());
    BrowsePage {
        folder: Some(visible(&listing.folder.display().to_string()).into_owned()),
        parent: listing.parent.map(|p| format!("/browse?path={}", encoded(&p.display().to_string()))).or(all_roots),
        items,
        is_cut: listing.cut,
    }
}

/// A path as part of an address.
fn encoded(text: &str) -> String {
    askama::filters::urlencode_strict(text).map(|safe| safe.to_string()).unwrap_or_default()
}
