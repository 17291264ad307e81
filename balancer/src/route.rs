//! Which route a request takes: by its host and the beginning of its path. Pure.
//!
//! A rule that holds for a path has to hold for everything that a program behind us could take for that path. So what can
//! be read in two ways is of no route ([`Lost::Ambiguous`]), and the rest is compared in its plainest form.

use std::{borrow::Cow, collections::HashMap, fmt, sync::Arc};

use self::{cors::Cors, edits::Edits, files::Files, path::plain};
use crate::{compress::Compress, limiter::Limiter};

pub mod path;
pub mod edits;
pub mod cors;
pub mod files;

/// A route: for whom it is, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The hosts it is for, in lower case; without any it is for those that no other route names.
    pub hosts: Vec<Host>,
    /// How paths begin that it is for, up to the end of a segment.
    pub location: String,
    /// Where it goes.
    pub to: To,
    /// Bytes of a body that are waited for before a backend is chosen, if not as many as elsewhere.
    pub buffer: Option<usize>,
    /// How many requests of it a client may have.
    pub limiter: Option<Arc<Limiter>>,
    /// What is changed about requests.
    pub request: Edits,
    /// What is changed about answers.
    pub answer: Edits,
    /// Which other sites may read answers; what backends say about that goes on if nothing is said here.
    pub cors: Option<Cors>,
    /// Which answers are compressed.
    pub compress: Option<Compress>,
}

impl Route {
    /// Adds to a list the names of fields of answers that are the route's to say.
    pub(crate) fn claim_answers(&self, list: &mut Vec<u8>) {
        self.answer.claim(list);
        if self.cors.is_some() {
            list.extend_from_slice(cors::NAMES);
        }
    }

    /// Whether heads of answers are not as backends send them.
    #[must_use]
    pub fn edits_answers(&self) -> bool {
        self.cors.is_some() || !self.answer.is_empty()
    }
}

/// Where a route goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    /// To the pool of this number.
    Pool(usize),
    /// To files of a folder.
    Files(Files),
}

/// A host that a route is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// This one.
    Exact(String),
    /// Every one that ends like this, which begins with a dot.
    Below(String),
}

impl fmt::Display for Host {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => out.write_str(name),
            Self::Below(name) => write!(out, "*{name}"),
        }
    }
}

/// Why a request is of no route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// No route is for its host.
    Host,
    /// None is for its path.
    Path,
    /// Its path can be read in several ways.
    Ambiguous,
}

/// All routes, to be looked up. The host decides first: an exact one before the longest ending, and that before none. Of
/// its routes the one with the longest location is taken, whatever the order in which they were written.
#[derive(Debug)]
pub struct Table {
    routes: Vec<Route>,
    exact: HashMap<Vec<u8>, Site>,
    /// The longest first.
    below: Vec<(Vec<u8>, Site)>,
    rest: Site,
}

/// The routes of one host, the longest location first.
type Site = Vec<usize>;

impl Table {
    /// A table of these routes.
    #[must_use]
    pub fn new(routes: Vec<Route>) -> Self {
        let mut order: Site = (0..routes.len()).collect();
        order.sort_by_key(|number| std::cmp::Reverse(routes[*number].location.len()));
        let (mut exact, mut below, mut rest) = (HashMap::<_, Site>::new(), HashMap::<_, Site>::new(), Site::new());
        for number in order {
            for host in &routes[number].hosts {
                match host {
                    Host::Exact(name) => exact.entry(name.clone().into_bytes()).or_default().push(number),
                    Host::Below(end) => below.entry(end.clone().into_bytes()).or_default().push(number),
                }
            }
            if routes[number].hosts.is_empty() {
                rest.push(number);
            }
        }
        let mut below: Vec<(Vec<u8>, Site)> = below.into_iter().collect();
        below.sort_by_key(|(end, _)| std::cmp::Reverse(end.len()));
        Self { routes, exact, below, rest }
    }

    /// The route of a request for this host (without a port), and this path and query.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn find(&self, host: &[u8], target: &[u8]) -> Result<&Route, Lost> {
        let site = self.site(host);
        if site.is_empty() {
            return Err(Lost::Host);
        }
        let path = plain(target).ok_or(Lost::Ambiguous)?;
        let mut routes = site.iter().map(|number| &self.routes[*number]);
        routes.find(|route| path::is_below(&path, route.location.as_bytes())).ok_or(Lost::Path)
    }

    fn site(&self, host: &[u8]) -> &Site {
        // The dot at the end of a full name says nothing.
        let host = host.strip_suffix(b".").unwrap_or(host);
        let host = match host.iter().any(u8::is_ascii_uppercase) {
            true => Cow::Owned(host.to_ascii_lowercase()),
            false => Cow::Borrowed(host),
        };
        let ends = |end: &[u8]| host.len() > end.len() && host.ends_with(end);
        let below = || self.below.iter().find(|(end, _)| ends(end)).map(|(_, site)| site);
        self.exact.get(&*host).or_else(below).unwrap_or(&self.rest)
    }
}

