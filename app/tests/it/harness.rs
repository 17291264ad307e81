//! `TestApp`: one or more instances over one data directory, and a client.

use std::{
    future::Future,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode},
};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use logkin::{
    blobs::Blobs,
    clock::{Clock, Hands},
    config::Hosts,
    intake::Intake,
    jobs::{Bench, Jobs, Rhythm},
    metrics::Metrics,
    roots::Roots,
    shelf::Shelf,
    shutdown::Shutdown,
    store::{self, Store},
    web::{self, App, Listener, state::Parts},
};
use scraper::{Html, Selector};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};

/// 2026-11-20T10:00:00Z.
pub(crate) const NOW_MS: i64 = 1_795_168_800_000;

/// One instance, its worker running unless made without.
pub(crate) struct TestApp {
    pub(crate) dir: Arc<TempDir>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) blobs: Blobs,
    pub(crate) intake: Intake,
    pub(crate) clock: Clock,
    pub(crate) hands: Hands,
    pub(crate) shutdown: Shutdown,
    address: String,
    bench: Bench,
}

/// An answer, read whole.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl TestApp {
    /// Serving and analysing.
    pub(crate) async fn start() -> Self {
        let app = Self::idle().await;
        app.shutdown.spawn(app.jobs("worker").run(app.shutdown.clone()));
        app
    }

    /// Serving, but nobody analyses.
    pub(crate) async fn idle() -> Self {
        Self::over(Arc::new(tempfile::tempdir().unwrap())).await
    }

    /// Another instance over the same data directory, nobody analysing in it.
    pub(crate) async fn beside(&self) -> Self {
        Self::over(self.dir.clone()).await
    }

    async fn over(dir: Arc<TempDir>) -> Self {
        let (data, logs) = (dir.path().join("data"), dir.path().join("logs"));
        std::fs::create_dir_all(&data).unwrap();
        std::fs::create_dir_all(&logs).unwrap();
        let store = store::open(&data).await.unwrap();
        let blobs = Blobs::open(&data).unwrap();
        let roots = Roots::new(&[logs]).unwrap();
        let (clock, hands) = Clock::by_hand(NOW_MS);
        let (metrics, shutdown) = (Metrics::new(), Shutdown::new());
        let intake = Intake::new(blobs.clone(), store.clone(), roots.clone(), clock.clone());
        let bench = Bench {
            store: store.clone(),
            blobs: blobs.clone(),
            roots: roots.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
        };
        let app = App::new(Parts {
            name: "test".to_owned(),
            store: store.clone(),
            blobs: blobs.clone(),
            intake: intake.clone(),
            shelf: Shelf::new(blobs.clone(), roots.clone()),
            roots,
            hosts: Hosts::Loopback(Vec::new()),
            metrics,
            clock: clock.clone(),
            shutdown: shutdown.clone(),
            wake: Arc::new(tokio::sync::Notify::new()),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        shutdown.spawn(web::serve(Listener::Tcp(listener), web::router(&app), shutdown.clone()));
        Self { dir, store, blobs, intake, clock, hands, shutdown, address, bench }
    }

    /// A worker over this instance's parts, with a quick rhythm.
    pub(crate) fn jobs(&self, owner: &str) -> Jobs {
        let rhythm = Rhythm {
            lease: Duration::from_secs(5),
            heartbeat: Duration::from_millis(20),
            poll: Duration::from_millis(10),
        };
        Jobs::new(self.bench.clone(), owner, rhythm).unwrap()
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The folder that may be opened.
    pub(crate) fn logs(&self) -> PathBuf {
        self.dir.path().join("logs").canonicalize().unwrap()
    }

    /// Writes a file into that folder; its path.
    pub(crate) fn log(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.logs().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(request(Method::GET, path, "")).await
    }

    /// As a browser asks for a page.
    pub(crate) async fn page(&self, path: &str) -> Html {
        let answer = self.browse(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
        answer.html()
    }

    pub(crate) async fn browse(&self, path: &str) -> Answer {
        let mut request = request(Method::GET, path, "");
        request.headers_mut().insert("accept", "text/html,*/*;q=0.8".parse().unwrap());
        self.send(request).await
    }

    pub(crate) async fn post(&self, path: &str, kind: &str, body: impl Into<Body>) -> Answer {
        let mut request = request(Method::POST, path, body);
        request.headers_mut().insert("content-type", kind.parse().unwrap());
        self.send(request).await
    }

    pub(crate) async fn send(&self, mut request: Request<Body>) -> Answer {
        let stream = TcpStream::connect(&self.address).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        let host = self.address.parse().unwrap();
        request.headers_mut().entry("host").or_insert(host);
        let asking = async {
            let (head, body) = sender.send_request(request).await.unwrap().into_parts();
            let body = to_bytes(Body::new(body), usize::MAX).await.unwrap().to_vec();
            drop(sender);
            Answer { status: head.status, headers: head.headers, body }
        };
        tokio::join!(asking, async { drop(connection.await) }).0
    }

    /// Uploads a log and waits for its result; the report's address in the API.
    pub(crate) async fn analyse(&self, name: &str, text: impl Into<Body>) -> String {
        let answer = self.post(&format!("/api/v1/reports?name={name}"), "application/octet-stream", text).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
        let location = answer.headers["location"].to_str().unwrap().to_owned();
        self.settled(&location).await;
        location
    }

    /// Waits until a report is done or failed.
    pub(crate) async fn settled(&self, location: &str) -> Value {
        eventually(&format!("{location} settles"), || async {
            let report = self.get(location).await.json();
            matches!(report["status"].as_str(), Some("done" | "failed")).then_some(report)
        })
        .await
    }

    /// Files below the data directory's folder of drafts.
    pub(crate) fn drafts(&self) -> usize {
        files(&self.dir.path().join("data/drafts"))
    }

    /// Files below the data directory's folder of reports.
    pub(crate) fn kept(&self) -> usize {
        files(&self.dir.path().join("data/reports"))
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.shutdown.begin();
    }
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    pub(crate) fn html(&self) -> Html {
        Html::parse_document(&self.text())
    }

    /// The detail of a problem document, which has to be one.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16());
        problem["detail"].as_str().unwrap().to_owned()
    }
}

/// A request of this method.
pub(crate) fn request(method: Method, path: &str, body: impl Into<Body>) -> Request<Body> {
    Request::builder().method(method).uri(path).body(body.into()).unwrap()
}

/// The texts of the elements a selector finds, with single blanks.
pub(crate) fn texts(page: &Html, selector: &str) -> Vec<String> {
    let selector = Selector::parse(selector).unwrap();
    let text =
        |e: scraper::ElementRef<'_>| e.text().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ");
    page.select(&selector).map(text).collect()
}

/// The attributes of the elements a selector finds.
pub(crate) fn attributes(page: &Html, selector: &str, name: &str) -> Vec<String> {
    let selector = Selector::parse(selector).unwrap();
    page.select(&selector).filter_map(|e| e.attr(name)).map(str::to_owned).collect()
}

/// Asks until there is an answer, for as long as a loaded machine may need.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), asking)
        .await
        .unwrap_or_else(|_| panic!("not within a minute: {what}"))
}

fn files(folder: &Path) -> usize {
    let count = |entry: std::fs::DirEntry| if entry.path().is_dir() { files(&entry.path()) } else { 1 };
    std::fs::read_dir(folder).map_or(0, |entries| entries.flatten().map(count).sum())
}

/// A log of three kinds of line with levels and times.
pub(crate) fn three_kinds() -> String {
    let mut log = String::new();
    for n in 0..60 {
        log += &format!("2026-11-20 09:00:{n:02} INFO user {n} logged in from 10.0.0.{n}\n");
        if n % 3 == 0 {
            log += &format!("2026-11-20 09:00:{n:02} WARN request {n} took {n} ms\n");
        }
        if n % 20 == 0 {
            log += &format!("2026-11-20 09:00:{n:02} ERROR cannot open <b>/var/lib/{n}</b>: permission denied\n");
        }
    }
    log
}
