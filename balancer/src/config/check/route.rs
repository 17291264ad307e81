//! The rules of routes.

use super::{Found, check_rate, content, fields, file};
use crate::{
    config::{self, Config},
    http1::target::is_host,
    route::{Host, Route, To, path, shadowed},
};

/// The routes of a file; each pool has to be of use to one, if there are any.
pub(super) fn check(found: &mut Found, routes: &[file::Route], config: &Config) -> Vec<Route> {
    let names: Vec<String> = config.pools.iter().map(|pool| pool.name.clone()).collect();
    let one = |(number, route)| check_route(found, &format!("route[{number}]"), route, &names, config);
    let checked: Vec<Route> = routes.iter().enumerate().map(one).collect();
    for (first, second, host) in shadowed(&checked) {
        let location = &checked[second].location;
        found.add(
            &format!("route[{second}]"),
            format!(
                "{location} of {host} is route[{first}]'s already; leave one of them out, or write a longer location"
            ),
        );
    }
    let is_used = |number: usize| checked.iter().any(|route| route.to == To::Pool(number));
    // The first one is there though nobody has written it.
    let is_written = |number: usize| is_taken(config, number);
    let is_idle =
        |number: &usize| if checked.is_empty() { *number > 0 } else { !is_used(*number) && is_written(*number) };
    for number in (0..names.len()).filter(is_idle) {
        let name = &names[number];
        found.add("route", format!("nothing goes to the pool `{name}`; add [[route]] with pool = \"{name}\""));
    }
    checked
}

/// Whether there is somebody in a pool.
fn is_taken(config: &Config, number: usize) -> bool {
    !config.pools[number].servers.is_empty() || config.programs.iter().any(|program| program.pool == number)
}

fn check_route(found: &mut Found, key: &str, file: &file::Route, pools: &[String], config: &Config) -> Route {
    let names = file.server_name.iter().filter_map(|name| found.take(&format!("{key}.server_name"), hosts(name)));
    let hosts = names.flatten().collect();
    let location = file.location.clone().unwrap_or_else(|| "/".to_owned());
    let is_plain =
        location.starts_with('/') && path::plain(location.as_bytes()).as_deref() == Some(location.as_bytes());
    if !is_plain || location.contains(['?', '#']) {
        found.add(
            &format!("{key}.location"),
            format!("`{location}` is no beginning of a path; write one such as /static/, with nothing encoded in it"),
        );
    }
    let to = match content::check_files(found, key, file, &location) {
        Some(files) => To::Files(files),
        None => To::Pool(pool(found, key, file.pool.as_ref(), pools)),
    };
    let compress = file.compress.as_ref();
    Route {
        hosts,
        location,
        to,
        buffer: file
            .buffer_requests
            .as_ref()
            .and_then(|text| found.take(&format!("{key}.buffer_requests"), config::buffer(text))),
        limiter: file.limit_req.as_ref().and_then(|limit| check_rate(found, &format!("{key}.limit_req"), limit)),
        request: fields::check_request(found, &format!("{key}.request_headers"), &file.request_headers),
        answer: fields::check_answer(found, &format!("{key}.response_headers"), &file.response_headers),
        cors: file.cors.as_ref().map(|cors| fields::check_cors(found, &format!("{key}.cors"), cors)),
        compress: content::check_compress(found, &format!("{key}.compress"), compress, config.compress.as_ref()),
    }
}

/// The number of a pool.
pub(super) fn pool(found: &mut Found, key: &str, name: Option<&String>, pools: &[String]) -> usize {
    let known = || pools.join(", ");
    match name {
        Some(name) => pools.iter().position(|known| known == name).unwrap_or_else(|| {
            found.add(&format!("{key}.pool"), format!("there is no pool `{name}`; write one of {}", known()));
            0
        }),
        None if pools.len() > 1 => {
            found.add(&format!("{key}.pool"), format!("there are several; write one of {}", known()));
            0
        }
        None => 0,
    }
}

/// The hosts that a name stands for, in nginx's forms but for regular expressions.
fn hosts(name: &str) -> Result<Vec<Host>, String> {
    let lower = name.to_ascii_lowercase();
    let (stars, dots) = (lower.strip_prefix("*."), lower.strip_prefix('.'));
    let bare = stars.or(dots).unwrap_or(&lower);
    if name.starts_with('~') {
        return Err(format!(
            "`{name}` is a regular expression, which no host is compared with; write names such as shop.example or *.example.org"
        ));
    }
    // nginx's idiom is a name that no host has, such as `_`.
    if !bare.contains(|letter: char| letter.is_ascii_alphanumeric() || letter == ':') {
        return Err(format!("`{name}` is no host; the route for all that no other one names has no server_name"));
    }
    let is_address = bare.starts_with('[');
    if !is_host(bare.as_bytes())
        || !is_address && bare.contains([':', '%'])
        || bare.contains("]:")
        || bare.starts_with('.')
        || bare.ends_with('.')
        || bare.contains("..")
    {
        return Err(format!("`{name}` is no host; write a name such as shop.example or *.example.org, without a port"));
    }
    let below = Host::Below(format!(".{bare}"));
    Ok(match (stars, dots) {
        (Some(_), _) => vec![below],
        (None, Some(bare)) => vec![Host::Exact(bare.to_owned()), below],
        (None, None) => vec![Host::Exact(lower)],
    })
}