/// Pairs of routes for the same host and location, of which only one could ever be taken; with the host in words.
#[must_use]
pub fn shadowed(routes: &[Route]) -> Vec<(usize, usize, String)> {
    let mut seen: HashMap<(Option<&Host>, &str), usize> = HashMap::new();
    let mut found = Vec::new();
    for (number, route) in routes.iter().enumerate() {
        let hosts = route.hosts.iter().map(Some).chain(route.hosts.is_empty().then_some(None));
        for host in hosts {
            let first = *seen.entry((host, &route.location)).or_insert(number);
            if first != number {
                let host = host.map_or_else(|| "any other host".to_owned(), ToString::to_string);
                found.push((first, number, host));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(routes: &[(&[&str], &str)]) -> Table {
        let route = |(number, (hosts, location)): (usize, &(&[&str], &str))| Route {
            buffer: None,
            limiter: None,
            hosts: hosts
                .iter()
                .map(|host| match host.strip_prefix('*') {
                    Some(end) => Host::Below(end.to_owned()),
                    None => Host::Exact((*host).to_owned()),
                })
                .collect(),
            location: (*location).to_owned(),
            to: To::Pool(number),
            request: Edits::default(),
            answer: Edits::default(),
            cors: None,
            compress: None,
        };
        Table::new(routes.iter().enumerate().map(route).collect())
    }

    fn found(table: &Table, host: &str, target: &str) -> Result<usize, Lost> {
        table.find(host.as_bytes(), target.as_bytes()).map(|route| match route.to {
            To::Pool(number) => number,
            To::Files(_) => panic!("all go to pools"),
        })
    }

    #[test]
    fn the_host_decides_first_and_then_the_longest_location_whatever_the_order() {
        let table = table(&[
            (&["*.example.org"], "/"),
            (&["*.deep.example.org"], "/"),
            (&["a.example.org"], "/x"),
            (&[], "/"),
            (&[], "/static/"),
            (&[], "/static/new"),
        ]);
        for (host, target, expected) in [
            ("b.example.org", "/x", Ok(0)),
            ("B.EXAMPLE.ORG.", "/x", Ok(0)),
            ("c.b.example.org", "/", Ok(0)),
            ("b.deep.example.org", "/", Ok(1)),
            ("deep.example.org", "/", Ok(0)),
            ("a.example.org", "/x/y?z", Ok(2)),
            ("a.example.org", "/y", Err(Lost::Path)),
            ("a.example.org", "/xy", Err(Lost::Path)),
            ("example.org", "/", Ok(3)),
            ("evilexample.org", "/", Ok(3)),
            (".example.org", "/", Ok(3)),
            ("", "/static", Ok(3)),
            ("", "/static/", Ok(4)),
            ("", "/static/news", Ok(4)),
            ("", "/static/new/s", Ok(5)),
            ("", "*", Ok(3)),
            ("", "", Ok(3)),
        ] {
            assert_eq!(found(&table, host, target), expected, "{host} {target}");
        }
    }

    #[test]
    fn a_host_that_no_route_is_for_is_told_apart_from_a_path() {
        let table = table(&[(&["a"], "/x")]);
        assert_eq!(found(&table, "b", "/x"), Err(Lost::Host));
        assert_eq!(found(&table, "a", "/y"), Err(Lost::Path));
    }

    #[test]
    fn no_way_of_writing_a_path_slips_by_its_route() {
        let table = table(&[(&[], "/"), (&[], "/admin"), (&[], "/a/b")]);
        for target in ["/admin", "/admin/", "/%61dmin", "/%61%64%6D%69%6e/x", "/admin;x=1", "/admin;/x", "/admin?x"] {
            assert_eq!(found(&table, "", target), Ok(1), "{target}");
        }
        assert_eq!(found(&table, "", "/a;x/b"), Ok(2));
        for target in [
            "//admin",
            "/x//admin",
            "/./admin",
            "/x/../admin",
            "/x/%2e%2e/admin",
            "/x/.%2E/admin",
            "/x/..;y/admin",
            "/x%2fadmin",
            "/x%2Fadmin",
            "/x%5cadmin",
            "/admin%00",
            "/..",
            "/x/.",
            "/%252e%252e/%2561dmin/..",
            "/;/admin",
            "/%3b/admin",
        ] {
            assert_eq!(found(&table, "", target), Err(Lost::Ambiguous), "{target}");
        }
        for target in ["/Admin", "/administrator", "/x/admin", "/...", "/.well-known/x", "/x?//../admin", "/%2561dmin"]
        {
            assert_eq!(found(&table, "", target), Ok(0), "{target}");
        }
    }

    #[test]
    fn routes_that_could_never_be_taken_are_found() {
        let table = table(&[(&["a", "b"], "/"), (&["b"], "/"), (&[], "/"), (&["a"], "/x"), (&[], "/")]);
        let expected = vec![(0, 1, "b".to_owned()), (2, 4, "any other host".to_owned())];
        assert_eq!(shadowed(&table.routes), expected);
    }
}
